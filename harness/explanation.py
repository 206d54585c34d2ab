"""Explain a run: what is wrong with it, who said what to whom, and where a run that passes goes another way.

This file knows where a run is found, and in which order it is explained. What was seen is collected in
`harness.explain`, compared in `harness.comparing`, and drawn in `reports`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.padding import Padding

from checkers.evidence import listed, shown
from checkers.history import DamagedHistoryError, History, read
from checkers.judge import Judgement
from checkers.verdict import Finding
from harness.comparing import Divergence, Neighbour, consequences, first_divergence, nearest_passing, shipped
from harness.directory import HISTORY, SCRIPT, SPEC, find_run, load_schedule, load_verdict
from harness.explain import Observed, Watch, focused, ladder, observe, telling
from harness.options import look_here_for
from harness.script import load as load_script
from harness.shrink.export import load as load_scenario
from harness.spec import UsageError
from harness.spec import load as load_spec
from harness.story import Plot
from reports.ladder import Ladder, Phase
from reports.ladder_svg import svg
from reports.ladder_text import print_ladder

PICTURE = "ladder.svg"

OPERATIONS_MANY = 100
"""From so many operations on a run is better shrunk first."""

NO_MESSAGES = "messages and commits were not seen in this world: here are operations, faults and nodes"


@dataclass(frozen=True)
class Subject:
    """What is to be explained; `observed` where it could be carried out once more, `notes` what is odd about that."""

    history: History
    judgement: Judgement
    picture: Path
    observed: Observed | None = None
    notes: tuple[str, ...] = ()

    @property
    def watch(self) -> Watch | None:
        """What was seen of its messages and commits."""
        return None if self.observed is None else self.observed.watch


def find(run: Path, runs: Path) -> Subject:
    """A scenario file, or the directory of a run; raises `UsageError` for what is neither."""
    return _of_file(run) if run.is_file() else _of_run(run, runs)


def explain(
    subject: Subject, console: Console, *, key: str | None = None, everything: bool = False, picture: Path | None = None
) -> None:
    """Print what is wrong, the ladder and the comparison, and draw the picture."""
    findings = telling(subject.judgement)
    finding = next((each for each in findings if key is None or each.key == key), None)
    keys = _keys(subject.history, key, finding)
    _say_what_is_wrong(console, subject, findings, finding)
    about = ladder(subject.history, subject.watch, keys)
    looking = console.status("looking for the nearest run that passes") if console.is_terminal else nullcontext()
    with looking:
        partings = _partings(subject.observed, about, keys) if subject.observed and findings else ()
    whole = _marked(ladder(subject.history, subject.watch, ()) if everything else about, partings)
    telling_ns = [parting.first.at_ns for parting in partings if parting.first is not None]
    seen = whole if everything else focused(whole, finding.operations if finding else (), telling_ns)
    console.print()
    print_ladder(seen, console)
    if findings and subject.observed is not None:
        _say_where_they_part(console, partings)
    path = picture or subject.picture
    _draw(seen, subject, path)
    console.print(f"\npicture: {path}", soft_wrap=True)


def _of_file(path: Path) -> Subject:
    case = load_scenario(path).case
    look_here_for(case.spec.variant)
    observed = observe(Plot(case.spec, case.schedule, case.script))
    return Subject(observed.history, observed.judgement, path.with_suffix(".svg"), observed)


def _of_run(name: Path, runs: Path) -> Subject:
    """A recorded run: carried out once more if it was simulated, as recorded if it was not."""
    directory = find_run(name, runs)
    spec, verdict, picture = load_spec(directory / SPEC), load_verdict(directory), directory / PICTURE
    if spec.world != "sim":
        try:
            history = read(directory / HISTORY)
        except DamagedHistoryError as error:
            raise UsageError(str(error)) from error
        return Subject(history, verdict.judgement, picture, notes=(NO_MESSAGES,))
    look_here_for(spec.variant)
    script = load_script(directory / SCRIPT, spec.all_ids) if spec.scripted else None
    observed = observe(Plot(spec, load_schedule(directory, spec), script))
    same = observed.simulated.digest == verdict.digest
    notes: tuple[str, ...] = (
        () if same else ("this is not the recorded run to the last event: other code, or another Python",)
    )
    if len(observed.history.operations) > OPERATIONS_MANY:
        notes += (f"a small run is easier to follow: keelhaul shrink {directory}",)
    return Subject(observed.history, observed.judgement, picture, observed, notes)


def _keys(history: History, key: str | None, finding: Finding | None) -> Collection[str] | None:
    """The keys that are looked at: the one asked for, that of the finding, or None for all."""
    known = tuple(dict.fromkeys(operation.invoked.key for operation in history.operations))
    if key is not None and key not in known:
        there = listed(map(shown, known)) or "none"
        raise UsageError(f"--key {key}: no operation of the run touches it; there is {there}")
    wanted = key if key is not None or finding is None else finding.key
    if wanted is not None:
        return (wanted,)
    return known if len(known) == 1 else None


def _say_what_is_wrong(
    console: Console, subject: Subject, findings: tuple[Finding, ...], finding: Finding | None
) -> None:
    run, answer = subject.history.run, subject.judgement.answer.value
    console.print(f"{run.scenario} in {run.world}, seed {run.seed}: {answer}", style="bold")
    if finding is not None:
        console.print(f"{finding.kind}: {finding.summary}", style="red")
    others = [each for each in findings if each is not finding]
    if others:
        keys = dict.fromkeys(each.key for each in others if each.key is not None)
        where = f", on {', '.join(list(keys)[:6])}; --key shows another" if keys else ""
        console.print(f"and {len(others)} more{where}", style="dim")
    for note in subject.notes:
        console.print(note, style="yellow")


@dataclass(frozen=True)
class _Parting:
    """A run that passes: what it is, where this one parts from it, and what came of that."""

    words: str
    answer: str
    first: Divergence | None
    came_of_it: tuple[str, ...]


def _partings(wrong: Observed, about: Ladder, keys: Collection[str] | None) -> tuple[_Parting, ...]:
    """The nearest run that passes and, where a planted bug was run, the same run on the shipped node."""
    nearest = nearest_passing(wrong)
    if nearest is None:
        return ()
    others = {each.words: each for each in (nearest, shipped(wrong)) if each is not None}
    return tuple(_parting(about, other, keys) for other in others.values())


def _parting(here: Ladder, other: Neighbour, keys: Collection[str] | None) -> _Parting:
    there = ladder(other.observed.history, other.observed.watch, keys)
    answer = other.observed.judgement.answer.value
    return _Parting(other.words, answer, first_divergence(here, there), tuple(consequences(here, there)))


def _marked(whole: Ladder, partings: Sequence[_Parting]) -> Ladder:
    """The ladder, and on it where runs that pass part from it."""
    marks = tuple(
        Phase(parting.first.at_ns, f"here the same run {parting.words} goes another way", telling=True)
        for parting in partings
        if parting.first is not None
    )
    return replace(whole, phases=(*whole.phases, *marks))


def _say_where_they_part(console: Console, partings: Sequence[_Parting]) -> None:
    console.print()
    if not partings:
        console.print("no run near it passes: not with a fault or an operation less, nor with other delays")
    for parting in partings:
        console.print(f"The same run {parting.words} shows nothing wrong ({parting.answer}).", style="bold")
        alike = "What concerns the key is the same in both, in another order."
        for line in (parting.first.words if parting.first else alike, *parting.came_of_it):
            console.print(Padding(line, (0, 0, 0, 2), expand=False))


def _draw(ladder: Ladder, subject: Subject, path: Path) -> None:
    run = subject.history.run
    title = f"{run.scenario} in {run.world}, seed {run.seed}: {subject.judgement.answer.value}"
    try:
        path.write_text(svg(ladder, title), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--svg {path}: {error.strerror}; give a file that can be written") from error
