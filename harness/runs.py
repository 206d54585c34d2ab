"""Carry out one run and judge it.

This file knows in which order a run's files come to be, and that a run ends whatever happens to it. What happens in a
run is told in `harness.story`, and what it proves is for the checkers.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from checkers.history import History, NodeChanged, PhaseBegan, Record, RunEnded, RunStarted, encode
from checkers.history import read as read_history
from checkers.judge import Judgement, is_safety, judge
from harness import plugins
from harness.contracts import Changed, Cluster
from harness.directory import HISTORY, MARKS, SCRIPT, SPEC, VerdictFile, save_schedule, save_verdict
from harness.interrupts import Interruption, last_resort, uninterruptible
from harness.recorder import Heard, Recorder, written
from harness.script import Drawn, Script
from harness.script import save as save_script
from harness.sim.loop import virtual
from harness.sim.trace import Trace
from harness.sim.watching import Watcher
from harness.spec import RunSpec, UsageError, save
from harness.story import Plot, tell
from nemesis.budget import exceeded
from nemesis.catalog import NoSuchFaultError, spares_of
from nemesis.powers import PlanError, PowerError
from nemesis.schedule import Schedule, draw
from nemesis.timeline import drawn, faults_of

KEY_S = 0.05
"""How long loading or repairing one key may take on average."""

GRACE_S = 60.0
"""How much longer than its hard deadline a run may take to heal and to end its nodes."""


@dataclass(frozen=True)
class Simulated:
    """What a simulation left: its history, what its clients drew, and the digest of its `events`.

    `trace` is every event, where it was to be kept, and `marks` are four bytes of each; `interrupted` says why it did
    not come to its end.
    """

    plot: Plot
    history: History
    script: Script
    digest: str
    events: int
    trace: list[str] | None
    marks: bytes | None
    interrupted: str | None


@dataclass(frozen=True)
class Finished:
    """A run that was carried out and judged; `digest`, `events` and `trace` are a simulated run's."""

    spec: RunSpec
    directory: Path
    judgement: Judgement
    digest: str | None
    events: int | None
    interrupted: str | None
    trace: list[str] | None


@dataclass
class _Run:
    """A run under way: what is to happen, where its files go, who is told each record, and who watches if it is
    simulated.
    """

    plot: Plot
    directory: Path
    heard: Heard
    watcher: Watcher | None = None
    interruption: Interruption = field(default_factory=Interruption)
    drawn: Drawn = field(default_factory=Drawn)


def schedule_of(spec: RunSpec) -> Schedule:
    """Draw the faults of a run, those of its scenario's timeline and those that strike again and again.

    Raises `UsageError` when they make no sense for so few nodes, or for so short a run.
    """
    scenario = plugins.scenario(spec.scenario)
    timeline = scenario.timeline if scenario is not None else ()
    again = [name for name in spec.faults if name not in faults_of(timeline)]
    if not spec.faults:
        return ()
    try:
        beats = drawn(timeline, spec.node_ids, seed=spec.seed, spares=spec.spare_ids, groups=spec.centres)
        schedule = _drawn_beside(beats, again, spec)
    except (PlanError, NoSuchFaultError) as error:
        raise UsageError(f"scenario {spec.scenario}: {error}") from error
    ends_s = max((injection.until_ns for injection in beats), default=0) / 1e9
    if ends_s > spec.time_limit_s:
        limit = f"--time-limit is {spec.time_limit_s:g}"
        raise UsageError(f"{limit}; the faults of scenario {spec.scenario} take {ends_s:g} s")
    for name in again:
        if spares_of(name) > spec.spares and not is_drawn(spec.scenario):
            raise UsageError(f"--spares is {spec.spares}; {name} needs {spares_of(name)}: nodes that are to come")
    return schedule


def _drawn_beside(beats: Schedule, faults: list[str], spec: RunSpec) -> Schedule:
    """Draw the faults that strike again and again beside those that have their times."""
    if not faults:
        return beats
    return draw(
        faults,
        spec.node_ids,
        seed=spec.seed,
        duration_ns=int(spec.time_limit_s * 1e9),
        every_ns=int(spec.every_s * 1e9),
        for_ns=int(spec.for_s * 1e9),
        spares=spec.spare_ids,
        least=spec.n,
        beside=beats,
    )


def hard_deadline_s(spec: RunSpec) -> float:
    """How long a run may take at the most: its stress, both waits for quiet, its keys twice, and two minutes for the
    rest.
    """
    return spec.time_limit_s + 2 * spec.settle_limit_s + 2 * spec.keys * KEY_S + 120


def carry_out(
    spec: RunSpec,
    directory: Path,
    replay: str,
    heard: Heard | None = None,
    *,
    schedule: Schedule | None = None,
    script: Script | None = None,
    keep: bool = False,
) -> Finished:
    """Run a spec in its world, then judge the history that it left.

    Faults and operations are drawn, unless a `schedule` and a `script` are given; `keep` keeps a simulated run's
    trace. A run that is interrupted heals, stops, and is judged by what was recorded.
    """
    spec = replace(spec, scripted=script is not None)
    plot = Plot(spec, schedule_of(spec) if schedule is None else schedule, script)
    save(spec, directory / SPEC)
    save_schedule(plot.schedule, directory)
    simulated: Simulated | None = None
    with written(directory / HISTORY, heard) as write:
        if spec.world == "sim":
            simulated = simulate(plot, write, keep=keep, mark=True)
            (directory / MARKS).write_bytes(simulated.marks or b"")
            drawn, interrupted = simulated.script, simulated.interrupted
        else:
            drawn, interrupted = _carry_out_really(_Run(plot, directory, write))
    with uninterruptible():
        save_script(drawn, directory / SCRIPT)
        finished = Finished(
            spec=spec,
            directory=directory,
            judgement=judged(plot, read_history(directory / HISTORY)),
            digest=simulated.digest if simulated else None,
            events=simulated.events if simulated else None,
            interrupted=interrupted,
            trace=simulated.trace if simulated else None,
        )
        save_verdict(_verdict(finished, replay), directory)
    return finished


