"""How fast a simulation is: the kernel alone beside two others, whole runs of a cluster, and a dense load.

`python -m benchmarks.simulation` measures three things, on one core and in processor time, and prints medians:

- the kernel: minimal quorum writes (`benchmarks.kernels`), beside the same on simloop and simloom from PyPI. Those need
  Python 3.12 or newer: `--python` names an interpreter that has both installed; without it a temporary environment is
  made, and where that cannot be the comparison is skipped, and says so;
- whole runs: 60 virtual seconds of five nodes, 600 operations, crashes and partitions; built, run, recorded and judged;
- dense load: five nodes, a hundred clients, thousands of operations in a few virtual seconds; recorded and judged.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from checkers.verdict import Answer
from harness.runs import judged, schedule_of, simulate
from harness.spec import RunSpec
from harness.story import Plot

ROOT = Path(__file__).parents[1]
ROUNDS = 3
SEEDS = range(1, 9)
KERNEL_LIMIT_S = 60
INSTALL_LIMIT_S = 60
NEWER_PYTHONS = ("python3.13", "python3.12")
OTHERS = ("simloop", "simloom")
FASTER = 10
WHOLE_RUNS_A_SECOND, DENSE_OPERATIONS_A_SECOND = 8, 6000
"""What is aimed at: a kernel so many times as fast as the faster of the others, and these two rates."""

Rates = dict[str, float]


class Skipped(Exception):  # noqa: N818 - it is no error
    """The comparison cannot be made here; says why."""


def whole(seed: int) -> RunSpec:
    """A run as exploring many seeds has them."""
    return RunSpec(
        scenario="crash-partition",
        world="sim",
        seed=seed,
        faults=("kill", "partition-halves"),
        time_limit_s=60.0,
        rate=10.0,
    )


def dense(seed: int) -> RunSpec:
    """A run with as many operations as a hundred clients can be expected to ask for."""
    return RunSpec(scenario="calm", world="sim", seed=seed, time_limit_s=2.0, rate=2000.0, concurrency=100)


def runs_and_operations(specs: Sequence[RunSpec]) -> tuple[float, float]:
    """Carry out and judge these runs; returns runs and client operations a processor second."""
    began, operations = time.process_time(), 0
    for spec in specs:
        plot = Plot(spec, schedule_of(spec))
        history = simulate(plot).history
        answer = judged(plot, history).answer
        if answer is not Answer.VALID:
            sys.exit(f"seed {spec.seed} of {spec.scenario} was judged {answer.value}; only valid runs are measured")
        operations += len(history.operations)
    took_s = time.process_time() - began
    return len(specs) / took_s, operations / took_s


def measured(rounds: int) -> tuple[list[float], list[float]]:
    """Whole runs a second and dense operations a second, in alternating rounds after a warm-up."""
    runs_and_operations([whole(SEEDS[0])])
    whole_runs, operations = [], []
    for round_number in range(rounds):
        whole_runs.append(runs_and_operations([whole(seed) for seed in SEEDS])[0])
        operations.append(runs_and_operations([dense(SEEDS[round_number % len(SEEDS)])])[1])
    return whole_runs, operations


def kernel(name: str, python: str) -> Rates:
    """Operations a processor second of a kernel, by the way that the workload is written."""
    finished = subprocess.run(
        [python, "-m", f"benchmarks.kernels.{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=KERNEL_LIMIT_S,
        check=False,
    )
    if finished.returncode:
        last = (finished.stderr.strip().splitlines() or ["without a word"])[-1]
        raise Skipped(f"{name} under {Path(python).name} ended with {finished.returncode}: {last}")
    return {way: float(rate) for way, rate in (line.split() for line in finished.stdout.splitlines())}


@contextmanager
def interpreter(given: str | None) -> Iterator[str]:
    """A Python that has the other kernels: the one given, or one in a temporary environment."""
    if given is not None:
        yield given
        return
    newer = next((found for name in NEWER_PYTHONS if (found := _working(name))), None)
    if newer is None:
        raise Skipped(f"none of {', '.join(NEWER_PYTHONS)} is here; simloop and simloom need one")
    with tempfile.TemporaryDirectory(prefix="keelhaul-kernels-") as directory:
        python = str(Path(directory) / "bin" / "python")
        for command in (
            [newer, "-m", "venv", directory],
            [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *OTHERS],
        ):
            try:
                subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=True)
            except (OSError, subprocess.SubprocessError) as error:
                raise Skipped(f"an environment with {' and '.join(OTHERS)} could not be made: {error}") from error
        yield python


def _working(name: str) -> str | None:
    """The command of that name if it runs: one that only stands in for a version that is not chosen does not."""
    found = shutil.which(name)
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        return None
    return found


def kernels(rounds: int, python: str | None, say: Callable[[str], None]) -> dict[str, Rates]:
    """The median of each kernel and way, in alternating rounds; only ours where the others cannot be had."""
    seen: dict[str, list[Rates]] = {}
    try:
        with interpreter(python) as others:
            for _ in range(rounds):
                for name, its_python in (("ours", sys.executable), *((other, others) for other in OTHERS)):
                    seen.setdefault(name, []).append(kernel(name, its_python))
    except (Skipped, OSError, subprocess.TimeoutExpired) as error:
        say(f"skipped: {error}")
        seen = {"ours": [kernel("ours", sys.executable) for _ in range(rounds)]}
    return {name: {way: median(rates[way] for rates in found) for way in found[0]} for name, found in seen.items()}


def kernel_table(rates: dict[str, Rates]) -> Table:
    """What each kernel does in each way, and how many times as fast ours is."""
    table = Table("kernel", "written as", "quorum operations/s", "ours is faster by")
    mine = max(rates["ours"].values())
    for name, ways in rates.items():
        for way, rate in ways.items():
            table.add_row(name, way, f"{rate:,.0f}", "" if name == "ours" else f"{mine / rate:.1f} x")
    return table


def simulation_table(whole_runs: Sequence[float], operations: Sequence[float]) -> Table:
    """Medians of whole runs and of the dense load, beside what is aimed at."""
    table = Table("simulation", "median", "best", "aim")
    table.add_row(
        "whole runs (60 virtual s, 5 nodes, faults), a second",
        f"{median(whole_runs):.1f}",
        f"{max(whole_runs):.1f}",
        str(WHOLE_RUNS_A_SECOND),
    )
    table.add_row(
        "dense load, recorded and judged operations a second",
        f"{median(operations):,.0f}",
        f"{max(operations):,.0f}",
        f"{DENSE_OPERATIONS_A_SECOND:,}",
    )
    return table


def main() -> None:
    """Measure everything, and print two tables."""
    parser = argparse.ArgumentParser(description="how fast a simulation is; rates are by processor time on one core")
    parser.add_argument("--python", help="an interpreter that has simloop and simloom installed")
    parser.add_argument("--rounds", type=int, default=ROUNDS, choices=range(1, 10), metavar="1-9")
    options = parser.parse_args()
    console = Console()
    console.print(simulation_table(*measured(options.rounds)))
    rates = kernels(options.rounds, options.python, console.print)
    console.print(kernel_table(rates))
    as_tasks = [ways["tasks"] for name, ways in rates.items() if name != "ours"]
    if as_tasks:
        ratio = max(rates["ours"].values()) / max(as_tasks)
        console.print(f"the kernel is {ratio:.1f} x the faster of the others as tasks; the aim is {FASTER} x")


if __name__ == "__main__":
    main()
