"""A cluster of processes whose members change, started from the command line and ordered about by an operator."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from node.client.admin import Admin
from node.client.client import RequestError
from node.client.tcp import dial_at
from node.core.changes import JOIN, LEAVE, REPLACE, Member
from node.core.messages import Written
from node.runtime.addresses import shown
from tests.node.runtime.loops import eventually, run
from tests.node.runtime.processes import NodeProcess, free_port, ran

T = TypeVar("T")

FOUNDERS = ("n1", "n2", "n3")
QUICK = ("gossip_ms=100", "partitions=16")
PATIENCE_S = 15.0


class Living:
    """Three founders and whoever is started beside them, each by one line; `admin` is their operator."""

    def __init__(self, directory: Path, stack: AsyncExitStack) -> None:
        self.nodes: dict[str, NodeProcess] = {}
        self.admin = Admin(dial_at, "operator", timeout_ms=5000)
        self._directory = directory
        self._stack = stack
        self._addresses = {name: shown(tuple(free_port())) for name in (*FOUNDERS, "n4")}

    def at(self, name: str) -> str:
        """Where a node is dialled."""
        return self._addresses[name]

    def line(self, name: str, *options: str) -> list[str]:
        """The line that starts a node."""
        founders = ",".join(f"{founder}={self._addresses[founder]}" for founder in FOUNDERS)
        start = [sys.executable, "-m", "node", "--node", name, "--cluster", founders, "--secret", "s"]
        data = ["--data", str(self._directory / name)] if "--data" not in options else []
        return [*start, *data, *(part for setting in QUICK for part in ("--set", setting)), *options]

    async def start(self, name: str, *options: str) -> NodeProcess:
        """Start a node, and wait until it listens."""
        node = self.nodes[name] = await self._stack.enter_async_context(ran(self.line(name, *options), name))
        await node.event("listening")
        return node

    async def end(self, name: str, number: signal.Signals) -> None:
        """End a node."""
        self.nodes[name].signal(number)
        await self.nodes[name].exit()

    async def order(self, at: str, operation: str, node: str, member: Member | None = None, address: str = "") -> None:
        """Stage an order at a node, and commit what it would do."""
        await self.admin.stage(self.at(at), operation, node, member, address)
        plan = await self.admin.plan(self.at(at))
        assert len(plan.orders) == 1
        await self.admin.commit(self.at(at), plan.token)

    async def settled(self, *members: str) -> None:
        """Wait until these, and nobody else, have all seats, and all of them know it."""
        await eventually(lambda: self._is_settled(members), timeout_s=PATIENCE_S)

    async def all_up(self) -> bool:
        """Whether every founder reaches the others, which those that were started first do not at once."""
        try:
            for name in FOUNDERS:
                await self.nodes[name].client.put(b"up", b"", w=3)
        except RequestError:
            return False
        return True

    async def _is_settled(self, members: tuple[str, ...]) -> bool:
        try:
            rings = [await self.admin.ring(self.at(name)) for name in members]
        except RequestError:
            return False
        sitting = {each.member.node for each in rings[0].members if each.seats or each.seats_after}
        agreed = len({ring.ring for ring in rings}) == 1
        return agreed and not any(ring.moves for ring in rings) and sitting == set(members)


@asynccontextmanager
async def living(directory: Path) -> AsyncIterator[Living]:
    """Three founders, each started by one line."""
    async with AsyncExitStack() as stack:
        cluster = Living(directory, stack)
        for name in FOUNDERS:
            await cluster.start(name)
        await eventually(cluster.all_up, timeout_s=PATIENCE_S)
        yield cluster
        await cluster.admin.close()


async def insisted(request: Callable[[], Awaitable[T]]) -> T:
    """Ask again until it succeeds.

    With three nodes nobody stands in for a third replica, and on a busy machine one that is slow for a quarter of a
    second is taken for dead, for a moment.
    """
    while True:
        try:
            return await request()
        except RequestError:
            await asyncio.sleep(0.05)


async def put(node: NodeProcess, key: bytes, value: bytes) -> Written:
    """Write a value to all replicas of a key, in the place of all that was there, such as a half-done attempt."""

    async def once() -> Written:
        context = (await node.client.get(key, r=3)).context
        return await node.client.put(key, value, context=context, w=3)

    return await insisted(once)


async def put_some(node: NodeProcess) -> None:
    """Forty keys, each on all of its replicas."""
    for number in range(40):
        await put(node, b"%d" % number, b"v%d" % number)


async def kept(node: NodeProcess) -> None:
    """All of them are read through this node."""
    for number in range(40):
        got = await insisted(partial(node.client.get, b"%d" % number, r=3))
        assert [version.value for version in got.versions] == [b"v%d" % number]


def lived(directory: Path, story: Callable[[Living], Awaitable[None]]) -> None:
    """Run a story of such a cluster."""

    async def main() -> None:
        async with living(directory) as cluster:
            await story(cluster)

    run(main, timeout_s=60.0)


def test_three_lines_and_two_more(tmp_path: Path) -> None:
    """A fourth node joins and takes over its part of the keys; then a founder leaves, and all are still there."""

    async def story(cluster: Living) -> None:
        await put_some(cluster.nodes["n1"])
        n4 = await cluster.start("n4", "--listen", cluster.at("n4"))
        await cluster.order("n1", JOIN, "n4", Member("n4"), cluster.at("n4"))
        await cluster.settled(*FOUNDERS, "n4")
        assert (await cluster.admin.ring(cluster.at("n4"))).node == "n4"
        await kept(n4)
        await cluster.order("n4", LEAVE, "n2")
        await cluster.settled("n1", "n3", "n4")
        await cluster.end("n2", signal.SIGTERM)
        await kept(n4)

    lived(tmp_path, story)


def test_a_dead_node_is_replaced(tmp_path: Path) -> None:
    """Its place is taken by a node with nothing, which gets everything from those that are left."""

    async def story(cluster: Living) -> None:
        await put_some(cluster.nodes["n1"])
        await cluster.end("n3", signal.SIGKILL)
        n4 = await cluster.start("n4", "--listen", cluster.at("n4"))
        await cluster.order("n1", REPLACE, "n3", Member("n4"), cluster.at("n4"))
        await cluster.settled("n1", "n2", "n4")
        await kept(n4)

    lived(tmp_path, story)


def test_a_node_that_moves_is_found(tmp_path: Path) -> None:
    """Started again at another address, it says so itself; nobody else is told anything."""

    async def story(cluster: Living) -> None:
        await put_some(cluster.nodes["n1"])
        await cluster.end("n3", signal.SIGTERM)
        elsewhere = cluster.at("n4")
        n3 = await cluster.start("n3", "--listen", elsewhere)

        async def known() -> bool:
            reports = [await cluster.admin.ring(cluster.at(name)) for name in ("n1", "n2")]
            return all(each.address == elsewhere for ring in reports for each in ring.members[2:])

        await eventually(known, timeout_s=PATIENCE_S)
        await kept(n3)
        written = await put(cluster.nodes["n1"], b"k", b"v")
        assert sorted(ack.node for ack in written.acks) == list(FOUNDERS)

    lived(tmp_path, story)


def test_where_a_silent_founder_is_was_said_at_the_start(tmp_path: Path) -> None:
    """A node that was started after another's death has not heard of it, and knows its address from its own line."""

    async def story(cluster: Living) -> None:
        for name in ("n3", "n1"):
            await cluster.end(name, signal.SIGKILL)
        await cluster.start("n1")
        ring = await cluster.admin.ring(cluster.at("n1"))
        assert [each.address for each in ring.members] == [cluster.at(name) for name in FOUNDERS]

    lived(tmp_path, story)


def test_a_directory_belongs_to_one_node(tmp_path: Path) -> None:
    """Exit 69, and one line that names both."""

    async def story(cluster: Living) -> None:
        await cluster.end("n3", signal.SIGTERM)
        line = cluster.line("n2", "--data", str(tmp_path / "n3"), "--listen", cluster.at("n4"))
        async with ran(line, "n2") as other:
            assert await other.exit() == os.EX_UNAVAILABLE
            (said,) = (await other.errors()).splitlines()
            assert said.startswith("keelhaul-node: n2: its data are those of n3 of cluster ")

    lived(tmp_path, story)


def test_a_node_of_another_cluster_is_told_off(tmp_path: Path) -> None:
    """It has another secret: its peers refuse it, and its log says why."""

    async def story(cluster: Living) -> None:
        async with ran(cluster.line("n4", "--listen", cluster.at("n4"), "--secret", "other"), "n4") as n4:
            text = (await n4.event("peer-unreached"))["text"]
            assert " refuses the connection: " in text
            assert text.endswith("compare founders, places, strategy, partitions, tokens, n and the secret")

    lived(tmp_path, story)
