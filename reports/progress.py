"""Where a run stands while it goes on, put together from the records of its history as they are written.

This file knows records and counts; each takes constant time and is forgotten, so a long run costs no more than a short
one. It does not know how anything is shown, nor any clock: times are those of the records, and "now" is told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from checkers.causality import PUT
from checkers.history import (
    NOT_SENT,
    Completed,
    Dumped,
    FaultChanged,
    Invoked,
    NodeChanged,
    Outcome,
    PhaseBegan,
    Record,
    RunEnded,
    RunStarted,
    Settled,
)

STEP_NS = 500_000_000
STEPS = 10
WINDOW_S = STEP_NS * STEPS // 1_000_000_000
"""Rates are those of the last `STEPS` steps; a step is the least time that a rate is told of."""

_POSITION = {Outcome.OK: 0, Outcome.FAILED: 1, Outcome.UNKNOWN: 2}

Counts = tuple[int, int, int]
Rates = tuple[float, float, float]
"""Ok, failed, unknown: operations, and operations a second."""


@dataclass
class Side:
    """One side of a cut: its nodes, and what became of the puts that they were asked for while it was in force."""

    nodes: tuple[str, ...]
    tried: int = 0
    taken: int = 0


@dataclass
class Standing:
    """A fault that was requested and is not healed; `since` is `None` until it is in force."""

    id: int
    name: str
    sides: tuple[Side, ...]
    victims: tuple[str, ...]
    links: int
    since: int | None = None

    def take(self, put: Invoked, *, taken: bool) -> None:
        """Count a put that ended, for the side of the node that was asked; not one from before the fault."""
        if self.since is None or put.at < self.since:
            return
        for side in self.sides:
            if put.node in side.nodes:
                side.tried += 1
                side.taken += taken


def standing(record: FaultChanged) -> Standing:
    """What a record says of whom its fault is done to."""
    return Standing(
        id=record.id,
        name=record.name,
        sides=tuple(Side(tuple(nodes)) for nodes in record.detail.get("sides", ())),
        victims=tuple(record.detail.get("nodes", ())),
        links=len(record.detail.get("links", ())),
    )


@dataclass
class Round:
    """The last occasion on which replicas were looked at: how the wait for quiet ended, and how many were dumped."""

    name: str
    settled: Settled | None = None
    dumped: int = 0


class Progress:
    """A run so far. Tell it every record in order, then read its fields."""

    def __init__(self) -> None:
        self.run: RunStarted | None = None
        self.phase: PhaseBegan | None = None
        self.ended: RunEnded | None = None
        self.at = 0
        self.faults: dict[int, Standing] = {}
        self.healed = 0
        self.failed = 0
        self.up: dict[str, int] = {}
        self.down: dict[str, int] = {}
        self.round: Round | None = None
        self._totals = [0, 0, 0]
        self._open: dict[str, Invoked] = {}
        self._began: int | None = None
        self._steps: deque[tuple[int, list[int]]] = deque(maxlen=STEPS + 1)

    def hear(self, record: Record) -> None:
        """Take in one record."""
        match record:
            case Invoked():
                self._open[record.op] = record
                if self._began is None:
                    self._began = record.at
            case Completed():
                self._completed(record)
            case RunStarted():
                self.run = record
                return
            case PhaseBegan():
                self.phase = record
            case FaultChanged():
                self._fault(record)
            case NodeChanged():
                self._node(record)
            case Dumped():
                self._looked(record.round).dumped += 1
            case Settled():
                self._looked(record.round).settled = record
            case RunEnded():
                self.ended = record
        self.at = max(self.at, record.at)

    @property
    def totals(self) -> Counts:
        """How many operations ended, by outcome."""
        ok, failed, unknown = self._totals
        return ok, failed, unknown

    @property
    def under_way(self) -> int:
        """How many operations were invoked and have not ended."""
        return len(self._open)

    def rates(self, now: int) -> Rates:
        """Operations a second by outcome over the last seconds, or since the first one if that is not so long ago."""
        if self._began is None:
            return 0.0, 0.0, 0.0
        oldest = now // STEP_NS - STEPS + 1
        span = max(now - max(oldest * STEP_NS, self._began), STEP_NS) / 1e9
        recent = [counts for step, counts in self._steps if step >= oldest]
        ok, failed, unknown = (sum(column) / span for column in zip([0, 0, 0], *recent, strict=True))
        return ok, failed, unknown

    def _completed(self, record: Completed) -> None:
        position = _POSITION[record.outcome]
        self._totals[position] += 1
        step = record.at // STEP_NS
        if not self._steps or self._steps[-1][0] != step:
            self._steps.append((step, [0, 0, 0]))
        self._steps[-1][1][position] += 1
        asked = self._open.pop(record.op, None)
        if asked is not None and asked.f == PUT and not (record.error or "").startswith(NOT_SENT):
            for fault in self.faults.values():
                fault.take(asked, taken=record.outcome is Outcome.OK)

    def _fault(self, record: FaultChanged) -> None:
        match record.event:
            case "requested":
                self.faults[record.id] = standing(record)
            case "started":
                self.faults.setdefault(record.id, standing(record)).since = record.at
            case "healed":
                self.faults.pop(record.id, None)
                self.healed += 1
            case "failed":
                self.faults.pop(record.id, None)
                self.failed += 1

    def _node(self, record: NodeChanged) -> None:
        if record.event == "started":
            self.down.pop(record.node, None)
            self.up[record.node] = record.at
        elif record.event in ("killed", "stopped", "exited"):
            self.up.pop(record.node, None)
            self.down.setdefault(record.node, record.at)

    def _looked(self, name: str) -> Round:
        if self.round is None or self.round.name != name:
            self.round = Round(name)
        return self.round
