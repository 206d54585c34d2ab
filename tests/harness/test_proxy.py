"""The link proxy: exact one-way cuts, counted, acknowledged and healed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from harness.worlds.link_proxy import LinkProxy
from harness.worlds.proxy import Proxy, ProxySpec, Rules
from nemesis.powers import PowerError, Traffic
from node.core.clocks import Actor, Dot
from node.core.messages import Fetched
from node.core.versions import NOTHING, Sibling, Versions
from node.runtime.tcp import bound
from node.runtime.wire import Frame
from tests.node.runtime.ears import RING, Pair
from tests.node.runtime.loops import LOCAL, deaf, eventually, run, until


@asynccontextmanager
async def proxied(rules: Rules | None = None) -> AsyncIterator[tuple[Pair, Proxy]]:
    """A pair of transports, with a proxy in this very process on the way from a to b; b does not listen yet."""
    ours, theirs = multiprocessing.Pipe()
    proxy = Proxy(ProxySpec("a", {}), rules)
    running = asyncio.create_task(proxy.run(theirs))
    await until(ours.poll)
    pair = Pair(way=ours.recv())
    proxy.command("route", {"b": pair.addresses["b"]})
    await pair.listen("a")
    try:
        yield pair, proxy
    finally:
        await pair.close()
        ours.close()
        await running
        theirs.close()


def test_a_cut_is_one_way_exact_and_counted() -> None:
    """What was passed on before stays passed on, all that comes after is dropped, and the way back is open."""

    async def main() -> None:
        async with proxied() as (pair, proxy):
            await pair.listen("b")
            pair.ping("a", "b", 1, 2, 3)
            await until(lambda: pair.ears["b"].calls == [1, 2, 3])
            connection = pair.transports["b"].incoming["a"]
            proxy.command("block", ["b"])
            pair.ping("a", "b", 4, 5)
            pair.ping("b", "a", 6)
            await until(lambda: proxy.command("counters", None) == {"b": Traffic(2, 2)})
            await until(lambda: pair.ears["a"].calls == [6])
            assert proxy.command("heal", ["b"]) == {"b": Traffic(2, 2)}
            pair.ping("a", "b", 7)
            await until(lambda: pair.ears["b"].calls == [1, 2, 3, 7])
            assert pair.transports["b"].incoming["a"] is connection, "the old connection stayed"
            assert pair.ears["a"].unreached == [], "a cut is silent"

    run(main)


def test_a_hello_that_was_swallowed_is_made_up_for() -> None:
    """A dial through a cut is accepted and goes nowhere; after the heal the node dials anew."""

    async def main() -> None:
        async with proxied() as (pair, proxy):
            await pair.listen("b")
            proxy.command("block", ["b"])
            pair.ping("a", "b", 1)
            await until(lambda: proxy.command("counters", None) == {"b": Traffic(2, 2)})
            assert not pair.transports["b"].incoming
            (link,) = proxy.links
            proxy.command("heal", ["b"])
            await until(lambda: link not in proxy.links)
            pair.ping("a", "b", 2)
            await until(lambda: pair.ears["b"].calls == [2])

    run(main)


def test_a_cut_while_dialling_swallows_the_hello() -> None:
    """What waits for a destination that does not answer is dropped when it is cut off, and counted."""

    async def main() -> None:
        with deaf() as deaf_address:
            async with proxied() as (pair, proxy):
                await pair.listen("b")
                proxy.command("route", {"b": deaf_address})
                pair.ping("a", "b", 1)
                await until(lambda: any(link._waiting for link in proxy.links))
                proxy.command("block", ["b"])
                await until(lambda: proxy.command("counters", None) == {"b": Traffic(2, 2)})
                pair.ping("a", "b", 2)
                await until(lambda: proxy.command("counters", None) == {"b": Traffic(3, 3)})
                proxy.command("route", {"b": pair.addresses["b"]})
                proxy.command("heal", ["b"])
                await until(lambda: not proxy.links)
                pair.ping("a", "b", 3)
                await until(lambda: pair.ears["b"].calls == [3])

    run(main)


def test_a_destination_that_is_down_is_unreached() -> None:
    """The node learns through the proxy what it would learn without: refused, so certainly not delivered."""

    async def main() -> None:
        async with proxied() as (pair, proxy):
            pair.ping("a", "b", 1, 2)
            await until(lambda: pair.ears["a"].unreached == [1, 2])
            await pair.listen("b")
            await until(lambda: not proxy.links)
            proxy.command("route", {"b": (LOCAL, 1)})
            proxy.command("route", {"b": pair.addresses["b"]})
            link = pair.transports["a"]._links["b"]
            await until(lambda: link._state.value == "idle")
            pair.ping("a", "b", 3)
            await until(lambda: pair.ears["b"].calls == [3])

    run(main)


def test_a_refusal_and_a_death_are_relayed() -> None:
    """An ERROR frame of the destination reaches the node, and so does the closing of its connection."""

    async def main() -> None:
        async with proxied() as (pair, proxy):
            pair.transports["b"].cluster = "another"
            await pair.listen("b")
            pair.ping("a", "b", 1)
            await until(lambda: pair.ears["a"].unreached == [1])
            pair.transports["b"].cluster = pair.transports["a"].cluster
            link = pair.transports["a"]._links["b"]
            await until(lambda: link._state.value == "idle")
            pair.ping("a", "b", 2)
            await until(lambda: pair.ears["b"].calls == [2])
            pair.transports["b"].incoming["a"].transport.abort()
            await until(lambda: link._state.value == "idle")
            await until(lambda: not proxy.links)

    run(main)


def test_a_death_behind_a_cut_is_not_seen() -> None:
    """The node's connection stays open until the heal."""

    async def main() -> None:
        async with proxied() as (pair, proxy):
            await pair.listen("b")
            pair.ping("a", "b", 1)
            await until(lambda: pair.ears["b"].calls == [1])
            proxy.command("block", ["b"])
            (link,) = proxy.links
            pair.transports["b"].incoming["a"].transport.abort()
            await until(lambda: link._outward is None)
            pair.ping("a", "b", 2)
            await until(lambda: proxy.command("counters", None)["b"].seen == 1)
            assert list(proxy.links) == [link]
            proxy.command("heal", ["b"])
            await until(lambda: not proxy.links)

    run(main)


