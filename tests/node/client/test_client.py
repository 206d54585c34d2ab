"""The client: what certainly had no effect is told apart from what nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from node.client.client import (
    ChannelError,
    Client,
    DebugClient,
    OutcomeUnknownError,
    RequestError,
    RequestFailedError,
)
from node.core.messages import DumpPage, DumpQuery, Get, Got, HeldKey, Put, Refused, Status, StatusQuery, Written
from tests.node.runtime.loops import run

NODES = ("n1", "n2", "n3")
Answer = Callable[["Script", str, Any], Awaitable[Any]]


class Script:
    """Nodes that answer as the test says, and everything that they were asked."""

    def __init__(self, answer: Answer, *, down: tuple[str, ...] = ()) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.dialled: list[str] = []
        self.closed: list[str] = []
        self.down = down
        self._answer = answer

    async def dial(self, node: str) -> ScriptedChannel:
        """Make a channel, unless the node is down."""
        self.dialled.append(node)
        if node in self.down:
            raise ChannelError(f"{node} is down", sent=False)
        return ScriptedChannel(self, node)

    async def answer(self, node: str, message: Any) -> Any:
        """Answer a request."""
        self.asked.append((node, message))
        return await self._answer(self, node, message)


class ScriptedChannel:
    """A channel to a scripted node."""

    def __init__(self, script: Script, node: str) -> None:
        self._script = script
        self._node = node

    async def request(self, message: Any) -> Any:
        """Ask."""
        return await self._script.answer(self._node, message)

    async def close(self) -> None:
        """Let go."""
        self._script.closed.append(self._node)


async def serve(_: Script, node: str, message: Any) -> Any:
    """Answer as a healthy node."""
    match message:
        case Get(request, _):
            return Got(request, (), b"ctx", node, (), "ring")
        case Put(request, _):
            return Written(request, "dot", b"ctx", node, (), "ring")


async def silence(*_: object) -> Any:
    """Never answer."""
    await asyncio.Event().wait()


def raising(error: Exception) -> Answer:
    """Fail."""

    async def answer(*_: object) -> Any:
        raise error

    return answer


def refusing(*, definite: bool) -> Answer:
    """Refuse."""

    async def answer(_script: Script, _node: str, message: Any) -> Any:
        return Refused(message.request, "unavailable", "too few replicas", definite=definite)

    return answer


def test_nodes_take_turns_and_requests_have_names() -> None:
    """Each request its own, the quorum and the context as given, and less time than the client has."""

    async def main() -> None:
        script = Script(serve)
        client = Client(script.dial, NODES, "c")
        coordinators = [(await client.get(b"k")).coordinator for _ in range(4)]
        assert coordinators == ["n1", "n2", "n3", "n1"]
        assert (await client.put(b"k", b"v", context=b"ctx", node="n2", w=3, timeout_ms=500)).dot == "dot"
        assert script.dialled == ["n1", "n2", "n3"], "channels are kept"
        *gets, (node, put) = script.asked
        assert [get.request for _, get in gets] == ["c-1", "c-2", "c-3", "c-4"]
        assert (node, put.request, put.context, put.w) == ("n2", "c-5", b"ctx", 3)
        assert 0 < put.remaining_ns <= 450_000_000
        await client.close()
        assert script.closed == ["n1", "n2", "n3"]

    run(main)


def test_a_node_that_is_down_is_passed_over_unless_it_was_meant() -> None:
    """That certainly had no effect, so somebody else may be asked."""

    async def main() -> None:
        script = Script(serve, down=("n1", "n2"))
        client = Client(script.dial, NODES, "c")
        assert (await client.put(b"k", b"v")).coordinator == "n3"
        with pytest.raises(RequestFailedError, match="unreachable: n1 is down"):
            await client.put(b"k", b"v", node="n1")
        script.down = NODES
        await client.close()
        with pytest.raises(RequestFailedError, match="n2 is down; n3 is down; n1 is down"):
            await client.put(b"k", b"v")

    run(main)


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (refusing(definite=True), RequestFailedError, "unavailable"),
        (refusing(definite=False), OutcomeUnknownError, "unavailable"),
        (raising(ChannelError("lost", sent=True)), OutcomeUnknownError, "lost"),
        (raising(ChannelError("large", sent=False, code="too-large")), RequestFailedError, "too-large"),
        (silence, OutcomeUnknownError, "timeout"),
    ],
)
def test_what_is_certain_and_what_is_not(answer: Answer, error: type[RequestError], code: str) -> None:
    """And nobody else is asked, because it may have happened, or would go wrong anywhere."""

    async def main() -> None:
        script = Script(answer)
        client = Client(script.dial, NODES, "c", timeout_ms=30)
        with pytest.raises(error) as raised:
            await client.put(b"k", b"v")
        assert type(raised.value) is error
        assert raised.value.code == code
        assert len(script.asked) == 1

    run(main)


def test_time_that_runs_out_while_dialling_is_certain() -> None:
    """Nothing was sent."""

    async def main() -> None:
        client = Client(silence, NODES, "c", timeout_ms=20)
        with pytest.raises(RequestFailedError, match="n1 could not be reached within 20 ms"):
            await client.put(b"k", b"v")

    run(main)


def test_a_channel_without_an_answer_is_not_asked_again() -> None:
    """A connection that was cut may stay silent long after the cut has healed."""

    async def main() -> None:
        script = Script(silence)
        client = Client(script.dial, NODES, "c", timeout_ms=20)
        with pytest.raises(OutcomeUnknownError):
            await client.get(b"k", node="n1")
        assert script.closed == ["n1"]
        script._answer = serve
        await client.get(b"k", node="n1")
        assert script.dialled == ["n1", "n1"]

    run(main)


def test_a_channel_that_went_stale_is_dialled_anew() -> None:
    """Its node was restarted since; that is no failure."""

    async def stale(script: Script, _node: str, _message: Any) -> Any:
        script._answer = serve
        raise ChannelError("closed", sent=False)

    async def main() -> None:
        script = Script(serve)
        client = Client(script.dial, NODES, "c")
        await client.get(b"k", node="n1")
        script._answer = stale
        assert (await client.get(b"k", node="n1")).coordinator == "n1"
        assert script.dialled == ["n1", "n1"]
        assert len({message.request for _, message in script.asked}) == 2

    run(main)


def test_requests_at_the_same_time_share_a_channel() -> None:
    """Also when nobody has dialled yet."""

    async def main() -> None:
        script = Script(serve)
        client = Client(script.dial, NODES, "c")
        got = await asyncio.gather(*(client.get(b"k", node="n1") for _ in range(10)))
        assert len({each.request for each in got}) == 10
        assert script.dialled == ["n1"]

    run(main)


def test_a_dump_is_read_to_its_end() -> None:
    """Page by page."""
    held = tuple(HeldKey(b"%d" % number, ("n1",), (), None) for number in range(3))

    async def answer(_script: Script, node: str, message: Any) -> Any:
        match message:
            case StatusQuery():
                return Status(node, "i", "ring", {}, (), 0)
            case DumpQuery(after):
                number = int(after or b"0")
                return DumpPage((held[number],), b"%d" % (number + 1) if number < 2 else b"")

    async def main() -> None:
        script = Script(answer)
        debug = DebugClient(script.dial)
        assert await debug.dump("n1") == held
        assert (await debug.status("n2")).node == "n2"
        await debug.close()
        assert script.closed == ["n1", "n2"]

    run(main)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (silence, "timeout: the debug port of n1 did not answer within 20 ms"),
        (raising(ChannelError("gone", sent=True)), "lost: gone"),
    ],
)
def test_a_debug_port_that_does_not_answer(answer: Answer, said: str) -> None:
    """Looking has no effect, so every failure is certain."""

    async def main() -> None:
        debug = DebugClient(Script(answer).dial, timeout_ms=20)
        with pytest.raises(RequestFailedError, match=said):
            await debug.dump("n1")

    run(main)
