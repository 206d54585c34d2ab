"""The channel over TCP: answers find their askers, and what was not sent is known not to be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from node.client.client import ChannelError
from node.client.tcp import TcpChannel, dial
from node.core.messages import Get, Put, Refused, Status, StatusQuery
from node.runtime.tcp import bound
from tests.node.runtime.ears import Pair, talking
from tests.node.runtime.loops import LOCAL, deaf, run, until


def get(name: str) -> Get:
    """A request of that name."""
    return Get(name, b"k", 1)


def answered(pair: Pair, name: str) -> None:
    """Let b answer the request of that name, with its name."""
    asker = next(asker for asker, request in pair.ears["b"].requests if getattr(request, "request", "") == name)
    pair.transports["b"].reply(asker, Refused(name, "code", "text", definite=True))


async def asked(pair: Pair, *names: str) -> tuple[TcpChannel, list[asyncio.Task[Any]]]:
    """A channel to b on which these requests have been made and have arrived."""
    channel = await dial(pair.addresses["b"], "b", "c")
    tasks = [asyncio.create_task(channel.request(get(name))) for name in names]
    await until(lambda: len(pair.ears["b"].requests) == len(names))
    return channel, tasks


def test_answers_come_in_any_order() -> None:
    """Each goes to who asked for it."""

    async def main() -> None:
        async with talking("b") as pair:
            channel, tasks = await asked(pair, "one", "two", "three")
            for name in ("three", "one", "two"):
                answered(pair, name)
            assert [(await task).request for task in tasks] == ["one", "two", "three"]
            await channel.close()
            await until(lambda: not pair.transports["b"]._connections)
            with pytest.raises(ChannelError, match="the connection to b is closed") as raised:
                await channel.request(get("four"))
            assert not raised.value.sent

    run(main)


def test_a_late_answer_is_ignored() -> None:
    """Its asker has gone; the next one gets its own."""

    async def main() -> None:
        async with talking("b") as pair:
            channel, (first, second) = await asked(pair, "one", "two")
            first.cancel()
            await until(first.cancelled)
            answered(pair, "one")
            answered(pair, "two")
            assert (await second).request == "two"
            await channel.close()

    run(main)


def test_closing_waits_for_those_who_wait() -> None:
    """The connection ends with the last answer."""

    async def main() -> None:
        async with talking("b") as pair:
            channel, (task,) = await asked(pair, "one")
            await channel.close()
            answered(pair, "one")
            assert (await task).request == "one"
            await until(lambda: not pair.transports["b"]._connections)

    run(main)


def test_a_node_that_dies_leaves_the_outcome_open() -> None:
    """For all who wait; whoever asks later certainly was not heard."""

    async def main() -> None:
        async with talking("b") as pair:
            channel, tasks = await asked(pair, "one", "two")
            pair.transports["b"].fence()
            for task in tasks:
                with pytest.raises(ChannelError, match="the connection to b was lost") as raised:
                    await task
                assert (raised.value.sent, raised.value.code) == (True, "lost")
            with pytest.raises(ChannelError) as raised:
                await channel.request(get("three"))
            assert not raised.value.sent

    run(main)


def test_the_wrong_node_takes_nothing() -> None:
    """It says so, and that is certain."""

    async def main() -> None:
        async with talking("b") as pair:
            channel = await dial(pair.addresses["b"], "n9", "c")
            with pytest.raises(ChannelError, match="b: this is b, not n9") as raised:
                await channel.request(get("one"))
            assert not raised.value.sent

    run(main)


def test_the_normal_port_takes_no_debug_requests() -> None:
    """And the debug port no others."""

    async def main() -> None:
        async with talking("b") as pair:
            address = await pair.transports["b"].listen(bound((LOCAL, 0)), debug=True)
            for at, role in ((pair.addresses["b"], "debug"), (address, "client")):
                channel = await dial(at, "b", "c", role)  # type: ignore[arg-type]  # both are roles
                with pytest.raises(ChannelError, match=r"b: this is the .* port, not one for role") as raised:
                    await channel.request(StatusQuery())
                assert not raised.value.sent
            channel = await dial(address, "b", "c", "debug")
            task = asyncio.create_task(channel.request(StatusQuery()))
            await until(lambda: pair.ears["b"].requests)
            status = Status("b", "i", "ring", {}, (), 0)
            pair.transports["b"].reply(1, status)
            assert await task == status
            await channel.close()

    run(main)


def test_a_request_too_large_is_not_sent() -> None:
    """The channel stays good."""

    async def main() -> None:
        async with talking("b") as pair:
            channel, (task,) = await asked(pair, "one")
            with pytest.raises(ChannelError, match="a frame carries up to") as raised:
                await channel.request(Put("two", b"k", bytes(16 << 20), b"", 1))
            assert (raised.value.sent, raised.value.code) == (False, "too-large")
            answered(pair, "one")
            await task
            await channel.close()

    run(main)


def test_an_answer_that_makes_no_sense_ends_the_channel() -> None:
    """Nobody waits for ever."""

    async def main() -> None:
        async with talking("b") as pair:
            channel, (task,) = await asked(pair, "one")
            pair.transports["b"].reply(1, Status("b", "i", "ring", {}, (), 0))
            with pytest.raises(ChannelError, match="b sent something unreadable: the RESPONSE frame does not decode"):
                await task
            await channel.close()

    run(main)


def test_who_does_not_answer_a_dial_is_unreachable() -> None:
    """Refused, or silent."""

    async def main() -> None:
        with bound((LOCAL, 0)) as sock:
            with pytest.raises(ChannelError, match=r"cannot reach n1 at 127.0.0.1:.*: Connection refused") as raised:
                await dial(sock.getsockname(), "n1", "c")
            assert (raised.value.sent, raised.value.code) == (False, "unreachable")
        with deaf() as address:
            with pytest.raises(ChannelError, match="no answer") as raised:
                await dial(address, "n1", "c", timeout_s=0.05)
            assert not raised.value.sent

    run(main)
