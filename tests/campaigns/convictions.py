"""The conviction matrix: how soon each planted bug is convicted, how small its counterexample gets, and where it fails.

`python -m tests.campaigns.convictions` takes each bug through the whole hunt: seeds of its scenario until its checker
convicts it, shrinking, and the shrunk scenario again, from its file; with `--confirm processes` also on real processes,
up to ten times. The same seeds without the bug must be valid. The canary must fail at once, or nothing here means
anything. The table goes to standard output, and as JSON to `--out`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import pkgutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from checkers.verdict import Answer
from harness.explore.seeds import Asked, kinds_of
from harness.runs import carry_out, judged, schedule_of, simulate
from harness.shrink.case import Case
from harness.shrink.export import ScenarioFile, load, save
from harness.shrink.shrinking import shrink
from harness.shrink.trials import OutOfBudgetError, Trials, kinds_in
from harness.shrink.whole import Anomaly, anomaly_of
from harness.story import Plot
from tests import bugs

SHRINK_S = 300.0
ATTEMPTS = 10
ORDERS = range(1, 11)
MEDIAN_S, WORST_S = 10.0, 120.0
OPERATIONS_MAX, FAULTS_MAX = 10, 3


class Row(msgspec.Struct, kw_only=True):
    """What became of one bug; `cpu_s` are processor seconds until its first conviction, clean runs not counted."""

    bug: str
    scenario: str
    kind: str = "-"
    seeds: int = 0
    cpu_s: float = 0.0
    clean: bool = True
    operations: int = 0
    faults: int = 0
    nodes: int = 0
    shrink_s: float = 0.0
    tried: int = 0
    orders: int = 0
    again: bool = False
    attempt: int | None = None

    @property
    def good(self) -> bool:
        """Whether it was convicted in time, and its counterexample is small and fails again."""
        if self.bug == "canary" and self.seeds != 1:
            return False
        small = self.operations <= OPERATIONS_MAX and self.faults <= FAULTS_MAX
        return self.kind != "-" and self.clean and self.cpu_s <= WORST_S and small and self.again


class _Here:
    """A pool that is no pool: what is submitted is done at once, in this process."""

    def submit(self, work: Any, *arguments: Any) -> Future[Any]:
        """Do it."""
        done: Future[Any] = Future()
        done.set_result(work(*arguments))
        return done


def all_bugs() -> list[str]:
    """The catalogue."""
    return [module.name for module in pkgutil.iter_modules(bugs.__path__) if hasattr(_bug(module.name), "NODE")]


def _bug(name: str) -> ModuleType:
    return importlib.import_module(f"{bugs.__name__}.{name}")


def hunt(name: str, directory: Path) -> Row:
    """One bug, from its first seed to its scenario file."""
    bug = _bug(name)
    row = Row(bug=name, scenario=bug.SCENARIO)
    for seed in range(1, bug.SEEDS + 1):
        found = _convicted(bug, seed, row)
        if found is not None:
            _shrink(*found, row, directory / f"{name}.json")
            return row
    return row


def _convicted(bug: ModuleType, seed: int, row: Row) -> tuple[Case, Anomaly] | None:
    """Run one seed with the bug and without."""
    options = {"time_limit_s": 20.0, **bug.OPTIONS}
    began = time.process_time()
    spec = Asked(scenario=bug.SCENARIO, options={**options, "variant": bug.__name__}).spec(seed)
    plot = Plot(spec, schedule_of(spec))
    simulated = simulate(plot)
    judgement = judged(plot, simulated.history)
    row.cpu_s += time.process_time() - began
    row.seeds += 1
    clean = replace(spec, variant=None)
    row.clean &= judged(plot, simulate(Plot(clean, plot.schedule)).history).answer is Answer.VALID
    kinds = [kind for kind in kinds_of(judgement) if kind.startswith(f"{bug.CHECKER}/")]
    if judgement.answer is not Answer.INVALID or not kinds:
        return None
    anomaly = anomaly_of(judgement, bug.CHECKER, Path(spec.scenario))
    row.kind = anomaly.kind
    return Case(spec, plot.schedule, simulated.script), anomaly


def _shrink(case: Case, anomaly: Anomaly, row: Row, path: Path) -> None:
    began = time.process_time()
    trying = Trials(_Here(), 1, anomaly.kind, SHRINK_S)  # type: ignore[arg-type] # all it is asked is to submit
    first = trying.first([case])
    if first is None:
        return
    small, _ = shrink(first[1], anomaly.key, anomaly.operations, trying, lambda _what, _case: None)
    row.shrink_s, row.tried = time.process_time() - began, trying.tried
    row.operations, row.faults, row.nodes = len(small.operations), len(small.schedule), small.spec.nodes
    with suppress(OutOfBudgetError):
        row.orders = trying.failures(small, ORDERS)
    save(ScenarioFile(about=anomaly.summary, expects=anomaly.kind, case=small), path)
    row.again = anomaly.kind in kinds_in(load(path).case)


def confirm(path: Path, world: str, directory: Path) -> int | None:
    """In which attempt a scenario file shows what it expects in a real world, or None."""
    scenario = load(path)
    case = replace(scenario.case, spec=replace(scenario.case.spec, world=world))
    for attempt in range(1, ATTEMPTS + 1):
        run = directory / f"{path.stem}-{attempt}"
        run.mkdir(parents=True)
        finished = carry_out(case.spec, run, "", schedule=case.schedule, script=case.script)
        if scenario.expects in kinds_of(finished.judgement):
            return attempt
    return None


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("bug", no_wrap=True)
    for title in ("scenario", "convicted of"):
        table.add_column(title)
    for title in ("seeds", "CPU s", "ops", "faults", "nodes", "cases", "CPU s", "of 10 orders", "again", "processes"):
        table.add_column(title, justify="right")
    for row in rows:
        figures = (row.operations, row.faults, row.nodes, row.tried, f"{row.shrink_s:.1f}", row.orders)
        attempt = "-" if row.attempt is None else f"attempt {row.attempt}"
        again = "yes" if row.again else "NO"
        cells = (row.seeds, f"{row.cpu_s:.1f}", *figures, again, attempt)
        table.add_row(row.bug, row.scenario, row.kind, *map(str, cells), style="" if row.good else "red")
    return table


def main() -> int:
    """Run the campaign; 0 when every bug was convicted in time and every counterexample is small and fails again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bugs", nargs="*", help="only these")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--confirm", choices=["processes", "containers"], help="run the results there, too")
    parser.add_argument("--out", type=Path, help="the directory of scenario files and matrix.json")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="convictions-"))
    out.mkdir(parents=True, exist_ok=True)
    names = arguments.bugs or all_bugs()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, context, max_tasks_per_child=1) as pool:
        futures = [pool.submit(hunt, name, out) for name in names]
        rows = [_heard(future) for future in futures]
    if arguments.confirm:
        with tempfile.TemporaryDirectory() as runs:
            for row in rows:
                file = out / f"{row.bug}.json"
                row.attempt = confirm(file, arguments.confirm, Path(runs)) if file.exists() else None
    return _conclude(rows, out)


def _heard(future: Future[Row]) -> Row:
    row = future.result()
    print(f"{row.bug}: {row.kind} after {row.seeds} seeds, {row.operations} operations", file=sys.stderr, flush=True)
    return row


def _conclude(rows: Sequence[Row], out: Path) -> int:
    Console(width=180).print(_table(rows))
    (out / "matrix.json").write_text(json.dumps(msgspec.to_builtins(rows), indent=1) + "\n")
    costs = [row.cpu_s for row in rows]
    median, worst = statistics.median(costs), max(costs)
    confirmed = sum(row.attempt is not None for row in rows)
    bad = [row.bug for row in rows if not row.good]
    print(f"{len(rows)} bugs: median {median:.1f} s, worst {worst:.1f} s of CPU to the first conviction")
    print(f"{confirmed} confirmed on real nodes; not as they should be: {', '.join(bad) or 'none'}; files in {out}")
    return 1 if bad or median > MEDIAN_S else 0


if __name__ == "__main__":
    sys.exit(main())