def test_a_destination_that_does_not_read_holds_the_node_back_until_it_is_cut_off() -> None:
    """No buffer grows without bound, and a cut drains what has piled up."""
    big = Fetched(1, Versions(NOTHING.clock, (Sibling(Dot(Actor("a", "i", 1), 1), bytes(1 << 20)),)))

    async def main() -> None:
        async with proxied() as (pair, proxy):
            pair.socks["b"].listen()
            for _ in range(40):
                pair.transports["a"].send("b", big, RING)
            await until(lambda: any(link._outward and link._outward.full for link in proxy.links))
            (link,) = proxy.links
            assert link._outward is not None
            assert link._outward.outbox.unwritten < 8 << 20
            assert pair.transports["a"].sending
            proxy.command("block", ["b"])
            await until(lambda: pair.transports["a"].sending == 0)
            assert proxy.command("counters", None)["b"].dropped > 10

    run(main)


def test_one_function_decides_on_each_frame() -> None:
    """Loss, duplicates and delay are a matter of `fate` alone."""

    class Twice(Rules):
        def fate(self, destination: str, frame: Frame) -> Sequence[float]:
            """Each message once now and once a little later."""
            return (0.0, 0.001) if len(super().fate(destination, frame)) and frame.kind.name == "PEER" else (0.0,)

    async def main() -> None:
        async with proxied(Twice()) as (pair, _):
            await pair.listen("b")
            pair.ping("a", "b", 1, 2)
            await until(lambda: sorted(pair.ears["b"].calls) == [1, 1, 2, 2])

    run(main)


def test_the_proxy_as_a_process() -> None:
    """Started, commanded and stopped through its handle; a port that is taken is said so."""

    async def main() -> None:
        sock = bound((LOCAL, 0), reuse_port=True)
        reserved = (LOCAL, int(sock.getsockname()[1]))
        proxy = await LinkProxy.start(ProxySpec("a", {}, listen=reserved, reuse_port=True))
        assert proxy.address == reserved
        pair = Pair(way=proxy.address)
        await proxy.route("b", pair.addresses["b"])
        await pair.listen("a", "b")
        try:
            pair.ping("a", "b", 1)
            await until(lambda: pair.ears["b"].calls == [1])
            await proxy.block(["b"])
            pair.ping("a", "b", 2)
            await eventually(lambda: has_dropped(proxy, 1))
            assert await proxy.heal(["b"]) == {"b": Traffic(1, 1)}
            pair.ping("a", "b", 3)
            await until(lambda: pair.ears["b"].calls == [1, 3])
            with pytest.raises(PowerError, match="the link proxy of b cannot start: cannot listen on"):
                await LinkProxy.start(ProxySpec("b", {}, listen=pair.addresses["a"]))
        finally:
            await pair.close()
            await proxy.stop()
            sock.close()

    run(main)


def test_a_proxy_that_was_killed_is_gone() -> None:
    """Commands say so instead of waiting."""

    async def main() -> None:
        proxy = await LinkProxy.start(ProxySpec("a", {}))
        pid = proxy._process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(PowerError, match="the link proxy of a is gone"):
            await proxy.block(["b"])
        await proxy.stop()

    run(main)


async def has_dropped(proxy: LinkProxy, frames: int) -> bool:
    """Whether the cut of b has dropped so many frames."""
    return (await proxy.counters())["b"].dropped == frames


PARENT = """
import asyncio, os, signal
from harness.worlds.link_proxy import LinkProxy
from harness.worlds.proxy import ProxySpec
async def main():
    proxy = await LinkProxy.start(ProxySpec("a", {}))
    print(proxy._process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_proxy_dies_with_its_parent() -> None:
    """A harness that is killed leaves nothing behind."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.wait(timeout=10) == -signal.SIGKILL

    async def main() -> None:
        await until(lambda: not _alive(pid))

    run(main)


def _alive(pid: int) -> bool:
    """Whether the process is there; one that nobody has waited for does not count."""
    with suppress(OSError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False
