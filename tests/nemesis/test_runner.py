"""The runner keeps to the schedule, tells what happened, and leaves the cluster whole however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import pytest

from nemesis.catalog import names
from nemesis.powers import CureError, Network, Plan, PowerError, Powers, Processes
from nemesis.runner import FaultEvent, run
from nemesis.schedule import Injection, draw
from tests.nemesis.clock import run_virtually
from tests.nemesis.fakes import NODES, FakeDisks, FakeNetwork, FakeProcesses, fake_powers, turns

SECOND = 10**9
KILL = Injection(id=1, name="kill", at_ns=2 * SECOND, for_ns=3 * SECOND, plan=Plan(nodes=("n2",)))
CUT = Injection(id=2, name="partition-isolate", at_ns=4 * SECOND, for_ns=4 * SECOND, plan=Plan(links=(("n1", "n2"),)))


@dataclass
class Stage:
    """A cluster, and what was told about it: virtual second, fault, event."""

    powers: Powers = field(default_factory=fake_powers)
    events: list[tuple[float, FaultEvent]] = field(default_factory=list)
    began: float = 0.0

    @property
    def network(self) -> FakeNetwork:
        """The links that can be cut."""
        network: FakeNetwork = self.powers[Network]
        return network

    @property
    def processes(self) -> FakeDisks:
        """The nodes' processes."""
        processes: FakeDisks = self.powers[Processes]
        return processes

    @property
    def now(self) -> float:
        """Virtual seconds since the run began."""
        return asyncio.get_running_loop().time() - self.began

    @property
    def told(self) -> list[tuple[float, int, str]]:
        """The events in short."""
        return [(round(at, 3), event.id, event.event) for at, event in self.events]

    @property
    def whole(self) -> bool:
        """Whether nothing is broken."""
        return all(power.whole for power in self.powers.values())

    def record(self, event: FaultEvent) -> None:
        """Take an event down."""
        self.events.append((self.now, event))

    async def play(
        self,
        schedule: Iterable[Injection],
        before_heal: Callable[[Injection], Awaitable[None]] | None = None,
    ) -> None:
        """Run the schedule on this stage."""
        self.began = asyncio.get_running_loop().time()
        await run(tuple(schedule), self.powers, self.record, before_heal)


def test_faults_come_and_go_on_time_and_overlap() -> None:
    """Each fault is requested, starts and is healed at its time, while another one is in force."""
    stage = Stage()
    run_virtually(stage.play([KILL, CUT]))
    assert stage.told == [
        (2, 1, "requested"),
        (2, 1, "started"),
        (4, 2, "requested"),
        (4, 2, "started"),
        (5, 1, "healed"),
        (8, 2, "healed"),
    ]
    assert stage.whole


def test_events_carry_the_plan_and_the_proof() -> None:
    """What was drawn is in every event; the proof is in the last."""
    stage = Stage()
    run_virtually(stage.play([KILL]))
    requested, _, healed = [event for _, event in stage.events]
    assert (requested.detail, requested.delivered, requested.observed) == ({"nodes": ["n2"]}, None, {})
    assert (healed.delivered, healed.observed) == (True, {"n2": {"down": True, "up": True}})


def test_the_hook_sees_the_fault_in_force() -> None:
    """Before the cure, and only then, the harness looks at the broken cluster; it may take its time."""
    stage = Stage()
    seen: list[tuple[int, float, bool]] = []

    async def look(injection: Injection) -> None:
        await asyncio.sleep(0.5)
        seen.append((injection.id, stage.now, stage.processes.running("n2")))

    run_virtually(stage.play([KILL], look))
    assert seen == [(1, 5.5, False)]
    assert stage.told[-1] == (5.5, 1, "healed")


def test_a_hook_that_fails_does_not_pass_for_a_fault() -> None:
    """The fault is healed and said to be; the others are healed too; then the hook's error is raised as it was."""
    stage = Stage()

    async def fail(injection: Injection) -> None:
        raise PowerError(f"no dump before {injection.id}")

    with pytest.raises(PowerError, match="no dump before 1"):
        run_virtually(stage.play([KILL, CUT], fail))
    assert stage.told[-2:] == [(5, 1, "healed"), (5, 2, "healed")]
    assert stage.whole


