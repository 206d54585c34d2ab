"""A read finds something of a key that was written before, when both quorums were made of primaries.

With R + W > N a read that began after a write had ended has a replica in common with it, unless a fallback stood in
(Dynamo, 4.5 and 4.6), and nothing here deletes. That holds while seats pass from one node to another as well: who is
asked before it has what it is to keep, would say that there is nothing. What the read returned may be something else
than what was written; that is for others to judge.

Who lost its disk between the write and the read, could not trust it, never came back, or was ordered out of the ring
without giving away what it kept, does not count as one that had it; and neither does who had it in memory only. This
file knows acknowledgements, and which faults take a copy with them. It does not know where a key should be. For each
read of nothing, one pass over the writes of its key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from checkers.causality import GET, PUT
from checkers.episodes import downtimes, episodes
from checkers.evidence import counted, operation_lines, shown
from checkers.history import History, Operation, Outcome
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "found"
_OF_A_DISK = "disk-"

_PASSED_OVER = ("down", "evict", "remove", "replace")
"""The faults whose victim is passed over: others sit where it sat, with what they could get elsewhere."""


class _Loss(NamedTuple):
    """A copy of everything on a node was lost, at some time from `since` to `until`; none for the end of the run."""

    node: str
    since: int
    until: int | None

    def parts(self, put: Operation, get: Operation) -> bool:
        """Whether it may have come after the write had reached the node, and before the read had."""
        ended = get.completed.at if get.completed else self.since
        return self.since <= ended and (self.until is None or put.invoked.at <= self.until)


def check(history: History) -> Verdict:
    """Find the reads of nothing that should have found something."""
    gets = [operation for operation in history.operations if operation.invoked.f == GET and _is_ok(operation)]
    empty = [operation for operation in gets if not operation.versions]
    losses = _losses(history) if empty else ()
    findings = [_finding(get, put) for get in empty for put in _before(history, get, losses)[:1]]
    figures = {"reads": len(gets), "of_nothing": len(empty), "wrong": len(findings)}
    if not findings:
        reason = f"of {counted(len(gets), 'read')} none missed what a quorum of primaries had"
        return Verdict(checker=_NAME, answer=Answer.VALID, reason=reason, figures=figures)
    return Verdict(
        checker=_NAME,
        answer=Answer.INVALID,
        reason=f"{counted(len(findings), 'read')} found nothing where a quorum of primaries had something",
        findings=tuple(findings[:FINDINGS_MAX]),
        found=len(findings),
        figures=figures,
    )


def _before(history: History, get: Operation, losses: tuple[_Loss, ...]) -> list[Operation]:
    """The writes of the key that had ended before the read began, and whose quorum meets the read's."""
    asked = _primaries(get)
    if asked is None:
        return []
    return [
        put
        for put in history.operations
        if put.invoked.f == PUT
        and put.invoked.key == get.invoked.key
        and _is_ok(put)
        and put.completed is not None
        and put.completed.at < get.invoked.at
        and (kept := _primaries(put)) is not None
        and len(asked) + len(_still(kept, put, get, losses)) > history.run.n
    ]


def _still(kept: tuple[str, ...], put: Operation, get: Operation, losses: tuple[_Loss, ...]) -> list[str]:
    """Those who kept a write and still had it when the read came."""
    return [node for node in kept if not any(loss.node == node and loss.parts(put, get) for loss in losses)]


def _primaries(operation: Operation) -> tuple[str, ...] | None:
    """Who acknowledged it; none where one of them was a fallback, or kept it in memory only."""
    acks = operation.completed.acks if operation.completed else ()
    if any(ack.hint_for is not None or not ack.durable for ack in acks):
        return None
    return tuple(dict.fromkeys(ack.node for ack in acks))


def _losses(history: History) -> tuple[_Loss, ...]:
    """When which node lost what it kept: a disk that cannot be trusted may be found out at any later start."""

    def found() -> Iterator[_Loss]:
        for change in history.node_changes:
            if change.event == "wiped":
                yield _Loss(change.node, change.at, change.at)
        for each in episodes(history):
            until = None if each.name.startswith(_OF_A_DISK) else each.healed_at or each.failed_at
            if each.name.startswith(_OF_A_DISK) or each.name in _PASSED_OVER:
                yield from (_Loss(node, each.requested_at or 0, until) for node in each.victims)
        yield from (_Loss(away.node, away.since, None) for away in downtimes(history) if away.until is None)

    return tuple(found())


def _is_ok(operation: Operation) -> bool:
    return operation.outcome is Outcome.OK


def _finding(get: Operation, put: Operation) -> Finding:
    return Finding(
        kind="not-found",
        summary=f"{get.id} found nothing of {shown(get.invoked.key)}, which {put.id} had written before",
        key=get.invoked.key,
        operations=(put.id, get.id),
        nodes=tuple(dict.fromkeys((*(_primaries(put) or ()), *(_primaries(get) or ())))),
        evidence=operation_lines((put, get)),
    )
