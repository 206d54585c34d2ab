"""A cluster on real sockets, all its nodes in one loop: put and get through the client."""

from __future__ import annotations

import asyncio

import pytest

from node.client.client import RequestFailedError
from node.client.tcp import dial
from node.core.messages import DumpPage, DumpQuery
from tests.node.runtime.loops import InLoopCluster, eventually, run

NODES = ("n1", "n2", "n3")


def test_put_and_get_through_any_node() -> None:
    """A version is read wherever it was written, and replaced with the context of the read."""

    async def main() -> None:
        async with InLoopCluster(*NODES) as cluster:
            put = await cluster.client.put(b"k", b"one", node="n1")
            assert len(put.acks) >= 2
            for node in NODES:
                got = await cluster.client.get(b"k", node=node)
                assert [version.value for version in got.versions] == [b"one"]
                assert got.versions[0].dot == put.dot
            await cluster.client.put(b"k", b"two", node="n2", context=got.context)
            await cluster.client.put(b"k", b"beside", node="n3", context=got.context)
            got = await cluster.client.get(b"k", r=3)
            assert sorted(version.value for version in got.versions) == [b"beside", b"two"]

    run(main)


def test_nodes_in_memory_say_that_nothing_is_durable() -> None:
    """Over the wire as well: every acknowledgement says it of the node that it comes from."""

    async def main() -> None:
        async with InLoopCluster(*NODES) as cluster:
            put = await cluster.client.put(b"k", b"one", w=3)
            got = await cluster.client.get(b"k", r=3)
            assert [ack.durable for ack in (*put.acks, *got.acks)] == [False] * 6

    run(main)


def test_many_at_a_time() -> None:
    """Pipelined on few connections, to all nodes; afterwards the cluster is quiet and all replicas are equal."""

    async def main() -> None:
        async with InLoopCluster(*NODES) as cluster:
            puts = await asyncio.gather(*(cluster.client.put(b"k%d" % n, b"v%d" % n) for n in range(300)))
            assert len({put.dot for put in puts}) == 300
            gets = await asyncio.gather(*(cluster.client.get(b"k%d" % n) for n in range(300)))
            assert [[version.value for version in got.versions] for got in gets] == [[b"v%d" % n] for n in range(300)]

            async def quiet() -> bool:
                statuses = [await cluster.debug.status(node) for node in NODES]
                return not any(any(status.work.values()) for status in statuses)

            await eventually(quiet)
            dumps = [await cluster.debug.dump(node) for node in NODES]
            assert len(dumps[0]) == 300
            assert dumps[0] == dumps[1] == dumps[2]

    run(main)


def test_a_dump_of_large_values_comes_in_pages_that_fit() -> None:
    """More than a frame carries lies on one node."""

    async def main() -> None:
        async with InLoopCluster("n1", n=1, r=1, w=1) as cluster:
            value = bytes(1 << 20)
            for number in range(20):
                await cluster.client.put(b"%02d" % number, value)
            held = await cluster.debug.dump("n1")
            assert [entry.key for entry in held] == [b"%02d" % number for number in range(20)]
            assert all(entry.versions[0].value == value for entry in held)

    run(main)


@pytest.mark.parametrize(
    "query", [DumpQuery(limit=0), DumpQuery(limit=-1), DumpQuery(limit=(1 << 64) - 1), DumpQuery(b"\xff")]
)
def test_an_odd_dump_query_is_answered(query: DumpQuery) -> None:
    """With a page; the node lives."""

    async def main() -> None:
        async with InLoopCluster("n1", n=1, r=1, w=1) as cluster:
            await cluster.client.put(b"k", b"v")
            channel = await dial(cluster.nodes["n1"].debug_address, "n1", "c", "debug")
            page = await channel.request(query)
            assert isinstance(page, DumpPage)
            assert len(page.held) == (query.after == b"")
            await channel.close()

    run(main)


def test_a_node_that_leaves_the_network_and_comes_back() -> None:
    """Its peers notice, put hints elsewhere, and deliver them when it listens again."""

    async def main() -> None:
        async with InLoopCluster(*NODES, hint_retry_ms=50, probe_interval_ms=50) as cluster:
            node = cluster.nodes["n3"]
            await node.transport.close()
            for number in range(5):
                await cluster.client.put(b"k%d" % number, b"v", node="n1")
            assert (await cluster.debug.status("n1")).suspected == ("n3",)
            await node.rise()

            async def delivered() -> bool:
                return len(await cluster.debug.dump("n3")) == 5

            await eventually(delivered)

            async def forgotten() -> bool:
                statuses = [await cluster.debug.status(name) for name in NODES]
                return not any(status.work["hints"] or status.suspected for status in statuses)

            await eventually(forgotten)

    run(main)


def test_an_object_too_large_is_refused_by_the_node() -> None:
    """Definitely."""

    async def main() -> None:
        async with InLoopCluster(*NODES, object_bytes_max=10) as cluster:
            with pytest.raises(RequestFailedError, match="too-large: the object has 11 bytes"):
                await cluster.client.put(b"k", bytes(11))

    run(main)
