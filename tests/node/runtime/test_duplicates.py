"""Two processes that claim to be one node: the one that lives stays, the other one ends; and a node that moves may."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from tests.node.runtime.loops import eventually
from tests.node.runtime.processes import NodeProcess, ran
from tests.node.runtime.test_membership import FOUNDERS, PATIENCE_S, Living, kept, lived, put, put_some


async def ends_as_a_duplicate(node: NodeProcess, address: str) -> None:
    """Exit 69, and one line that says who is this node, and where."""
    assert await node.exit() == os.EX_UNAVAILABLE
    (said,) = (await node.errors()).splitlines()
    assert said.startswith("keelhaul-node: n3: another process is this node, incarnation ")
    assert f" at {address}, says n" in said


async def stays(cluster: Living) -> None:
    """The third founder is where it was, for everybody."""
    for name in ("n1", "n2"):
        ring = await cluster.admin.ring(cluster.at(name))
        assert ring.members[2].address == cluster.at("n3")
    written = await put(cluster.nodes["n1"], b"k", b"v")
    assert sorted(ack.node for ack in written.acks) == list(FOUNDERS)
    await kept(cluster.nodes["n3"])
    assert not any(line.get("event") == "resigned" for line in cluster.nodes["n3"].log)


async def found_at(cluster: Living, address: str) -> None:
    """Wait until the other founders dial the third one there."""

    async def known() -> bool:
        rings = [await cluster.admin.ring(cluster.at(name)) for name in ("n1", "n2")]
        return all(ring.members[2].address == address for ring in rings)

    await eventually(known, timeout_s=PATIENCE_S)


def test_a_cloned_directory_is_refused(tmp_path: Path) -> None:
    """It is started beside the node that it was copied from."""

    async def story(cluster: Living) -> None:
        await put_some(cluster.nodes["n1"])
        shutil.copytree(tmp_path / "n3", tmp_path / "clone")
        line = cluster.line("n3", "--data", str(tmp_path / "clone"), "--listen", cluster.at("n4"))
        async with ran(line, "n3") as clone:
            await ends_as_a_duplicate(clone, cluster.at("n3"))
        await stays(cluster)

    lived(tmp_path, story)


def test_an_empty_duplicate_is_refused(tmp_path: Path) -> None:
    """It has nothing of the node but its name."""

    async def story(cluster: Living) -> None:
        await put_some(cluster.nodes["n1"])
        line = cluster.line("n3", "--data", str(tmp_path / "empty"), "--listen", cluster.at("n4"))
        async with ran(line, "n3") as other:
            await ends_as_a_duplicate(other, cluster.at("n3"))
        await stays(cluster)

    lived(tmp_path, story)


def test_a_duplicate_is_refused_by_nodes_that_have_just_started(tmp_path: Path) -> None:
    """They have not heard of the node in this life, and know from their own line where it is."""

    async def story(cluster: Living) -> None:
        await put_some(cluster.nodes["n1"])
        cluster.nodes["n3"].signal(signal.SIGSTOP)
        for name in ("n1", "n2"):
            await cluster.end(name, signal.SIGKILL)
            await cluster.start(name)
        cluster.nodes["n3"].signal(signal.SIGCONT)
        line = cluster.line("n3", "--data", str(tmp_path / "empty"), "--listen", cluster.at("n4"))
        async with ran(line, "n3") as other:
            await ends_as_a_duplicate(other, cluster.at("n3"))
        await eventually(cluster.all_up, timeout_s=PATIENCE_S)
        await stays(cluster)

    lived(tmp_path, story)


def test_a_node_that_was_killed_moves(tmp_path: Path) -> None:
    """Started on its data at another port it is dialled there, and what was kept for it is delivered."""

    async def story(cluster: Living) -> None:
        await put_some(cluster.nodes["n1"])
        await cluster.end("n3", signal.SIGKILL)
        await cluster.nodes["n1"].client.put(b"hinted", b"v")
        assert (await cluster.admin.node(cluster.at("n1"))).hints["n3"] >= 1
        n3 = await cluster.start("n3", "--listen", cluster.at("n4"))
        await found_at(cluster, cluster.at("n4"))

        async def delivered() -> bool:
            return not (await cluster.admin.node(cluster.at("n1"))).hints

        await eventually(delivered, timeout_s=PATIENCE_S)
        await kept(n3)

    lived(tmp_path, story)


def test_a_paused_node_that_was_moved_ends_when_it_goes_on(tmp_path: Path) -> None:
    """A copy of its data was started elsewhere meanwhile; the one of both that is known is the one that answered."""

    async def story(cluster: Living) -> None:
        await put_some(cluster.nodes["n1"])
        paused = cluster.nodes["n3"]
        paused.signal(signal.SIGSTOP)
        shutil.copytree(tmp_path / "n3", tmp_path / "copy")
        n3 = await cluster.start("n3", "--data", str(tmp_path / "copy"), "--listen", cluster.at("n4"))
        await found_at(cluster, cluster.at("n4"))
        paused.signal(signal.SIGCONT)
        await ends_as_a_duplicate(paused, cluster.at("n4"))
        await found_at(cluster, cluster.at("n4"))
        await eventually(cluster.all_up, timeout_s=PATIENCE_S)
        await kept(n3)

    lived(tmp_path, story)
