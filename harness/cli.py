"""The command line: run scenarios, list what there is, judge what was recorded.

Exit codes: 0 valid, 1 invalid, 2 unknown, 64 for something that cannot be asked for, 70 when the harness itself
failed. Heavy modules are imported by the commands that need them, so that `--help` is quick.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.spec import RunSpec, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from checkers.verdict import Answer
    from harness.choosing import Chosen
    from harness.runs import Finished
    from harness.scenarios import Scenario
    from nemesis.schedule import Schedule

EXIT_USAGE = 64
EXIT_FAILED = 70
EXIT_INTERRUPTED = 130

_EXIT = {"valid": 0, "invalid": 1, "unknown": 2}


@click.group()
@click.version_option(package_name="keelhaul")
def cli() -> None:
    """Drag a replicated store under the keel; see what survives."""


@cli.command("list")
def list_command() -> None:
    """List scenarios, faults, workloads, checkers and worlds."""
    from checkers.judge import names as checker_names
    from harness import plugins
    from nemesis.catalog import names as fault_names

    for family, scenarios in plugins.all_scenarios().items():
        click.echo(f"{family}:")
        for name, scenario in scenarios.items():
            click.echo(f"  {name:28}{scenario.about}")
    click.echo(f"faults:    {', '.join(fault_names())}")
    click.echo(f"checkers:  {', '.join(checker_names())}")
    click.echo(f"workloads: {', '.join(plugins.names('workload'))}")
    click.echo(f"systems:   {', '.join(plugins.names('system'))}")
    for world in plugins.names("world"):
        trouble = plugins.world(world).probe()
        click.echo(f"world {world}: {'can be had here' if trouble is None else trouble}")


def _settings(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    settings: dict[str, int] = {}
    for setting in given:
        name, separator, value = setting.partition("=")
        if not separator or not value.lstrip("-").isdigit():
            raise UsageError(f"--set {setting}: give NAME=NUMBER, such as hint_retry_ms=500")
        settings[name] = int(value)
    return settings


@cli.command("run")
@click.argument("scenario")
@click.option("--world", default="auto", show_default=True, help="auto, sim, processes or containers.")
@click.option("--system", default="dynamo", show_default=True, help="The system under test.")
@click.option("--seed", type=int, default=1, show_default=True, help="Draws everything that is drawn.")
@click.option("--time-limit", "time_limit_s", type=float, default=20.0, show_default=True, help="Seconds of stress.")
@click.option("--nodes", type=int, default=5, show_default=True)
@click.option("--n", type=int, default=3, show_default=True, help="Replicas of a key.")
@click.option("--r", type=int, default=2, show_default=True, help="Replicas that must answer a read.")
@click.option("--w", type=int, default=2, show_default=True, help="Replicas that must confirm a write.")
@click.option("--concurrency", type=int, default=10, show_default=True, help="Clients.")
@click.option("--rate", type=float, default=100.0, show_default=True, help="Operations a second of all; 0: no limit.")
@click.option("--open-loop", is_flag=True, help="Begin operations when they are due, whatever became of earlier ones.")
@click.option("--every", "every_s", type=float, default=8.0, show_default=True, help="Seconds between two faults.")
@click.option("--for", "for_s", type=float, default=4.0, show_default=True, help="Seconds that a fault lasts.")
@click.option("--keys", type=int, default=40, show_default=True)
@click.option("--set", "settings", multiple=True, callback=_settings, help="A constant of the system: NAME=NUMBER.")
@click.option("--node-module", "variant", help="Run the NODE of this module, such as tests.bugs.forgotten_hints.")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where to.")
@click.option("--trace", is_flag=True, help="Keep every event of a simulated run in trace.txt.")
def run_command(scenario: str, world: str, runs: Path, trace: bool, **options: Any) -> None:
    """Run SCENARIO, or every scenario of a family of that name."""
    sys.path.insert(0, "")  # a --node-module is found from here, as it is by `python -m`
    from harness import plugins
    from harness.choosing import choose
    from reports.terminal import console_for

    found = plugins.find_scenarios(scenario)
    specs = [_spec(name, chosen, options) for name, chosen in found.items()]
    chosen_world = choose(world, plugins.system(options["system"]).WORLDS)
    console = console_for(sys.stdout)
    console.print(chosen_world.note, style="bold", highlight=False)
    answers: list[Answer] = []
    for spec in specs:
        finished = _run_one(spec, chosen_world, runs, console, trace=trace)
        answers.append(finished.judgement.answer)
        if finished.interrupted is not None:
            break
    sys.exit(_EXIT[_summary(specs, answers, chosen_world, console).value])


def _spec(name: str, scenario: Scenario, options: dict[str, Any]) -> RunSpec:
    """The spec of a scenario, complete but for the world; raises `UsageError`."""
    from harness import plugins
    from harness.runs import schedule_of

    spec = RunSpec(scenario=name, world="", faults=scenario.faults, workload=scenario.workload, **options).checked()
    plugins.system(spec.system).builder(spec)
    schedule_of(spec)
    return spec


def _run_one(
    spec: RunSpec,
    chosen: Chosen,
    runs: Path,
    console: Console,
    *,
    trace: bool,
    schedule: Schedule | None = None,
) -> Finished:
    import msgspec

    from checkers.history import read
    from harness.directory import HISTORY, TRACE, new_directory
    from harness.runs import carry_out
    from reports.live import watching
    from reports.terminal import print_report

    spec = msgspec.structs.replace(spec, world=chosen.world)
    directory = new_directory(runs, spec)
    replay = replay_line(spec)
    with watching(console, instant=spec.world == "sim") as heard:
        finished = carry_out(spec, directory, replay, heard, schedule=schedule, keep=trace)
    if finished.trace is not None:
        (directory / TRACE).write_text("\n".join(finished.trace) + "\n")
    print_report(read(directory / HISTORY), finished.judgement.verdicts, console, replay=replay, world_note=chosen.note)
    if finished.interrupted is not None:
        console.print(
            f"this run was {finished.interrupted}; judged by what was recorded", style="yellow", highlight=False
        )
    if finished.digest is not None:
        console.print(f"trace digest {finished.digest}, {finished.events} events", highlight=False)
    console.print(f"everything about this run: {directory}/", highlight=False)
    console.print()
    return finished


def _summary(specs: list[RunSpec], answers: list[Answer], chosen: Chosen, console: Console) -> Answer:
    """Say how the runs went together; the last line names the world again, because it decides what was proved."""
    from checkers.verdict import worst

    answer = worst(answers)
    if len(specs) > 1:
        for spec, one in zip(specs, answers, strict=False):
            console.print(f"{spec.scenario:28}{one.value}", highlight=False)
    console.print(
        f"{answer.value}: {len(specs)} run{'s'[: len(specs) != 1]}; {chosen.note}", style="bold", highlight=False
    )
    return answer


def replay_line(spec: RunSpec) -> str:
    """The one line that repeats a run: what differs from the defaults, and always the world and the seed."""
    words = ["keelhaul", "run", spec.scenario, "--world", spec.world, "--seed", str(spec.seed)]
    plain = RunSpec(scenario=spec.scenario, world=spec.world, seed=spec.seed)
    for option, field in _OPTIONS.items():
        value = getattr(spec, field)
        if value != getattr(plain, field):
            words += [option, f"{value:g}" if isinstance(value, float) else str(value)]
    if spec.open_loop:
        words.append("--open-loop")
    for name, number in spec.settings.items():
        words += ["--set", f"{name}={number}"]
    return shlex.join(words)


_OPTIONS = {
    "--system": "system",
    "--time-limit": "time_limit_s",
    "--nodes": "nodes",
    "--n": "n",
    "--r": "r",
    "--w": "w",
    "--concurrency": "concurrency",
    "--rate": "rate",
    "--every": "every_s",
    "--for": "for_s",
    "--keys": "keys",
    "--node-module": "variant",
}


@cli.command("replay")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--world", help="Another world than the run's own.")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs are."
)
def replay_command(run: Path, world: str | None, runs: Path) -> None:
    """Carry a recorded RUN out again: the same spec, and the very faults that were drawn then."""
    from harness import plugins
    from harness.choosing import choose
    from harness.directory import SPEC, find_run, load_schedule, load_verdict
    from harness.spec import load
    from reports.terminal import console_for

    sys.path.insert(0, "")
    directory = find_run(run, runs)
    spec, before = load(directory / SPEC), load_verdict(directory)
    chosen = choose(world or spec.world, plugins.system(spec.system).WORLDS)
    console = console_for(sys.stdout)
    console.print(f"{chosen.note}; repeating {directory}", style="bold", highlight=False)
    schedule = load_schedule(directory)
    finished = _run_one(spec, chosen, runs, console, trace=spec.world == "sim", schedule=schedule)
    _compare_traces(before.digest, directory, finished)
    sys.exit(_EXIT[finished.judgement.answer.value])


def _compare_traces(before: str | None, directory: Path, finished: Finished) -> None:
    """Two simulated runs of one spec have one trace; if not, code or Python differ, and repeating proved nothing."""
    from harness.directory import TRACE
    from harness.sim.trace import first_divergence

    if before is None or finished.digest is None:
        return
    if before == finished.digest:
        click.echo("the trace is the same, to the last event")
        return
    where = "keep traces with --trace to see where"
    if (directory / TRACE).exists():
        old = (directory / TRACE).read_text().splitlines()
        new = (finished.directory / TRACE).read_text().splitlines()
        where = first_divergence(old, new) or "the kept traces are alike"
    _fail(f"the trace is not the recorded one: other code, or another Python; {where}", EXIT_FAILED)


@cli.command("show")
@click.argument("run", type=click.Path(path_type=Path), default=Path("latest"))
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs are."
)
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
    sys.exit(_EXIT[verdict.answer])


@cli.command("check")
@click.argument("run_or_history", type=click.Path(path_type=Path))
@click.option("--checker", "chosen", multiple=True, help="Only this checker; may be given again.")
def check_command(run_or_history: Path, chosen: tuple[str, ...]) -> None:
    """Judge a recorded history again: a run directory or a history file."""
    from checkers.history import DamagedHistoryError, read
    from checkers.judge import NoSuchCheckerError, judge
    from reports.terminal import console_for, print_report

    path = run_or_history / "history.jsonl" if run_or_history.is_dir() else run_or_history
    try:
        history = read(path)
        judgement = judge(history, chosen or _checkers_of(history.run.workload))
    except (DamagedHistoryError, NoSuchCheckerError) as error:
        raise UsageError(str(error)) from error
    print_report(history, judgement.verdicts, console_for(sys.stdout), replay=None, world_note=None)
    sys.exit(_EXIT[judgement.answer.value])


def _checkers_of(workload: str) -> tuple[str, ...] | None:
    """Those that judge a run of this workload; None, for all there are, where the workload is not one of ours."""
    from harness import plugins

    checkers: tuple[str, ...] = plugins.workload(workload).CHECKERS if workload in plugins.names("workload") else ()
    return checkers or None


def main() -> None:
    """The `keelhaul` command."""
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
    except KeyboardInterrupt:
        _fail("interrupted", EXIT_INTERRUPTED)
    except click.Abort:
        _fail("interrupted", EXIT_INTERRUPTED)


def _fail(text: str, code: int) -> None:
    click.echo(f"keelhaul: {text}", err=True)
    sys.exit(code)
