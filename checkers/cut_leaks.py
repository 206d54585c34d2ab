"""Whether a cut was a cut, seen from outside: no operation may have needed both ends of a link that was severed.

The world that cuts a link also counts what it dropped there, so its numbers cannot contradict it. The clients can: a
coordinator that names a replica as having answered has spoken with it, and heard it. Where both directions between the
two were cut all the while, something got through.

Only the coordinator's own pairs count: it may be a bridge between two replicas that do not hear each other. A pair with
one direction cut is left alone. So is whatever began within half a second of the cut, since what was on its way then
may arrive, and whatever ended after the dump that comes just before the heal (without one, half a second before the
heal is written down), since links open one by one. This file knows cuts and answers. It does not know how a link is
cut. One pass over the operations, and one more over those within each cut, found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from checkers.episodes import Episode
from checkers.evidence import counted, cut_to, fault_lines, operation_line
from checkers.history import History, Operation
from checkers.replicas import fault_round
from checkers.verdict import Finding

_MARGIN_NS = 500_000_000
_SHOWN_MAX = 10


def cut_leaks(history: History, cuts: Sequence[Episode]) -> Iterator[Finding]:
    """Find cuts that operations were carried out across."""
    severing = [(cut, pairs) for cut in cuts if cut.started_at is not None and (pairs := _severed(cut))]
    if not severing:
        return
    operations = sorted((op for op in history.operations if _told(op)), key=_invoked_at)
    for cut, pairs in severing:
        begin, end = _sure(history, cut)
        within = operations[
            bisect_left(operations, begin, key=_invoked_at) : bisect_right(operations, end, key=_invoked_at)
        ]
        leaked = [op for op in within if _ended_by(op, end) and _across(op, pairs)]
        if leaked:
            yield _finding(history, cut, pairs, leaked)


def _invoked_at(operation: Operation) -> int:
    return operation.invoked.at


def _told(operation: Operation) -> bool:
    """Whether the answer says who coordinated, and who answered."""
    ended = operation.completed
    return ended is not None and ended.coordinator is not None and bool(ended.acks)


def _ended_by(operation: Operation, end: int) -> bool:
    return operation.completed is not None and operation.completed.at < end


def _severed(cut: Episode) -> frozenset[tuple[str, str]]:
    """The pairs of nodes whose links are cut both ways."""
    links = frozenset(cut.links)
    return frozenset((one, two) for one, two in links if (two, one) in links)


def _sure(history: History, cut: Episode) -> tuple[int, int]:
    """The span in which the cut was surely in force."""
    assert cut.started_at is not None, "a cut that never started severs nothing"
    ended = cut.healed_at if cut.healed_at is not None else cut.failed_at
    dumped = [dump.at for dump in history.dumps(fault_round(cut.id)).values()]
    last = history.lasted_ns if ended is None else ended
    return cut.started_at + _MARGIN_NS, min(last, max(dumped)) if dumped else last - _MARGIN_NS


def _across(operation: Operation, pairs: frozenset[tuple[str, str]]) -> list[str]:
    """Name the replicas that answered the coordinator from the other end of a severed pair."""
    ended = operation.completed
    if ended is None or ended.coordinator is None:
        return []
    return [ack.node for ack in ended.acks if (ended.coordinator, ack.node) in pairs]


def _finding(history: History, cut: Episode, pairs: frozenset[tuple[str, str]], leaked: list[Operation]) -> Finding:
    first = leaked[0]
    assert first.completed is not None, "only a completed operation names its coordinator"
    coordinator, other = first.completed.coordinator, _across(first, pairs)[0]
    summary = f"cut {cut.id} ({cut.name}) leaked: {coordinator} and {other} answered {first.id} together"
    nodes = [node for op in leaked if op.completed for node in (op.completed.coordinator, *_across(op, pairs)) if node]
    return Finding(
        kind="cut-leaked",
        summary=f"{summary}, {counted(len(leaked), 'operation')} in all",
        operations=tuple(op.id for op in leaked[:_SHOWN_MAX]),
        nodes=tuple(dict.fromkeys(nodes)),
        evidence=(*fault_lines(history, [cut]), *cut_to(_SHOWN_MAX, [_line(op, pairs) for op in leaked])),
    )


def _line(operation: Operation, pairs: frozenset[tuple[str, str]]) -> str:
    ended = operation.completed
    assert ended is not None, "only a completed operation names its coordinator"
    links = (f"{ended.coordinator}>{node} and {node}>{ended.coordinator}" for node in _across(operation, pairs))
    return f"{operation_line(operation)} — across {', '.join(links)}"
