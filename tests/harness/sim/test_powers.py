"""What the simulated world can do to a running cluster, seen from a fault: it happens, and it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from harness.sim.loop import virtual
from harness.spec import RunSpec
from harness.worlds import sim
from harness.worlds.sim import POWERS, SimCluster
from nemesis.powers import PowerError, Skew

Story = Callable[[SimCluster], Coroutine[Any, Any, None]]


def told(story: Story, engine: str = "log") -> list[str]:
    """What is told of nodes while a story happens to a cluster of three."""
    events: list[str] = []

    def changed(node: str, event: str, _detail: dict[str, Any]) -> None:
        events.append(f"{node} {event}")

    async def main() -> None:
        spec = RunSpec(scenario="test", world="sim", seed=1, nodes=3, engine=engine)
        async with sim.open(spec, Path(), changed) as cluster:
            events.clear()
            await story(cluster)

    sim.run(main(), virtual())
    return events


async def work(cluster: SimCluster, node: str) -> dict[str, int] | None:
    """What a node says of its work; None when it does not answer."""
    inspector = await cluster.inspector()
    try:
        return await inspector.work(node)
    finally:
        await inspector.close()


def test_every_power_is_granted() -> None:
    """What the world says that it grants is what a cluster has."""

    async def story(cluster: SimCluster) -> None:
        assert dict.fromkeys(cluster.powers) == dict.fromkeys(POWERS)

    told(story)


def test_a_paused_node_does_not_answer_until_it_is_resumed() -> None:
    """It is running all the while, and both are told."""

    async def story(cluster: SimCluster) -> None:
        await cluster.pause("n1")
        assert cluster.running("n1")
        assert cluster.paused("n1")
        assert await work(cluster, "n1") is None
        assert await cluster.seen("n1") is None
        await cluster.resume("n1")
        assert not cluster.paused("n1")
        assert await work(cluster, "n1") is not None

    assert told(story) == ["n1 paused", "n1 resumed"]


def test_a_paused_node_can_be_killed_and_its_next_life_is_not_frozen() -> None:
    """To resume what has died meanwhile is no error, and nothing is told of it."""

    async def story(cluster: SimCluster) -> None:
        await cluster.pause("n1")
        await cluster.kill("n1")
        assert not cluster.paused("n1")
        await cluster.resume("n1")
        await cluster.start("n1")
        assert await work(cluster, "n1") is not None

    assert told(story) == ["n1 paused", "n1 killed", "n1 started"]


def test_who_is_down_cannot_be_paused_or_killed_and_who_is_up_not_started_or_wiped() -> None:
    """Each is a failure of the power, with the node's name."""

    async def story(cluster: SimCluster) -> None:
        for act in (cluster.start, cluster.wipe):
            with pytest.raises(PowerError, match="n1 is running"):
                await act("n1")
        with pytest.raises(PowerError, match="n1 is running"):
            await cluster.damage("n1", "rot")
        await cluster.kill("n1")
        for act in (cluster.pause, cluster.kill, cluster.stop):
            with pytest.raises(PowerError, match="n1 is not running"):
                await act("n1")

    told(story)


def test_two_starts_at_once_make_one_life() -> None:
    """The second one fails, and the first life is not replaced."""

    async def story(cluster: SimCluster) -> None:
        await cluster.kill("n1")
        answers = await asyncio.gather(cluster.start("n1"), cluster.start("n1"), return_exceptions=True)
        assert sorted(str(answer) for answer in answers) == ["None", "n1 is running"]

    assert told(story) == ["n1 killed", "n1 started"]


def test_a_restarted_node_keeps_its_skew_and_its_speed() -> None:
    """A clock and a processor belong to the machine, not to the process; and both get well again."""

    async def story(cluster: SimCluster) -> None:
        skew = Skew(offset_ms=-1500.0, drift_ppm=50_000.0)
        async with cluster.slow("n1", 1.0) as steps:
            await cluster.skew("n1", skew)
            await cluster.kill("n1")
            assert await cluster.seen("n1") is None
            await cluster.start("n1")
            assert await cluster.seen("n1") == skew
            before = steps.seen
            assert await work(cluster, "n1") is not None
            assert steps.seen > before
        await cluster.skew("n1", Skew())
        assert await cluster.seen("n1") == Skew()
        assert cluster.reads("n1") > 0
        after = steps.seen
        assert await work(cluster, "n1") is not None
        assert steps.seen == after

    told(story)


@pytest.mark.parametrize("engine", ["log", "sqlite"])
def test_a_node_whose_disk_fails_ends_by_itself_and_comes_back(engine: str) -> None:
    """Its next start is on a disk that is well again."""

    async def story(cluster: SimCluster) -> None:
        session = await cluster.session("c1")
        async with cluster.trouble("n1", "failing", 0) as syncs:
            with pytest.raises(PowerError, match="n1 is running"):
                await cluster.start("n1")
            await cluster.stop("n2")
            await cluster.start("n2")
            for number in range(20):
                await session.invoke(_put(number), b"")
        assert syncs.dropped == 1
        assert not cluster.running("n1")
        await cluster.start("n1")
        assert await work(cluster, "n1") is not None
        await session.close()

    assert told(story, engine) == ["n2 stopped", "n2 started", "n1 exited", "n1 started"]


def _put(number: int) -> Any:
    from harness.contracts import Step

    return Step(op=f"c1.{number}", client="c1", node="n2", f="put", key=f"k{number}", value="v")
