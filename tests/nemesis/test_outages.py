"""Nodes that are taken down come back, whatever else goes wrong."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from nemesis.catalog import load
from nemesis.powers import CureError, Effect, Plan, PowerError
from tests.nemesis.fakes import NODES, FakeProcesses, turns


async def strike(name: str, processes: FakeProcesses, plan: Plan) -> Effect:
    """Inject and heal at once."""
    async with load(name).inject(processes, plan) as effect:
        assert not any(processes.running(node) for node in plan.nodes)
    return effect


def test_a_wiped_node_was_killed_first_and_started_last() -> None:
    """The disk is emptied while nobody uses it."""
    processes = FakeProcesses()
    effect = asyncio.run(strike("wipe", processes, Plan(nodes=("n2",))))
    assert processes.log == [("kill", "n2"), ("wipe", "n2"), ("start", "n2")]
    assert effect.observed == {"n2": {"down": True, "up": True, "wiped": True}}


def test_a_restart_is_polite() -> None:
    """It stops the node instead of killing it."""
    processes = FakeProcesses()
    asyncio.run(strike("restart", processes, Plan(nodes=("n2",))))
    assert processes.log == [("stop", "n2"), ("start", "n2")]


def test_all_nodes_are_killed_and_started_together() -> None:
    """Nobody is started before everybody is dead, and the starts do not wait for each other."""
    processes = FakeProcesses()
    asyncio.run(strike("kill-all", processes, Plan(nodes=NODES)))
    assert [what for what, _ in processes.log] == ["kill"] * 5 + ["start"] * 5


def test_one_node_that_does_not_start_does_not_keep_the_others_down() -> None:
    """Every cure is tried; what failed is told at the end, by name."""
    processes = FakeProcesses()
    processes.will_not_start = ("n1", "n4")
    with pytest.raises(CureError, match=r"^n1 did not answer; n4 did not answer$"):
        asyncio.run(strike("kill-all", processes, Plan(nodes=NODES)))
    assert [node for node in NODES if processes.running(node)] == ["n2", "n3", "n5"]


def test_a_kill_that_fails_leaves_everybody_running() -> None:
    """A victim that was down already is an error of the injection, and is started with the others by the cure."""
    processes = FakeProcesses()
    processes.up["n3"] = False
    with pytest.raises(PowerError, match=r"^n3 was not running$") as raised:
        asyncio.run(strike("kill-all", processes, Plan(nodes=NODES)))
    assert not isinstance(raised.value, CureError)
    assert processes.whole


def test_a_defect_in_a_power_is_told_with_its_node() -> None:
    """A power that raises something else than it promised is still collected, and the cause is kept."""
    processes = FakeProcesses()

    async def broken(node: str) -> None:
        raise OSError(f"no such binary for {node}")

    processes.start = broken  # type: ignore[method-assign]
    with pytest.raises(CureError, match=r"^n2: OSError\('no such binary for n2'\)$") as raised:
        asyncio.run(strike("kill", processes, Plan(nodes=("n2",))))
    assert isinstance(raised.value.__cause__, OSError)


def test_a_failed_cure_outranks_the_cancellation() -> None:
    """A run that was cancelled and could not be healed must not look like one that was only cancelled."""

    async def cancelled() -> None:
        processes = FakeProcesses()
        processes.will_not_start = ("n2",)
        task = asyncio.ensure_future(_hold(processes, entered := asyncio.Event()))
        await entered.wait()
        task.cancel()
        await task

    with pytest.raises(CureError, match="n2 did not answer"):
        asyncio.run(cancelled())


async def _hold(processes: FakeProcesses, entered: asyncio.Event) -> None:
    async with load("kill").inject(processes, Plan(nodes=("n2",))):
        entered.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("name", ["kill", "kill-all", "restart", "wipe"])
@pytest.mark.parametrize("steps", range(1, 20, 2))
def test_a_blow_that_cannot_be_called_back_is_waited_for(name: str, steps: int) -> None:
    """A signal that was sent arrives, cancelled or not; the cure comes after it, or the node would stay down."""
    processes = Irrevocable()

    async def cancelled() -> None:
        task = asyncio.ensure_future(strike(name, processes, load(name).plan(NODES, Random("1"))))
        await turns(steps)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await turns(40)

    asyncio.run(cancelled())
    assert processes.whole


class Irrevocable(FakeProcesses):
    """Nodes that end some turns after they were told to, also when whoever told them no longer waits."""

    async def kill(self, node: str) -> None:
        """End it later, at once."""
        await asyncio.shield(asyncio.ensure_future(self._later("kill", node)))

    async def stop(self, node: str) -> None:
        """End it later, politely."""
        await asyncio.shield(asyncio.ensure_future(self._later("stop", node)))

    async def _later(self, how: str, node: str) -> None:
        await turns(10)
        await self._end(how, node)
