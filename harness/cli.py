"""The command line: run scenarios, list what there is, judge what was recorded.

Exit codes: 0 valid, 1 invalid, 2 unknown, 64 for something that cannot be asked for, 70 when the harness itself
failed. Heavy modules are imported by the commands that need them, so that `--help` is quick.
"""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.admin import admin_command
from harness.hunting import COMMANDS
from harness.options import EXIT, EXIT_FAILED, EXIT_USAGE, given, look_here_for, runs_option, spec_options
from harness.spec import UsageError

if TYPE_CHECKING:
    from harness.runs import Finished

EXIT_INTERRUPTED = 130

TRACEBACK = "KEELHAUL_TRACEBACK"
"""The environment variable that lets a failure of the harness be seen whole."""


@click.group()
@click.version_option(package_name="keelhaul")
def cli() -> None:
    """Drag a replicated store under the keel; see what survives."""


@cli.command("list")
def list_command() -> None:
    """List scenarios, faults, checkers, workloads, systems and worlds."""
    from harness.catalog import catalog, drawn
    from reports.terminal import console_for

    console = console_for(sys.stdout)
    for kind, entries in catalog().items():
        console.print(f"{kind}:", highlight=False)
        console.print(drawn(entries))


@cli.command("run")
@click.argument("scenario")
@click.option("--world", default="auto", show_default=True, help="auto, sim, processes or containers.")
@click.option("--seed", type=int, help="Draws everything that is drawn.  [default: 1]")
@spec_options
@runs_option
@click.option("--trace", is_flag=True, help="Keep every event of a simulated run in trace.txt.")
@click.option("--attempts", type=click.IntRange(1), default=1, help="Of a file: runs until it shows what it expects.")
def run_command(scenario: str, world: str, runs: Path, trace: bool, attempts: int, **options: Any) -> None:
    """Run SCENARIO, every scenario of a family of that name, or a scenario FILE as `keelhaul shrink` writes them."""
    from harness import plugins
    from harness.asking import complete_spec
    from harness.choosing import choose
    from harness.running import Series
    from reports.terminal import console_for

    look_here_for(options["variant"])
    asked = given(options)
    if scenario.endswith(".json"):
        sys.exit(EXIT[_run_file(Path(scenario), world, runs, attempts, trace=trace, asked=asked)])
    specs = [complete_spec(name, found, **asked) for name, found in plugins.find_scenarios(scenario).items()]
    chosen = choose(world, plugins.system(specs[0].system).WORLDS, [fault for spec in specs for fault in spec.faults])
    series = Series(chosen, runs, console_for(sys.stdout), keep_traces=trace)
    sys.exit(EXIT[series.run_all(specs).value])


def _run_file(path: Path, world: str, runs: Path, attempts: int, *, trace: bool, asked: dict[str, Any]) -> str:
    """Run a scenario file; what is asked for beside it outranks its spec. Returns the answer."""
    from msgspec.structs import replace

    from harness import plugins
    from harness.asking import asked_again, changed
    from harness.choosing import choose
    from harness.running import Series
    from harness.shrink.export import load, playable
    from reports.terminal import console_for

    scenario = load(path)
    case = playable(replace(scenario.case, spec=changed(scenario.case.spec, asked)))
    look_here_for(case.spec.variant)
    plugins.system(case.spec.system).builder(case.spec)
    chosen = choose(world, plugins.system(case.spec.system).WORLDS, case.spec.faults)
    series = Series(chosen, runs, console_for(sys.stdout), keep_traces=trace)
    line = shlex.join(["keelhaul", "run", str(path), "--world", chosen.world, *asked_again(asked)])
    return series.run_until(replace(scenario, case=case), line, attempts).value


@cli.command("replay")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--world", help="Another world than the run's own.")
@runs_option
def replay_command(run: Path, world: str | None, runs: Path) -> None:
    """Carry a recorded RUN out again: the same spec, and the very faults that were drawn then."""
    from harness import plugins
    from harness.choosing import choose
    from harness.directory import SCRIPT, SPEC, find_run, load_schedule, load_verdict
    from harness.running import Series
    from harness.script import load as load_script
    from harness.spec import load
    from reports.terminal import console_for

    directory = find_run(run, runs)
    spec, before = load(directory / SPEC), load_verdict(directory)
    look_here_for(spec.variant)
    chosen = choose(world or spec.world, plugins.system(spec.system).WORLDS, spec.faults)
    schedule = load_schedule(directory, spec)
    console = console_for(sys.stdout)
    console.print(f"{chosen.note}; repeating {directory}", style="bold", highlight=False)
    script = load_script(directory / SCRIPT, spec.all_ids) if spec.scripted else None
    line = shlex.join(["keelhaul", "replay", str(directory)]) if spec.scripted else None
    finished = Series(chosen, runs, console, keep_traces=spec.world == "sim").run_one(spec, schedule, script, line)
    answer = finished.judgement.answer.value
    click.echo(f"recorded: {before.answer.value}; now: {answer}")
    trouble = _divergence(before.digest, directory, finished)
    if trouble is not None:
        click.echo(f"keelhaul: {trouble}", err=True)
    sys.exit(EXIT_FAILED if trouble is not None and answer != "invalid" else EXIT[answer])


