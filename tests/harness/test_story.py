"""The story of a run: its phases in order, and that no part of it outlives a failure of another."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from checkers.history import Completed, Dumped, FaultChanged, Invoked, PhaseBegan, RunEnded, RunStarted, Settled, read
from harness.directory import HISTORY
from harness.runs import carry_out
from harness.sim.loop import run, virtual
from harness.spec import RunSpec
from harness.story import together

SPEC = RunSpec(
    scenario="crash-partition",
    world="sim",
    seed=3,
    faults=("kill", "partition-halves"),
    time_limit_s=6.0,
    every_s=3.0,
    for_s=1.5,
    concurrency=4,
    rate=40.0,
    keys=6,
)


def test_a_run_is_told_from_beginning_to_end(tmp_path: Path) -> None:
    """Prepare, load, stress with faults, heal, settle, repair; and in the end every replica is dumped."""
    finished = carry_out(SPEC, tmp_path, "a replay line")
    records = list(read(tmp_path / HISTORY).records)

    phases = [record.name for record in records if isinstance(record, PhaseBegan)]
    assert phases == ["prepare", "load", "stress", "heal", "settle", "repair"]
    assert [record.round for record in records if isinstance(record, Settled)] == ["handoff", "final"]
    final = [record.node for record in records if isinstance(record, Dumped) and record.round == "final"]
    assert final == ["n1", "n2", "n3", "n4", "n5"]
    assert isinstance(records[-1], RunEnded)
    assert records[-1].interrupted is None
    assert finished.interrupted is None
    times = [record.at for record in records if not isinstance(record, RunStarted)]
    assert times == sorted(times)


def test_every_operation_ends_and_every_fault_is_healed(tmp_path: Path) -> None:
    """Loading writes each key once; whatever was begun has an outcome, and the faults are over before it heals."""
    carry_out(SPEC, tmp_path, "a replay line")
    records = list(read(tmp_path / HISTORY).records)

    invoked = [record.op for record in records if isinstance(record, Invoked)]
    completed = [record.op for record in records if isinstance(record, Completed)]
    assert sorted(invoked) == sorted(completed)
    assert len(set(invoked)) == len(invoked)
    assert [op for op in invoked if op.startswith("load.")] == [f"load.{number}" for number in range(6)]

    faults = [record for record in records if isinstance(record, FaultChanged)]
    assert {fault.name for fault in faults} == {"kill", "partition-halves"}
    started, ended = (
        [fault.id for fault in faults if fault.event in events] for events in (("requested",), ("healed", "failed"))
    )
    assert sorted(started) == sorted(ended)
    cuts = [fault.id for fault in faults if fault.name == "partition-halves" and fault.event == "healed"]
    assert cuts
    looks = {record.round for record in records if isinstance(record, Dumped)}
    assert looks == {f"fault-{number}" for number in cuts} | {"handoff", "final"}


def test_together_ends_the_others_when_one_fails() -> None:
    """And only then says so: a cure takes its time."""
    log: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(1)
        raise ValueError("a defect")

    async def heals() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(2)
            log.append("healed")

    async def main() -> float:
        with pytest.raises(ValueError, match="a defect"):
            await together([fails(), heals()])
        return asyncio.get_running_loop().time()

    assert run(main(), virtual()) == 3.0
    assert log == ["healed"]


def test_an_interrupted_run_heals_and_is_judged_by_what_was_recorded(tmp_path: Path) -> None:
    """While the first fault is in force: it is healed, the history says how it ended, and there is a verdict."""
    pending = [signal.SIGINT]

    def interrupt(record: object) -> None:
        if isinstance(record, FaultChanged) and record.event == "started" and pending:
            signal.raise_signal(pending.pop())

    finished = carry_out(SPEC, tmp_path, "a replay line", heard=interrupt)

    assert finished.interrupted == "interrupted by SIGINT"
    records = list(read(tmp_path / HISTORY).records)
    faults = [record for record in records if isinstance(record, FaultChanged)]
    ended = [fault.id for fault in faults if fault.event in ("healed", "failed")]
    assert sorted(fault.id for fault in faults if fault.event == "requested") == sorted(ended)
    assert isinstance(records[-1], RunEnded)
    assert records[-1].interrupted == "interrupted by SIGINT"