def simulate(
    plot: Plot,
    heard: Heard | None = None,
    *,
    keep: bool = False,
    mark: bool = False,
    watcher: Watcher | None = None,
) -> Simulated:
    """Run a plot on virtual time, in memory; the history is part of the trace, and who watches it is not."""
    trace, records = Trace(keep=keep, mark=mark), list[Record]()
    loop = virtual(trace)

    def listen(record: Record) -> None:
        records.append(record)
        trace.event(loop.now_ns, encode(record).decode())
        if heard is not None:
            heard(record)

    run = _Run(plot, Path(), listen, watcher)
    with suppress(KeyboardInterrupt, asyncio.CancelledError), run.interruption.of_simulation():
        plugins.world("sim").run(_main(run), loop)
    return Simulated(
        plot=plot,
        history=History(records),
        script=run.drawn.script(),
        digest=trace.digest,
        events=trace.count,
        trace=trace.kept,
        marks=trace.marks,
        interrupted=run.interruption.reason,
    )


def judged(plot: Plot, history: History) -> Judgement:
    """Judge a history by what its workload is checked for and its system promises; only its safety when the faults
    were more than the configuration claims to survive.
    """
    wanted: tuple[str, ...] = plugins.workload(plot.spec.workload).CHECKERS
    promised = getattr(plugins.system(plot.spec.system), "PROMISES", wanted)
    chosen = [name for name in wanted if name in promised]
    if exceeded(plot.schedule, durable=plot.spec.engine != "memory"):
        chosen = [name for name in chosen if is_safety(name)]
    return judge(history, chosen)


def _carry_out_really(run: _Run) -> tuple[Script, str | None]:
    """Run in real time, on processes or containers; a run that hangs beyond all bounds ends the harness."""
    limit_s = hard_deadline_s(run.plot.spec) + GRACE_S
    hung = f"the run did not end within {limit_s:g} s; see {run.directory}/"
    with suppress(asyncio.CancelledError), last_resort(limit_s, hung):
        plugins.world(run.plot.spec.world).run(_interruptible(run))
    return run.drawn.script(), run.interruption.reason


async def _interruptible(run: _Run) -> None:
    task = asyncio.ensure_future(_main(run))
    with run.interruption.of_task(task):
        await task


async def _main(run: _Run) -> None:
    """Start the cluster, tell the story; whatever happens, write down how it ended."""
    spec, loop = run.plot.spec, asyncio.get_running_loop()
    began = loop.time()
    recorder = Recorder(lambda: round((loop.time() - began) * 1e9), run.heard, run.drawn)

    def changed(node: str, event: str, detail: dict[str, Any]) -> None:
        recorder.write(NodeChanged(at=recorder.now_ns(), node=node, event=event, detail=detail))

    recorder.write(_run_record(spec))
    recorder.write(PhaseBegan(at=recorder.now_ns(), name="prepare"))
    limit_s = hard_deadline_s(spec)
    opened = False
    try:
        async with (
            asyncio.timeout(limit_s) as deadline,
            _cluster(run, changed) as cluster,
        ):
            opened = True
            await tell(run.plot, cluster, recorder)
    except TimeoutError:
        if not deadline.expired():
            raise
        run.interruption.say(f"ended by the hard deadline of {limit_s:g} s")
    except PowerError as error:
        if not opened:
            raise
        run.interruption.say(f"cut short: {error}")
    except Exception as error:
        run.interruption.say(f"cut short by a failure of the harness: {error!r}")
        raise
    finally:
        recorder.write(RunEnded(at=recorder.now_ns(), interrupted=run.interruption.reason))


def _cluster(run: _Run, changed: Changed) -> AbstractAsyncContextManager[Cluster]:
    spec = run.plot.spec
    watching = {} if run.watcher is None else {"watcher": run.watcher}
    cluster: AbstractAsyncContextManager[Cluster] = plugins.world(spec.world).open(
        spec, run.directory, changed, **watching
    )
    return cluster


def is_drawn(scenario: str) -> bool:
    """Whether each seed of a scenario is another world, with faults of its own."""
    found = plugins.scenario(scenario)
    return found is not None and found.drawn is not None


def _run_record(spec: RunSpec) -> RunStarted:
    return RunStarted(
        scenario=spec.scenario,
        system=spec.system,
        world=spec.world,
        workload=spec.workload,
        seed=spec.seed,
        nodes=spec.node_ids,
        spares=spec.spare_ids,
        n=spec.n,
        r=spec.r,
        w=spec.w,
        faults=spec.faults,
        drawn=is_drawn(spec.scenario),
        scripted=spec.scripted,
    )


def _verdict(finished: Finished, replay: str) -> VerdictFile:
    return VerdictFile(
        answer=finished.judgement.answer,
        replay=replay,
        digest=finished.digest,
        events=finished.events,
        interrupted=finished.interrupted,
        judgement=finished.judgement,
    )