def test_a_fault_that_cannot_be_injected_is_told_and_the_run_goes_on() -> None:
    """A victim that was down already: failed, with the reason; the next fault comes on time."""
    stage = Stage()
    stage.processes.up["n2"] = False
    run_virtually(stage.play([KILL, CUT]))
    assert stage.told[1:2] == [(2, 1, "failed")]
    assert stage.events[1][1].detail == {"nodes": ["n2"], "reason": "n2 was not running"}
    assert stage.told[-1] == (8, 2, "healed")


def test_a_failed_cure_ends_the_run_with_an_error_after_healing_the_rest() -> None:
    """The other fault runs its course; then the run says what is still broken."""
    stage = Stage()
    stage.processes.will_not_start = ("n2",)
    with pytest.raises(CureError, match=r"^kill \(fault 1\): n2 did not answer$"):
        run_virtually(stage.play([KILL, CUT]))
    assert stage.told[-2:] == [(5, 1, "failed"), (8, 2, "healed")]
    assert stage.network.whole


def test_a_cure_that_fails_after_a_failed_injection_tells_both() -> None:
    """The reason says what could not be undone, and what it came after."""
    stage = Stage()
    stage.processes.up["n2"] = False
    stage.processes.will_not_start = ("n2",)
    with pytest.raises(CureError):
        run_virtually(stage.play([KILL]))
    assert stage.events[-1][1].detail["reason"] == "n2 did not answer; after n2 was not running"


def test_a_missing_power_is_an_error_before_anything_happens() -> None:
    """A world that cannot kill says so at once, and nothing was requested."""
    stage = Stage()

    async def without_processes() -> None:
        await run((CUT, KILL), {Network: stage.network}, stage.record)

    with pytest.raises(PowerError, match=r"^kill needs Processes, which this world does not grant$"):
        run_virtually(without_processes())
    assert stage.events == []


def test_who_comes_too_early_waits_for_the_cure_before() -> None:
    """A cure that takes longer than the schedule thought keeps its node; the next fault there starts after it."""
    stage = Stage()
    slow_start(stage.processes, seconds=2)
    soon = Injection(id=2, name="restart", at_ns=6 * SECOND, for_ns=4 * SECOND, plan=Plan(nodes=("n2",)))
    run_virtually(stage.play([KILL, soon]))
    assert stage.told[2:] == [(6, 2, "requested"), (7, 1, "healed"), (7, 2, "started"), (12, 2, "healed")]


def test_who_waits_until_its_time_is_over_has_failed() -> None:
    """A fault that could only begin after its end does not happen, and is not taken for one that did."""
    stage = Stage()
    slow_start(stage.processes, seconds=9)
    soon = Injection(id=2, name="restart", at_ns=6 * SECOND, for_ns=4 * SECOND, plan=Plan(nodes=("n2",)))
    run_virtually(stage.play([KILL, soon]))
    assert stage.told[-2:] == [(14, 1, "healed"), (14, 2, "failed")]
    assert stage.events[-1][1].detail["reason"] == "its time was over before it could begin"


@pytest.mark.parametrize("steps", range(1, 82, 3))
def test_cancellation_at_any_step_leaves_the_cluster_whole(steps: int) -> None:
    """Wherever the run is cancelled, twice even, it ends only when everything in force has been healed and told."""
    stage = Stage()
    schedule = draw(names(), NODES, seed=2, duration_ns=10 * SECOND)

    async def cancelled() -> None:
        task = asyncio.ensure_future(stage.play(schedule))
        await asyncio.sleep(steps / 9)
        await turns(steps % 5)
        task.cancel()
        await turns(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(cancelled())
    assert stage.whole
    last = {event.id: event.event for _, event in stage.events}
    assert set(last.values()) <= {"healed", "failed"}


def test_every_drawn_schedule_can_be_carried_out() -> None:
    """All faults together, drawn for some seeds: each is healed, and the cluster is whole at the end."""
    for seed in range(5):
        stage = Stage()
        schedule = draw(names(), NODES, seed=seed, duration_ns=30 * SECOND)
        run_virtually(stage.play(schedule))
        assert stage.whole
        assert sorted(event.id for _, event in stage.events if event.event == "healed") == [
            injection.id for injection in schedule
        ]


def slow_start(processes: FakeProcesses, *, seconds: float) -> None:
    """Let every start take that long."""
    start = processes.start

    async def slowly(node: str) -> None:
        await asyncio.sleep(seconds)
        await start(node)

    processes.start = slowly  # type: ignore[method-assign]
