"""Shrink a recorded run, from its directory to a scenario file and a run of it.

A run that was recorded with real processes or containers is first searched for in simulation, under many orders of its
messages: what is not found there is unknown, and nothing is made smaller. This file knows runs, and what a person is
told. How a case is made smaller is told in `harness.shrink.shrinking`.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from checkers.judge import Judgement
from checkers.verdict import Answer, Finding
from harness import script
from harness.directory import SCRIPT, SPEC, find_run, load_schedule, load_verdict, new_directory
from harness.interrupts import interruptible
from harness.options import look_here_for
from harness.runs import carry_out
from harness.shrink.case import Case, told_changes
from harness.shrink.export import ScenarioFile, save
from harness.shrink.export import load as load_scenario
from harness.shrink.shrinking import shrink
from harness.shrink.trials import OutOfBudgetError, Trials, trials
from harness.spec import UsageError
from harness.spec import load as load_spec

SHRUNK = "shrunk.json"
ORDERS = 10
"""Under how many orders of messages the result is tried, to say how robust it is."""


@dataclass(frozen=True)
class Anomaly:
    """What is to be kept: its kind, as `checker/kind`, and the key and the operations that it is about, if any."""

    kind: str
    key: str | None
    summary: str
    operations: tuple[str, ...]


def anomaly_of(judgement: Judgement, kind: str | None, where: Path) -> Anomaly:
    """The anomaly of a judgement that was asked for, as `checker/kind` or by its checker alone, or else the one that
    fewest operations tell of; raises `UsageError` where there is none.
    """
    found = [
        (f"{verdict.checker}/{finding.kind}", finding)
        for verdict in judgement.verdicts
        if verdict.answer is Answer.INVALID
        for finding in verdict.findings
    ]
    if not found:
        raise UsageError(f"{where} is {judgement.answer.value}: there is no anomaly to keep while it is made smaller")
    fitting = [(name, one) for name, one in found if kind in (None, name, name.partition("/")[0])]
    chosen: tuple[str, Finding] | None = min(fitting, key=lambda entry: len(entry[1].operations), default=None)
    if chosen is None:
        raise UsageError(f"--kind {kind}: {where} shows {', '.join(dict.fromkeys(name for name, _ in found))}")
    name, finding = chosen
    return Anomaly(name, finding.key, finding.summary, finding.operations)


def recorded(directory: Path) -> Case:
    """A recorded run as a case in simulation; raises `UsageError` for a run that is too old to have one."""
    spec = load_spec(directory / SPEC)
    if not (directory / SCRIPT).exists():
        raise UsageError(f"{directory} has no {SCRIPT}: it was killed, or recorded by an older keelhaul")
    look_here_for(spec.variant)
    schedule = load_schedule(directory, spec)
    return Case(replace(spec, world="sim"), schedule, script.load(directory / SCRIPT, spec.all_ids))


def shrink_run(
    run: Path,
    runs: Path,
    console: Console,
    *,
    jobs: int,
    budget_s: float,
    kind: str | None,
    message_seeds: int,
    out: Path | None,
) -> bool:
    """Shrink a run and tell about it; False when its anomaly was not found in simulation."""
    directory = find_run(run, runs)
    before = recorded(directory)
    anomaly = anomaly_of(load_verdict(directory).judgement, kind, directory)
    console.print(f"{directory} shows {anomaly.kind}: {anomaly.summary}", highlight=False, markup=False)
    path = _writable(out or directory / SHRUNK)
    with interruptible(), trials(jobs, anomaly.kind, budget_s) as trying:
        found = _found(before, trying, message_seeds)
        if found is None:
            orders = f"{trying.tried} order{'s' * (trying.tried != 1)} of its messages"
            console.print(f"unknown: {anomaly.kind} was not found in simulation under {orders}", style="yellow")
            return False
        after, whole = shrink(
            found, anomaly.key, anomaly.operations, trying, lambda what, case: _tell_step(console, what, case)
        )
        robust = _robustness(after, trying)
    about = f"{anomaly.kind}, shrunk from {directory.name}: {anomaly.summary}"
    save(ScenarioFile(about=about, expects=anomaly.kind, case=after), path)
    _tell(console, before, after, path)
    end = "nothing more can be left out" if whole else f"ended early, at the latest after {budget_s:g} s"
    console.print(f"{trying.tried} cases tried; {end}; {robust}", highlight=False)
    _repeat(console, runs, after, path)
    return True


def _writable(path: Path) -> Path:
    """The path of the result; raises `UsageError` before anything is tried when it cannot be written."""
    if not os.access(path if path.exists() else path.parent, os.W_OK) or path.is_dir():
        raise UsageError(f"--out {path}: it cannot be written; give a file in a directory that can be written to")
    return path


def _found(case: Case, trying: Trials, message_seeds: int) -> Case | None:
    """The case under the first order of its messages in which it fails: its own, or one of so many others."""
    seeds = dict.fromkeys([case.spec.world_seed, *range(1, message_seeds + 1)])
    cases = [replace(case, spec=replace(case.spec, message_seed=seed)) for seed in seeds]
    try:
        found = trying.first(cases, ())
    except (OutOfBudgetError, KeyboardInterrupt):
        trying.give_up()
        return None
    return None if found is None else found[1]


def _robustness(case: Case, trying: Trials) -> str:
    try:
        failures = trying.failures(case, range(1, ORDERS + 1))
    except OutOfBudgetError:
        return "not tried under other orders of its messages"
    return f"it fails under {failures} of {ORDERS} orders of its messages"


def _tell_step(console: Console, what: str, case: Case) -> None:
    console.print(
        f"  {what:18}{len(case.operations):5} operations  {len(case.schedule):2} faults  {case.spec.nodes} nodes",
        highlight=False,
        style="dim",
    )


def _tell(console: Console, before: Case, after: Case, path: Path) -> None:
    """What is left, beside what there was."""
    table = Table(box=None, pad_edge=False)
    for title in ("", "before", "after"):
        table.add_column(title, justify="left" if not title else "right")
    for name in ("operations", "clients", "keys", "faults", "nodes", "seconds"):
        table.add_row(name, *(_size(case, name) for case in (before, after)))
    console.print(table)
    for injection in after.schedule:
        plan = ", ".join(_part(name, told) for name, told in injection.plan.described().items())
        times = f"{injection.at_ns / 1e9:.3f} s to {injection.until_ns / 1e9:.3f} s"
        console.print(f"  fault  {times}  {injection.name}: {plan}", highlight=False, markup=False)
    for step in after.script.load:
        console.print(f"  load   {step.op}: put {step.key} at {step.node}", highlight=False)
    for timed in after.script.steps:
        step = timed.step
        context = f" with the context of {step.context_of}" if step.context_of else ""
        told = f"{step.op}: {step.f} {step.key} at {step.node}{context}"
        console.print(f"  {timed.at_ns / 1e9:.3f} s  {told}", highlight=False)
    for line in told_changes(before, after):
        console.print(f"  {line}", highlight=False)
    console.print(f"scenario file: {path}", highlight=False, soft_wrap=True)


PLACES_SHOWN = 8


def _part(name: str, told: Any) -> str:
    """A part of a plan in a few words."""
    if isinstance(told, dict):
        return ", ".join(f"{key} {value:g}" for key, value in told.items())
    if len(told) > PLACES_SHOWN:
        return f"{len(told)} {name}"
    if name == "sides":
        return " | ".join(" ".join(side) for side in told)
    return f"{name} {' '.join(told)}"


def _size(case: Case, name: str) -> str:
    sizes = {
        "operations": len(case.operations),
        "clients": len(case.script.clients),
        "keys": len(case.script.keys),
        "faults": len(case.schedule),
        "nodes": case.spec.nodes,
        "seconds": case.spec.time_limit_s,
    }
    return f"{sizes[name]:g}"


def _repeat(console: Console, runs: Path, case: Case, path: Path) -> None:
    """Run the result once, with all its files, so that it can be shown and explained."""
    line = shlex.join(["keelhaul", "run", str(path), "--world", "sim"])
    finished = carry_out(case.spec, new_directory(runs, case.spec), line, schedule=case.schedule, script=case.script)
    console.print(f"repeat it with  {line}", highlight=False, soft_wrap=True)
    console.print(f"explain it with  keelhaul explain {finished.directory}", highlight=False, soft_wrap=True)


def scenario_at(path: Path) -> ScenarioFile:
    """The scenario file at that path, with its node found."""
    scenario = load_scenario(path)
    look_here_for(scenario.case.spec.variant)
    return scenario
