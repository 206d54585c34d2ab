"""Follow a run in plain lines: a phase, a fault, a node, each with the run's time. For pipes, logs and CI.

This file knows which records are worth a line. It does not know where the lines go. A node's first start is not told
by itself: the next phase says how many nodes are up.
"""

from __future__ import annotations

from checkers.evidence import seconds
from checkers.history import FaultChanged, NodeChanged, PhaseBegan, Record, RunEnded, Settled
from reports.progress import Progress, standing

WIDTH = 100


class PlainLines:
    """Turns records into lines of at most `WIDTH` characters, and most of them into none."""

    def __init__(self) -> None:
        self._progress = Progress()

    def line(self, record: Record) -> str | None:
        """The line that a record is worth, if any."""
        words = self._words(record)
        self._progress.hear(record)
        if not words:
            return None
        printable = words if words.isprintable() else repr(words)[1:-1]
        line = f"{self._progress.at / 1e9:7.3f} s  {printable}"
        return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"

    def _words(self, record: Record) -> str:
        match record:
            case PhaseBegan():
                return self._phase(record)
            case FaultChanged():
                return _fault(record)
            case NodeChanged():
                known = record.node in self._progress.up or record.node in self._progress.down
                return f"{record.node} {record.event}" if known or record.event != "started" else ""
            case Settled():
                return f"{record.round}: {record.state} after {seconds(record.waited_ns)}"
            case RunEnded():
                return cut_short(record)
        return ""

    def _phase(self, record: PhaseBegan) -> str:
        run, up = self._progress.run, len(self._progress.up)
        there = max(up + len(self._progress.down), len(run.nodes)) if run else 0
        known = f", {up} of {there} nodes up" if up or self._progress.down else ""
        return f"phase {record.name}{known}"


def cut_short(ended: RunEnded) -> str:
    """Say that a run was interrupted, and why; nothing of one that came to its end."""
    why = ended.interrupted or ""
    return why if not why or why.startswith("interrupted") else f"interrupted: {why}"


def _fault(record: FaultChanged) -> str:
    named = f"fault {record.id} {record.name}"
    match record.event:
        case "started":
            return f"{named} started{_whom(record)}"
        case "healed":
            return f"{named} healed, {'seen' if record.delivered else 'never seen'} to take effect"
        case "failed":
            reason = record.detail.get("reason")
            return f"{named} failed: {reason}" if reason else f"{named} failed"
    return ""


def _whom(record: FaultChanged) -> str:
    fault = standing(record)
    sides = " | ".join(" ".join(side.nodes) for side in fault.sides)
    whom = ", ".join(part for part in (sides, " ".join(fault.victims)) if part)
    return f": {whom or f'{fault.links} links'}" if whom or fault.links else ""
