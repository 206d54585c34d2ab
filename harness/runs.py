"""Carry out one run and judge it: a directory with the spec, the schedule, the history, the logs and the verdict.

This file knows where things lie and in which order they come to be. What happens in a run is told in `harness.story`,
and what it proves is for the checkers.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from checkers.history import NodeChanged, PhaseBegan, Record, RunEnded, RunStarted, encode
from checkers.history import read as read_history
from checkers.judge import Judgement, judge
from harness import plugins
from harness.recorder import Recorder
from harness.sim.loop import SimLoop, virtual
from harness.sim.trace import Trace
from harness.spec import RunSpec, UsageError, save
from harness.story import tell
from nemesis.powers import PlanError
from nemesis.schedule import Schedule, draw
from nemesis.schedule import encode as encode_schedule

HISTORY = "history.jsonl"
VERDICT = "verdict.json"
SPEC = "spec.json"
SCHEDULE = "schedule.json"


class VerdictFile(msgspec.Struct, frozen=True, kw_only=True):
    """What `verdict.json` holds; `digest` names the trace of a simulated run."""

    answer: str
    replay: str
    digest: str | None
    events: int | None
    interrupted: str | None
    judgement: Judgement


@dataclass(frozen=True)
class Finished:
    """A run that was carried out and judged."""

    spec: RunSpec
    directory: Path
    judgement: Judgement
    digest: str | None
    events: int | None
    interrupted: str | None
    trace: list[str] | None


def new_directory(root: Path, spec: RunSpec) -> Path:
    """Make the next run directory, and let `latest` point to it."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1_000_000):
        directory = root / f"{spec.scenario}-{spec.world}-s{spec.seed}-{number}"
        with suppress(FileExistsError):
            directory.mkdir()
            break
    else:
        raise UsageError(f"{root} is full of runs; `make clean` empties it")
    latest = root / "latest"
    fresh = root / f".latest-{os.getpid()}"
    fresh.symlink_to(directory.name)
    fresh.replace(latest)
    return directory


def schedule_of(spec: RunSpec) -> Schedule:
    """Draw the faults of a run; raises `UsageError` when they make no sense for so few nodes."""
    if not spec.faults:
        return ()
    try:
        return draw(
            spec.faults,
            spec.node_ids,
            seed=spec.seed,
            duration_ns=int(spec.time_limit_s * 1e9),
            every_ns=int(spec.every_s * 1e9),
            for_ns=int(spec.for_s * 1e9),
        )
    except PlanError as error:
        raise UsageError(f"scenario {spec.scenario}: {error}") from error


def carry_out(
    spec: RunSpec, directory: Path, replay: str, heard: Callable[[Record], None] | None = None, *, keep: bool = False
) -> Finished:
    """Run a spec in its world, then judge the history that it left. `keep` keeps a simulated run's trace.

    A run that is interrupted heals, stops, and is judged by what was recorded.
    """
    schedule = schedule_of(spec)
    save(spec, directory / SPEC)
    (directory / SCHEDULE).write_bytes(encode_schedule(schedule) + b"\n")
    world = plugins.world(spec.world)
    loop = virtual(Trace(keep=keep)) if spec.world == "sim" else None
    interrupted: list[str] = []
    main = _main(spec, schedule, directory, _listener(loop, heard), interrupted)
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        world.run(main, loop) if loop else world.run(main)
    digest, events = (loop.trace.digest, loop.trace.count) if loop else (None, None)
    judgement = judge(read_history(directory / HISTORY), plugins.workload(spec.workload).CHECKERS)
    finished = Finished(
        spec=spec,
        directory=directory,
        judgement=judgement,
        digest=digest,
        events=events,
        interrupted=interrupted[0] if interrupted else None,
        trace=loop.trace.kept if loop else None,
    )
    _save_verdict(finished, replay)
    return finished


def _listener(loop: SimLoop | None, heard: Callable[[Record], None] | None) -> Callable[[Record], None] | None:
    """In a simulation the history is part of the trace."""
    if loop is None:
        return heard

    def listen(record: Record) -> None:
        loop.trace.event(loop.now_ns, encode(record).decode())
        if heard is not None:
            heard(record)

    return listen


async def _main(
    spec: RunSpec,
    schedule: Schedule,
    directory: Path,
    heard: Callable[[Record], None] | None,
    interrupted: list[str],
) -> None:
    """Open the history, start the cluster, tell the story; whatever happens, write down how it ended."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    task = asyncio.current_task()
    if task is not None and not isinstance(loop, SimLoop):
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    recorder = Recorder(directory / HISTORY, lambda: round((loop.time() - began) * 1e9), heard)

    def changed(node: str, event: str, detail: dict[str, Any]) -> None:
        recorder.write(NodeChanged(at=recorder.now_ns(), node=node, event=event, detail=detail))

    recorder.write(_run_record(spec))
    recorder.write(PhaseBegan(at=recorder.now_ns(), name="prepare"))
    try:
        async with plugins.world(spec.world).open(spec, directory, changed) as cluster:
            await tell(spec, cluster, schedule, recorder)
    except asyncio.CancelledError:
        interrupted.append("interrupted by the user")
        raise
    finally:
        recorder.write(RunEnded(at=recorder.now_ns(), interrupted=interrupted[0] if interrupted else None))
        recorder.close()


def _run_record(spec: RunSpec) -> RunStarted:
    return RunStarted(
        scenario=spec.scenario,
        system=spec.system,
        world=spec.world,
        workload=spec.workload,
        seed=spec.seed,
        nodes=spec.node_ids,
        n=spec.n,
        r=spec.r,
        w=spec.w,
        faults=spec.faults,
    )


def _save_verdict(finished: Finished, replay: str) -> None:
    verdict = VerdictFile(
        answer=finished.judgement.answer.value,
        replay=replay,
        digest=finished.digest,
        events=finished.events,
        interrupted=finished.interrupted,
        judgement=finished.judgement,
    )
    text = msgspec.json.format(msgspec.json.encode(verdict), indent=2)
    (finished.directory / VERDICT).write_bytes(text + b"\n")