def _divergence(before: str | None, directory: Path, finished: Finished) -> str | None:
    """Two simulated runs of one spec have one trace; if not, name the first event in which they part."""
    from harness.directory import MARKS, TRACE
    from harness.sim.trace import first_divergence, first_stranger

    if before is None or finished.digest is None:
        return None
    if before == finished.digest:
        click.echo("the trace is the same, to the last event")
        return None
    events, where = finished.trace or [], None
    if (directory / TRACE).exists():
        where = first_divergence((directory / TRACE).read_text().splitlines(), events)
    elif (directory / MARKS).exists():
        where = first_stranger(events, (directory / MARKS).read_bytes())
    return f"the trace is not the recorded one: other code, or another Python; {where or 'nothing says where'}"


@cli.command("show")
@click.argument("run", type=click.Path(path_type=Path), default=Path("latest"))
@runs_option
def show_command(run: Path, runs: Path) -> None:
    """Show the report of a finished RUN again, by default of the latest; nothing is judged anew."""
    from checkers.history import DamagedHistoryError, read
    from harness.directory import HISTORY, find_run, load_verdict
    from reports.terminal import console_for, print_report

    directory = find_run(run, runs)
    verdict = load_verdict(directory)
    try:
        history = read(directory / HISTORY)
    except DamagedHistoryError as error:
        raise UsageError(str(error)) from error
    note = f"{directory}: {verdict.interrupted}" if verdict.interrupted else str(directory)
    console = console_for(sys.stdout)
    print_report(history, verdict.judgement.verdicts, console, replay=verdict.replay, world_note=note)
    sys.exit(EXIT[verdict.answer.value])


@cli.command("check")
@click.argument("run_or_history", type=click.Path(path_type=Path), default=Path("latest"))
@runs_option
@click.option("--checker", "chosen", multiple=True, help="Only this checker; may be given again.")
def check_command(run_or_history: Path, runs: Path, chosen: tuple[str, ...]) -> None:
    """Judge a recorded history again: a run, by default the latest, or a history file."""
    from checkers.history import DamagedHistoryError, read
    from checkers.judge import NoSuchCheckerError, judge
    from harness.directory import HISTORY, find_run
    from reports.terminal import console_for, print_report

    path = run_or_history if run_or_history.is_file() else find_run(run_or_history, runs) / HISTORY
    try:
        history = read(path)
        judgement = judge(history, chosen or _checkers_of(history.run.workload))
    except (DamagedHistoryError, NoSuchCheckerError) as error:
        raise UsageError(str(error)) from error
    print_report(history, judgement.verdicts, console_for(sys.stdout), replay=None, world_note=None)
    sys.exit(EXIT[judgement.answer.value])


def _checkers_of(workload: str) -> tuple[str, ...] | None:
    """Those that judge a run of this workload; None, for all there are, where the workload is not one of ours."""
    from harness import plugins

    checkers: tuple[str, ...] = plugins.workload(workload).CHECKERS if workload in plugins.names("workload") else ()
    return checkers or None


for _command in (*COMMANDS, admin_command):
    cli.add_command(_command)


def main() -> None:
    """The `keelhaul` command. Only a verdict ends with 0, 1 or 2; whatever goes wrong here must not look like one."""
    from harness.contracts import WorldError
    from nemesis.powers import PowerError

    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message(), EXIT_USAGE)
    except UsageError as error:
        _fail(str(error), EXIT_USAGE)
    except (WorldError, PowerError) as error:
        _fail(str(error), EXIT_FAILED)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", EXIT_INTERRUPTED)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        _fail(f"the harness itself failed: {_told(error)}; {TRACEBACK}=1 shows the traceback", EXIT_FAILED)


def _told(error: Exception) -> str:
    """An error in one line, with the place in our code that it came through last."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    said = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    return f"{said} ({Path(ours[-1].filename).name}:{ours[-1].lineno})" if ours else said


def _fail(text: str, code: int) -> None:
    click.echo(f"keelhaul: {text}", err=True)
    sys.exit(code)
