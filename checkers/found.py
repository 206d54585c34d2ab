"""A read finds something of a key that was written before, when both quorums were made of primaries.

With R + W > N a read that began after a write had ended has a replica in common with it, unless a fallback stood in
(Dynamo, 4.5 and 4.6), and nothing here deletes. That holds while seats pass from one node to another as well: who is
asked before it has what it is to keep, would say that there is nothing. What the read returned may be something else
than what was written; that is for others to judge.

What was on a disk that was lost, or on a node that never came back, does not count, and neither does what was only in
memory. This file knows acknowledgements. It does not know where a key should be. For each read of nothing, one pass
over the writes of its key.
"""

from __future__ import annotations

from collections.abc import Iterator

from checkers.causality import GET, PUT
from checkers.episodes import downtimes, episodes, wiped_nodes
from checkers.evidence import counted, operation_lines, shown
from checkers.history import History, Operation, Outcome
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "found"
_OF_A_DISK = "disk-"


def check(history: History) -> Verdict:
    """Find the reads of nothing that should have found something."""
    gets = [operation for operation in history.operations if operation.invoked.f == GET and _is_ok(operation)]
    empty = [operation for operation in gets if not operation.versions]
    findings = [_finding(get, put) for get in empty for put in _before(history, get)[:1]]
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


def _before(history: History, get: Operation) -> list[Operation]:
    """The writes of the key that had ended before the read began, and whose quorum meets the read's."""
    asked = _primaries(get)
    if asked is None:
        return []
    lost = _lost(history)
    return [
        put
        for put in history.operations
        if put.invoked.f == PUT
        and put.invoked.key == get.invoked.key
        and _is_ok(put)
        and put.completed is not None
        and put.completed.at < get.invoked.at
        and (kept := _primaries(put)) is not None
        and len(asked) + sum(node not in lost for node in kept) > history.run.n
    ]


def _primaries(operation: Operation) -> tuple[str, ...] | None:
    """Who acknowledged it; none where one of them was a fallback, or kept it in memory only."""
    acks = operation.completed.acks if operation.completed else ()
    if any(ack.hint_for is not None or not ack.durable for ack in acks):
        return None
    return tuple(dict.fromkeys(ack.node for ack in acks))


def _lost(history: History) -> tuple[str, ...]:
    """The nodes whose disk was lost or could not be trusted, and those that never came back."""

    def found() -> Iterator[str]:
        yield from wiped_nodes(history)
        yield from (node for each in episodes(history) if each.name.startswith(_OF_A_DISK) for node in each.victims)
        yield from (downtime.node for downtime in downtimes(history) if downtime.until is None)

    return tuple(dict.fromkeys(found()))


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
