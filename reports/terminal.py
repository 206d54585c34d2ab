"""Tell a run in a terminal, a pipe or a log: what was done, what was broken, what holds and what does not.

This file knows histories and verdicts. It does not know what any checker checks: numbers, words and evidence are the
checkers' own. Text that came from outside is never read as markup.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TypeVar

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from checkers.episodes import Episode, episodes
from checkers.history import History, Outcome
from checkers.verdict import Answer, Finding, Verdict, worst
from reports.latency import latencies
from reports.plain import cut_short
from reports.siblings import siblings
from reports.tables import grouping, number, table

_WIDTH = 100
_COLOURS = {Answer.VALID: "green", Answer.INVALID: "bold red", Answer.UNKNOWN: "yellow"}
_OUTCOMES = (Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN)

_T = TypeVar("_T")


class _Console(Console):
    """A console whose reader may go away: that costs the rest of the output, never the exit code of the verdict."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on."""
        self.file = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process


def console_for(stream: IO[str]) -> Console:
    """Make a console for a stream: coloured and as wide as a terminal, or plain and of a fixed width.

    A character that the stream cannot encode is written as an escape, because a report must never hide a verdict.
    """
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    console = _Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _WIDTH
    return console


def print_report(
    history: History, verdicts: Sequence[Verdict], console: Console, *, replay: str | None, world_note: str | None
) -> None:
    """Print the whole report; its last line is the answer."""
    _header(history, console, world_note)
    injected = episodes(history)
    faults = _faults(injected, history.lasted_ns) if injected else None
    for part in (_operations(history), faults, latencies(history, injected), siblings(history), _verdicts(verdicts)):
        if part is not None:
            console.print()
            console.print(part)
    for verdict in verdicts:
        _findings(verdict, console)
    console.print()
    if replay is not None:
        console.print(Text.assemble(("repeat it with  ", "dim"), replay), soft_wrap=True)
    console.print(_last_line(verdicts))


def _header(history: History, console: Console, world_note: str | None) -> None:
    run = history.run
    console.print(Text.assemble((run.scenario, "bold"), f" in {run.world}, seed {run.seed}"))
    system = f"{run.system}, {len(run.nodes)} nodes, N={run.n} R={run.r} W={run.w}"
    console.print(Text(f"{system}, workload {run.workload}, {history.lasted_ns / 1e9:.1f} s"))
    for note in (*([world_note] if world_note else []), *history.warnings):
        console.print(Text(note, style="yellow"))
    if history.ended is None:
        console.print(Text("the history has no end: the run was killed", style="yellow"))
    elif history.ended.interrupted:
        console.print(Text(cut_short(history.ended), style="yellow"))


def _operations(history: History) -> RenderableType:
    counts: dict[str, dict[Outcome, int]] = {}
    for operation in history.operations:
        of_kind = counts.setdefault(operation.invoked.f, dict.fromkeys(_OUTCOMES, 0))
        of_kind[operation.outcome] += 1
    if not counts:
        return Text("no operation was tried")
    drawn = table("operations", *(outcome.value for outcome in _OUTCOMES), numbers=3)
    for kind, of_kind in sorted(counts.items()):
        drawn.add_row(Text(kind), *(number(of_kind[outcome]) for outcome in _OUTCOMES))
    return drawn


def _faults(injected: Sequence[Episode], ends: int) -> Table:
    drawn = table("faults", "times", "in force", numbers=2)
    drawn.add_column("seen to take effect")
    for name, same in _grouped(injected, [episode.name for episode in injected]):
        lasted = sum(episode.lasted_ns(ends) for episode in same)
        evidence, style = _effect(same)
        drawn.add_row(Text(name), number(len(same)), Text(f"{lasted / 1e9:.1f} s"), Text(evidence, style=style))
    return drawn


def _effect(same: Sequence[Episode]) -> tuple[str, str]:
    """Say how many of the same fault were delivered, and how much traffic they dropped where that was watched."""
    delivered = sum(episode.delivered for episode in same)
    words = f"{delivered} of {len(same)}"
    traffic = [counts for episode in same for counts in episode.traffic.values()]
    if traffic:
        seen, dropped = (sum(column) for column in zip(*traffic, strict=True))
        words += f", {grouping(dropped)} of {grouping(seen)} messages dropped"
    if any(episode.failed for episode in same):
        words += f", {sum(episode.failed for episode in same)} could not be injected"
    return words, "" if delivered == len(same) else "yellow"


def _verdicts(verdicts: Sequence[Verdict]) -> RenderableType:
    if not verdicts:
        return Text("no checker judged this run", style="yellow")
    drawn = table("checker", "answer")
    drawn.add_column("reason", overflow="fold")
    for verdict in verdicts:
        words = Text(verdict.reason)
        for note in verdict.notes:
            words.append(f"\n{note}", style="dim")
        drawn.add_row(Text(verdict.checker), Text(verdict.answer.value, style=_COLOURS[verdict.answer]), words)
    return drawn


def _findings(verdict: Verdict, console: Console) -> None:
    """Print what a checker found; that of an `unknown` is in its reason, and shown only when there is evidence."""
    telling = [f for f in verdict.findings if verdict.answer is Answer.INVALID or f.evidence]
    for position, finding in enumerate(telling, start=1):
        console.print()
        console.print(_title(verdict, finding, position))
        for line in finding.evidence:
            console.print(Padding(Text(line, overflow="fold"), (0, 0, 0, 4), expand=False))
    if telling and verdict.found > len(verdict.findings):
        console.print(
            Text(f"\n{verdict.checker}: {verdict.found - len(verdict.findings)} more like these", style="dim")
        )


def _title(verdict: Verdict, finding: Finding, position: int) -> Text:
    label = f"{verdict.checker} {position}/{verdict.found}"
    return Text.assemble((label, "dim"), "  ", (finding.kind, _COLOURS[verdict.answer]), f"  {finding.summary}")


def _last_line(verdicts: Sequence[Verdict]) -> Text:
    answer = worst(verdict.answer for verdict in verdicts)
    decisive = [verdict for verdict in verdicts if verdict.answer is answer]
    match answer:
        case Answer.VALID:
            words = f"all {len(verdicts)} checkers agree" if len(verdicts) > 1 else verdicts[0].reason
        case Answer.INVALID:
            words = ", ".join(f"{v.checker} found {v.found}" if v.found else v.checker for v in decisive)
        case Answer.UNKNOWN:
            words = ", ".join(verdict.checker for verdict in decisive) + " cannot tell" if decisive else "nobody judged"
    return Text.assemble((answer.value, _COLOURS[answer]), f": {words}")


def _grouped(items: Iterable[_T], labels: Iterable[str]) -> list[tuple[str, list[_T]]]:
    groups: dict[str, list[_T]] = {}
    for label, item in zip(labels, items, strict=True):
        groups.setdefault(label, []).append(item)
    return list(groups.items())
