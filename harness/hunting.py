"""The commands of the bug hunter: explore many seeds, merge shards, shrink a run; how it is explained stands apart.

This file knows options and exit codes. Heavy modules are imported by the commands that need them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.explaining import explain_command
from harness.options import EXIT, EXIT_FAILED, given, look_here_for, runs_option, spec_options
from harness.spec import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from harness.explore.exploring import Exploration
    from harness.explore.journal import Journal
    from harness.explore.seeds import Asked, SeedResult
    from harness.explore.workers import Workers

KEPT = 5
"""How many seeds that are not valid are run once more with all their files."""

TOLD = 20
"""How many of them get a line."""


SEEDS_MAX = 10_000_000
FIRST_SEED_MAX = 1 << 62
"""Bounds of what can be asked for at once; more is another question."""


@click.command("explore")
@click.argument("scenario")
@click.option("--seeds", type=click.IntRange(1, SEEDS_MAX), default=100, show_default=True, help="How many seeds.")
@click.option(
    "--first-seed", type=click.IntRange(0, FIRST_SEED_MAX), default=1, show_default=True, help="The first of them."
)
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: one for each processor]")
@click.option("--budget", "budget_s", type=float, help="Seconds of real time after which nothing more is handed out.")
@click.option("--shard", help="Only part i of n of the seeds, as i/n; `keelhaul merge` puts the parts together.")
@click.option("--dask", help="Run on the workers of this Dask scheduler, such as tcp://host:8786.")
@click.option("--json", "as_json", is_flag=True, help="Print every result as JSON, and nothing else.")
@spec_options
@runs_option
def explore_command(scenario: str, runs: Path, as_json: bool, **options: Any) -> None:
    """Run many seeds of SCENARIO in simulation. The same command goes on where it was ended."""
    from contextlib import closing

    from harness.explore.exploring import Wanted, begin, parse_shard
    from harness.explore.journal import Journal
    from harness.explore.seeds import Asked
    from reports.terminal import console_for

    look_here_for(options["variant"])
    first, count, jobs, budget_s = (options.pop(name) for name in ("first_seed", "seeds", "jobs", "budget_s"))
    shard, dask = options.pop("shard"), options.pop("dask")
    if budget_s is not None and not budget_s > 0:
        raise UsageError(f"--budget is {budget_s:g}; give seconds above 0")
    part, parts = parse_shard(shard) if shard else (1, 1)
    asked = Asked(scenario=scenario, options=given(options))
    console = console_for(sys.stderr if as_json else sys.stdout)
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        asked.spec(first)  # what cannot be asked for is said before anything is begun
        with closing(Journal(runs, asked, f"{part}-of-{parts}" if shard else "")) as journal:
            exploration = begin(journal, Wanted(first, count, part, parts))
            _explore(asked, exploration, journal, console, budget_s, partial(_workers, asked, jobs, dask))
            _tell(console, exploration, asked, runs, journal.file)
    if as_json:
        click.echo(_json(exploration))
    sys.exit(EXIT_FAILED if exploration.tally.differed else EXIT[exploration.answer.value])


def _explore(
    asked: Asked,
    exploration: Exploration,
    journal: Journal,
    console: Console,
    budget_s: float | None,
    workers: Callable[[int, Path], AbstractContextManager[Workers]],
) -> None:
    """Explore until it is done, or somebody has had enough."""
    from harness.explore.exploring import explore
    from harness.interrupts import interruptible
    from reports.exploration import progress_on

    try:
        with (
            interruptible(),
            workers(len(exploration.missing), journal.directory / "workers.log") as there,
            progress_on(console, exploration.tally),
        ):
            explore(asked, exploration, journal, there, budget_s)
    except KeyboardInterrupt:
        exploration.ended = "interrupted; the same command goes on from here"


def _workers(
    asked: Asked, jobs: int | None, dask: str | None, seeds: int, log_file: Path
) -> AbstractContextManager[Workers]:
    """Where the seeds are run; no more processes than there are chunks of them."""
    from harness.explore import workers
    from harness.explore.exploring import CHUNK

    if dask:
        return workers.dask(asked, dask, log_file)
    return workers.local(asked, min(jobs or _processors(), max(1, -(-seeds // CHUNK))), log_file)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tell(console: Console, exploration: Exploration, asked: Asked, runs: Path, file: Path) -> None:
    """Tell what was found, with the one line that repeats each bad seed; the first new ones are kept with all files."""
    from harness.asking import replay_line
    from reports.exploration import print_exploration

    print_exploration(console, exploration.tally, asked.scenario)
    kept = 0
    for result in exploration.bad[:TOLD]:
        told = f"seed {result.seed}: {result.answer.value}, {', '.join(result.kinds)}"
        console.print(told, style="bold", highlight=False)
        line = replay_line(asked.spec(result.seed))
        console.print(f"  repeat it with  {line}", highlight=False, soft_wrap=True)
        if result.seed in exploration.new and kept < KEPT and exploration.ended is None:
            kept += 1
            _keep(console, exploration, result, asked, runs, line)
    if len(exploration.bad) > TOLD:
        console.print(f"and {len(exploration.bad) - TOLD} more in {file}", highlight=False)
    for name in exploration.tally.toothless:
        console.print(f"{name} was injected often and never took effect", style="yellow", highlight=False)
    ended = f"; {exploration.ended}" if exploration.ended else ""
    console.print(
        f"{exploration.answer.value}: {len(exploration.results)} seeds{ended}; all results: {file}", highlight=False
    )


def _keep(console: Console, exploration: Exploration, result: SeedResult, asked: Asked, runs: Path, line: str) -> None:
    """Run a bad seed once more, with all its files: it must be the same run here."""
    from harness.directory import new_directory
    from harness.runs import carry_out

    spec = asked.spec(result.seed)
    finished = carry_out(spec, new_directory(runs, spec), line)
    if finished.interrupted is not None:
        exploration.ended = finished.interrupted
    elif finished.digest != result.digest:
        differed = f"seed {result.seed} did not repeat itself here: digest {result.digest}, then {finished.digest}"
        exploration.tally.differed.append(differed)
        console.print(differed, style="bold red", highlight=False)
    else:
        what = "shrink" if result.answer.value == "invalid" else "show"
        console.print(f"  {what} it with  keelhaul {what} {finished.directory}", highlight=False, soft_wrap=True)


def _json(exploration: Exploration) -> str:
    """Every result by seed, without what differs from time to time."""
    import msgspec

    results = [
        {name: value for name, value in msgspec.to_builtins(result).items() if name != "cpu_s"}
        for _, result in sorted(exploration.results.items())
    ]
    told = {"answer": exploration.answer.value, "ended": exploration.ended, "results": results}
    return msgspec.json.format(msgspec.json.encode(told)).decode()


@click.command("merge")
@click.argument("parts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write all results to this file, by seed.")
def merge_command(parts: tuple[Path, ...], out: Path | None) -> None:
    """Put the results of shards together: PARTS are result files, or directories with some."""
    import msgspec

    from harness.explore.exploring import merged, summed_up
    from harness.explore.journal import read
    from reports.exploration import Tally, print_exploration
    from reports.terminal import console_for

    files = [file for part in parts for file in (sorted(part.rglob("results*.jsonl")) if part.is_dir() else [part])]
    if not files:
        raise UsageError(f"no results in {', '.join(map(str, parts))}; give results*.jsonl of `keelhaul explore`")
    try:
        results, missing = merged([(str(file), read(file.read_bytes(), file)) for file in files])
        if out is not None:
            out.write_bytes(b"".join(msgspec.json.encode(result) + b"\n" for result in results.values()))
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    tally = Tally(len(results))
    for result in results.values():
        tally.take(result, now=False)
    console = console_for(sys.stdout)
    print_exploration(console, tally, f"{len(files)} files")
    if missing:
        told = f"{len(missing)} seeds are missing, such as {', '.join(map(str, missing[:5]))}"
        console.print(told, style="yellow", highlight=False)
    answer = summed_up(results, tally, missing=bool(missing))
    console.print(f"{answer.value}: {len(results)} seeds", highlight=False)
    sys.exit(EXIT[answer.value])


@click.command("shrink")
@click.argument("run", type=click.Path(path_type=Path), default=Path("latest"))
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: one for each processor]")
@click.option("--budget", "budget_s", type=float, default=120.0, show_default=True, help="Seconds of real time.")
@click.option("--kind", help="Which anomaly to keep, as CHECKER/KIND.  [default: the first finding]")
@click.option(
    "--message-seeds", type=click.IntRange(1), default=20, show_default=True, help="Orders of messages to search in."
)
@click.option("--out", type=click.Path(path_type=Path), help="The scenario file.  [default: shrunk.json in the run]")
@runs_option
def shrink_command(run: Path, runs: Path, **options: Any) -> None:
    """Make RUN small: the few operations and faults that matter, as a scenario file for every world."""
    from harness.shrink.whole import shrink_run
    from reports.terminal import console_for

    options["jobs"] = options["jobs"] or _processors()
    sys.exit(EXIT["valid" if shrink_run(run, runs, console_for(sys.stdout), **options) else "unknown"])


COMMANDS = (explore_command, merge_command, shrink_command, explain_command)
