"""Draw a ladder in a terminal: one row for each thing that happened, in the order of time.

Lifelines run down, and stop while a node is down. A message is a thin arrow at the time at which it was sent; one that
the receiver got only after something else is drawn twice, as it leaves and as it comes. An operation is a heavy arrow
there and another one back. Faults in force are bars at the margin. Nothing is said by colour alone. This file knows
characters and columns.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from reports.ladder import (
    ARRIVED,
    FaultSpan,
    Ladder,
    Mark,
    Message,
    Moment,
    Operation,
    Phase,
    lanes,
    milliseconds,
    moments,
    quick,
    sentence,
)

GAP_NS = 100_000_000
"""A longer time in which nothing happens gets a row of its own."""

HEADER_EVERY = 40
"""After so many rows the columns are named again."""

_LABEL = 34
_COLUMN_MIN, _COLUMN_MAX = 5, 8

SYMBOLS = {
    "commit": "◆",
    "killed": "✖",
    "exited": "✖",
    "wiped": "✖",
    "stopped": "■",
    "started": "▲",
    "paused": "‖",
    "resumed": "▲",
    "holds": "▣",
}
"""How what happens to a node is drawn; anything else is a dot."""

KEY = (
    "─▶ message   ─✗ never arrived   ╌▷ leaves, ╌▶ comes later   ━▶ operation, answer\n"
    "◆ commit   ✖ killed or wiped   ▲ started or resumed   ‖ paused   ▣ end state\n"
    "┃ fault in force   ⋮ a longer time"
)

_STYLES = {"ok": "green", "failed": "red", "unknown": "yellow"}
_AWAY = {"killed": " ", "exited": " ", "stopped": " ", "paused": "┊", "started": "│", "resumed": "│"}


def print_ladder(ladder: Ladder, console: Console) -> None:
    """Print a ladder; its rows fit the console unless it has a great many columns."""
    for line in drawn(ladder, console.width):
        console.print(line, no_wrap=True, overflow="ignore", crop=False)


def drawn(ladder: Ladder, width: int) -> Iterator[Text]:
    """Every line: the key to the signs, the names of the columns, the rows, and what was left out."""
    yield from (Text(line, style="dim") for line in KEY.splitlines() if len(line) <= width)
    yield Text()
    yield from _Drawing(ladder, width).lines()
    yield from (Text(note, style="dim") for note in ladder.notes)


@dataclass
class _Row:
    """One row under way: what it says, and what is drawn on its lifelines, character by character."""

    cells: list[str]
    styles: list[str]
    label: str
    style: str = ""

    def put(self, place: int, character: str, style: str) -> None:
        self.cells[place], self.styles[place] = character, style


class _Drawing:
    """The state of a drawing from row to row: which nodes are there, and which faults are in force."""

    def __init__(self, ladder: Ladder, width: int) -> None:
        self._ladder = ladder
        self._moments = moments(ladder)
        self._quick = quick(self._moments)
        self._lanes = lanes(ladder.faults)
        self._time = max([7, *(len(milliseconds(moment.at_ns)) for moment in self._moments)])
        self._bars = max(self._lanes.values(), default=-1) + 1
        names = ladder.columns
        widest = max((len(name) for name in names), default=2)
        room = (width - self._time - self._bars - 2 - _LABEL) // max(1, len(names))
        self._step = max(min(room, _COLUMN_MAX), _COLUMN_MIN, widest + 1)
        self._label = max(_LABEL - 10, width - self._time - self._bars - 2 - self._step * len(names))
        self._places = {name: number * self._step + self._step // 2 for number, name in enumerate(names)}
        self._lines = dict.fromkeys(names, "│")
        self._in_force: list[int] = []

    def lines(self) -> Iterator[Text]:
        """Every line."""
        yield self._header()
        before_ns, rows = None, 0
        for moment in self._moments:
            if isinstance(moment.item, Message) and moment.ends and moment.serial in self._quick:
                continue
            if rows and rows % HEADER_EVERY == 0:
                yield self._header()
            if before_ns is not None and moment.at_ns - before_ns > GAP_NS:
                yield self._gap(moment.at_ns - before_ns)
            yield from self._row(moment)
            before_ns, rows = moment.at_ns, rows + 1

    def _header(self) -> Text:
        names = [" "] * (self._step * len(self._ladder.columns))
        for name, place in self._places.items():
            start = place - (len(name) - 1) // 2
            names[start : start + len(name)] = name
        return Text(f"{'ms':>{self._time}} {' ' * self._bars} {''.join(names)}".rstrip(), style="bold")

    def _gap(self, lasted_ns: int) -> Text:
        row = self._blank(f"{lasted_ns / 1e9:.1f} s pass", "dim")
        for name, place in self._places.items():
            row.put(place, "┆" if self._lines[name] != " " else " ", "dim")
        return self._line("⋮", row, "")

    def _blank(self, label: str, style: str = "") -> _Row:
        cells = [" "] * (self._step * len(self._ladder.columns))
        row = _Row(cells, ["dim"] * len(cells), label, style)
        for name, place in self._places.items():
            row.cells[place] = self._lines[name]
        return row

    # --- rows ---

    def _row(self, moment: Moment) -> Iterator[Text]:
        """One row, and more of them where its label is long."""
        row = self._blank(sentence(moment))
        sign = ""
        match moment.item:
            case Message():
                self._message(row, moment, moment.item)
            case Operation():
                self._operation(row, moment, moment.item)
            case Mark():
                self._mark(row, moment.item)
            case FaultSpan():
                row.style = "magenta"
                sign = "┗" if moment.ends else "┏"
                self._in_force.append(moment.item.id)
            case Phase():
                row.label = f"── {moment.item.name} ──"
                row.style = "bold yellow" if moment.item.telling else "dim"
        first, *rest = self._wrapped(row.label)
        row.label = first
        yield self._line(milliseconds(moment.at_ns), row, sign, moment.item)
        if isinstance(moment.item, FaultSpan) and moment.ends:
            self._in_force = [fault for fault in self._in_force if fault != moment.item.id]
        for more in rest:
            yield self._line("", self._blank(more, row.style), "")

    def _wrapped(self, label: str) -> list[str]:
        """The lines of a label; a fault and its number stay together."""
        lines = textwrap.wrap(label.replace("fault ", "fault\u00a0"), self._label, subsequent_indent="  ")
        return [line.replace("\u00a0", " ") for line in lines] or [""]

    def _line(self, time: str, row: _Row, sign: str, item: object = None) -> Text:
        line = Text(f"{time:>{self._time}} ", style="")
        line.stylize("dim")
        line.append(self._margin(sign, item), style="magenta")
        line.append(" ")
        for character, style in zip(row.cells, row.styles, strict=True):
            line.append(character, style=style)
        line.append(row.label, style=row.style)
        line.rstrip()
        return line

    def _margin(self, sign: str, item: object) -> str:
        bars = [" "] * self._bars
        for fault in self._in_force:
            bars[self._lanes[fault]] = "┃"
        if isinstance(item, FaultSpan):
            bars[self._lanes[item.id]] = sign
        return "".join(bars)

    def _message(self, row: _Row, moment: Moment, message: Message) -> None:
        arrives = message.fate == ARRIVED
        if arrives and moment.serial not in self._quick:
            row.label = f"{sentence(moment)}" if moment.ends else f"{message.label} leaves"
            self._arrow(row, message.source, message.target, "╌", "▶◀" if moment.ends else "▷◁", "")
            row.style = "" if moment.ends else "dim"
        elif arrives:
            self._arrow(row, message.source, message.target, "─", "▶◀", "")
        else:
            row.style = "red"
            self._arrow(row, message.source, message.target, "─", "✗✗", "red")

    def _operation(self, row: _Row, moment: Moment, operation: Operation) -> None:
        ways = (operation.node, operation.client) if moment.ends else (operation.client, operation.node)
        answered = moment.ends or operation.ends_ns is None
        row.style = _STYLES.get(operation.outcome, "") if answered else "bold"
        self._arrow(row, *ways, "━", "▶◀", row.style)

    def _mark(self, row: _Row, mark: Mark) -> None:
        self._lines[mark.column] = _AWAY.get(mark.kind, self._lines[mark.column])
        row.style = {"commit": "blue", "holds": "cyan"}.get(mark.kind, "bold red")
        row.put(self._places[mark.column], SYMBOLS.get(mark.kind, "•"), row.style)

    def _arrow(self, row: _Row, source: str, target: str, stroke: str, heads: str, style: str) -> None:
        """Draw from one lifeline to another, through those in between."""
        start, end = self._places[source], self._places[target]
        heavy = stroke == "━"
        right = end > start
        for place in range(min(start, end) + 1, max(start, end)):
            crossed = row.cells[place] not in (" ", stroke)
            row.put(place, ("┿" if heavy else "┼") if crossed else stroke, style)
        row.put(start, ("┝┥" if heavy else "├┤")[not right], style)
        row.put(end - 1 if right else end + 1, heads[not right], style)
