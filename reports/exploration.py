"""Show an exploration: what many seeds showed, while they are run and when it is over.

This file knows counts and how they are drawn. It does not know how a seed is run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from checkers.verdict import Answer

KINDS_SHOWN = 20
SEEDS_SHOWN = 8
OFTEN = 20
"""A fault that was injected so many times and never bit is one that does not work."""
STYLE = {Answer.VALID: "green", Answer.INVALID: "bold red", Answer.UNKNOWN: "yellow"}


class Shown(Protocol):
    """What is counted of one seed."""

    @property
    def seed(self) -> int:
        """Its number."""

    @property
    def answer(self) -> Answer:
        """The answer of all checkers together."""

    @property
    def kinds(self) -> Mapping[str, int]:
        """Its findings by kind."""

    @property
    def struck(self) -> Mapping[str, int]:
        """How many faults of each name were injected."""

    @property
    def delivered(self) -> Mapping[str, int]:
        """How many faults of each name took effect."""

    @property
    def operations(self) -> int:
        """How many operations its clients tried."""

    @property
    def events(self) -> int:
        """How many events it took."""

    @property
    def virtual_s(self) -> float:
        """How long it lasted, in virtual seconds."""

    @property
    def cpu_s(self) -> float:
        """What it cost, in processor seconds."""


@dataclass
class Tally:
    """The sum of many seeds. `took_s` is real time, and so is `seeds_now`: those run in that time."""

    wanted: int
    answers: Counter[Answer] = field(default_factory=Counter)
    kinds: dict[str, list[int]] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    operations: int = 0
    events: int = 0
    virtual_s: float = 0.0
    cpu_s: float = 0.0
    seeds_now: int = 0
    virtual_now_s: float = 0.0
    took_s: float = 0.0
    again: int = 0
    differed: list[str] = field(default_factory=list)

    def take(self, result: Shown, *, now: bool = True) -> None:
        """Count one seed; one that is known from before counts for no speed."""
        self.answers[result.answer] += 1
        self.struck.update(result.struck)
        self.delivered.update(result.delivered)
        self.operations += result.operations
        self.events += result.events
        self.virtual_s += result.virtual_s
        self.cpu_s += result.cpu_s
        for kind in result.kinds:
            self.kinds.setdefault(kind, []).append(result.seed)
        if now:
            self.seeds_now += 1
            self.virtual_now_s += result.virtual_s

    @property
    def done(self) -> int:
        """How many seeds were run."""
        return sum(self.answers.values())

    @property
    def toothless(self) -> list[str]:
        """The faults that were injected often, and never seen to take effect."""
        return [name for name, number in sorted(self.struck.items()) if number >= OFTEN and not self.delivered[name]]

    def speed(self) -> str:
        """How fast it goes, in words."""
        took_s = max(self.took_s, 1e-9)
        return f"{self.seeds_now / took_s:.1f} seeds/s, {self.virtual_now_s / took_s:,.0f} virtual seconds/s"


@contextmanager
def progress_on(console: Console, tally: Tally) -> Iterator[None]:
    """Redraw the tally while it changes, on a terminal; elsewhere only the end is told."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield
        return
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )
    task = bar.add_task("seeds", total=tally.wanted)

    def picture() -> RenderableType:
        bar.update(task, completed=tally.done)
        words = ", ".join(f"{tally.answers[answer]} {answer.value}" for answer in Answer)
        lines = [Text(f"{tally.speed()}; {words}"), Text(f"faults delivered: {sum(tally.delivered.values()):,}")]
        return Group(bar, *lines, *(Text(line, style="red") for line in _kind_lines(tally)))

    with Live(get_renderable=picture, console=console, refresh_per_second=4, transient=True):
        yield


def print_exploration(console: Console, tally: Tally, title: str) -> None:
    """Tell what was found."""
    answers = [Text(f"{tally.answers[answer]} {answer.value}", style=STYLE[answer]) for answer in Answer]
    console.print(Text(f"{title}: {tally.done} seeds, ").append_text(Text(", ").join(answers)))
    console.print(
        f"{tally.virtual_s:,.0f} virtual seconds, {tally.operations:,} operations, {tally.events:,} events, "
        f"{tally.cpu_s:,.0f} s CPU",
        highlight=False,
    )
    console.print(f"this time {tally.speed()}", highlight=False)
    same = tally.again - len(tally.differed)
    console.print(f"run again in another process under another hash seed: {tally.again}, the same: {same}")
    for told in tally.differed:
        console.print(told, style="bold red", highlight=False, markup=False)
    if tally.struck:
        console.print("faults delivered, of those injected:")
        console.print(_faults(tally))
    if tally.kinds:
        console.print(_kinds(tally))


def _faults(tally: Tally) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(no_wrap=True)
        table.add_column(justify="right")
    cells = [(name, f"{tally.delivered[name]:,}/{number:,}") for name, number in sorted(tally.struck.items())]
    for start in range(0, len(cells), 3):
        row = [cell for pair in cells[start : start + 3] for cell in pair]
        table.add_row(*row, *[""] * (6 - len(row)))
    return table


def _kinds(tally: Tally) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("finding")
    table.add_column("seeds", justify="right")
    table.add_column("the first of them", overflow="fold")
    for kind, seeds in list(_by_number(tally))[:KINDS_SHOWN]:
        shown = " ".join(map(str, sorted(seeds)[:SEEDS_SHOWN]))
        table.add_row(kind, str(len(seeds)), shown + (" …" if len(seeds) > SEEDS_SHOWN else ""))
    return table


def _kind_lines(tally: Tally) -> list[str]:
    return [f"{kind}: {_counted(seeds)}, such as {seeds[0]}" for kind, seeds in list(_by_number(tally))[:5]]


def _counted(seeds: list[int]) -> str:
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"


def _by_number(tally: Tally) -> list[tuple[str, list[int]]]:
    return sorted(tally.kinds.items(), key=lambda entry: (-len(entry[1]), entry[0]))
