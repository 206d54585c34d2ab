"""How long operations took that succeeded: percentiles by kind, with and without a fault, and none that is made up.

An operation belongs to every fault that was in force at any time while it was under way; one that met none belongs to
its phase, also when a fault had just been healed. This file knows spans and samples. It does not know what would be
quick enough.

Latency counts from when an operation was *due*, where the history says so: in an open loop an operation may have waited
for its client, and a count that leaves the wait out hides the worst of it (coordinated omission). Else it counts from
the invocation.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.text import Text

from checkers.episodes import Episode
from checkers.history import History, Outcome
from reports.tables import NONE, grouping, milliseconds, table

PERCENTILES = ((500, 1, "p50"), (990, 100, "p99"), (999, 1000, "p99.9"))
"""In thousandths; how many samples each needs before it means anything; what it is called."""


@dataclass
class Row:
    """The samples of one kind of operation in one circumstance."""

    kind: str
    when: str
    samples: list[int] = field(default_factory=list)


def latencies(history: History, injected: Sequence[Episode]) -> RenderableType | None:
    """Tell how long successful operations took, or nothing when none succeeded."""
    rows = rows_of(history, injected)
    if not rows:
        return None
    drawn = table("latency, ms")
    drawn.add_column("", overflow="fold")
    for name in ("ok", *(name for _, _, name in PERCENTILES)):
        drawn.add_column(name, justify="right", no_wrap=True)
    told = ""
    for row in rows:
        ordered = sorted(row.samples)
        cells = [_cell(ordered, permille, needed) for permille, needed, _ in PERCENTILES]
        drawn.add_row(Text(row.kind if row.kind != told else ""), Text(row.when), grouping(len(ordered)), *cells)
        told = row.kind
    return Group(drawn, Text(_caption(history, rows), style="dim"))


def percentile(ordered: Sequence[int], permille: int) -> int:
    """The smallest sample that is not below so many thousandths of all samples (nearest rank; nothing in between)."""
    rank = -(-len(ordered) * permille // 1000)
    return ordered[max(rank, 1) - 1]


def rows_of(history: History, injected: Sequence[Episode]) -> list[Row]:
    """Sort operations that succeeded into rows: by kind, then phases in order, then faults in order."""
    spans = _spans(injected, history.lasted_ns + 1)
    struck = [history.phase_at(episode.started_at) for episode in injected if episode.started_at is not None]
    phases = [f"{phase.name}, no fault" if phase.name in struck else phase.name for phase in history.phases]
    rows: dict[tuple[str, str], Row] = {}
    for operation in history.operations:
        took, ended, kind = operation.latency_ns, operation.completed, operation.invoked.f
        if took is None or ended is None or ended.outcome is not Outcome.OK:
            continue
        phase = history.phase_at(ended.at - took)
        met = [name for name, span in spans.items() if span.overlaps(ended.at - took, ended.at)]
        for when in met or [f"{phase}, no fault" if phase in struck else phase]:
            rows.setdefault((kind, when), Row(kind, when)).samples.append(took)
    order = [*dict.fromkeys(phases), *spans]
    place = {when: position for position, when in enumerate(order)}
    return sorted(rows.values(), key=lambda row: (row.kind, place.get(row.when, -1)))


@dataclass
class _Spans:
    """When faults of one name were in force: spans in order, those that touch made one."""

    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def take(self, begin: int, end: int) -> None:
        """Add a span that begins no earlier than those before it."""
        if self.ends and begin <= self.ends[-1]:
            self.ends[-1] = max(self.ends[-1], end)
        else:
            self.begins.append(begin)
            self.ends.append(end)

    def overlaps(self, begin: int, end: int) -> bool:
        """Whether any span has a moment in common with this one."""
        last = bisect_right(self.begins, end) - 1
        return last >= 0 and self.ends[last] > begin


def _spans(injected: Sequence[Episode], until: int) -> dict[str, _Spans]:
    spans: dict[str, _Spans] = {}
    for episode in sorted(injected, key=lambda episode: episode.started_at or 0):
        if episode.started_at is not None:
            end = episode.started_at + episode.lasted_ns(until)
            spans.setdefault(episode.name, _Spans()).take(episode.started_at, end)
    return spans


def _cell(ordered: Sequence[int], permille: int, needed: int) -> Text:
    if len(ordered) < needed:
        return Text(NONE, style="dim")
    return Text(milliseconds(percentile(ordered, permille)))


def _caption(history: History, rows: Sequence[Row]) -> str:
    with_due = sum(operation.invoked.due is not None for operation in history.operations)
    counted = sum(operation.outcome is Outcome.OK for operation in history.operations)
    begins = "from when it was due" if with_due else "from invocation"
    if 0 < with_due < len(history.operations):
        begins = "from when it was due, where that is known, else from invocation"
    shared = sum(len(row.samples) for row in rows) > counted
    return f"{begins} to answer, ok operations only" + ("; one that met two faults counts for both" if shared else "")
