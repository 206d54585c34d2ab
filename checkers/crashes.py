"""No node ended by itself: whoever was not killed, and was not asked to leave, lives.

A store whose nodes fall over may keep every promise to its clients, because their neighbours cover for them, and so
every other checker is content. This file knows what happened to nodes. It does not know why.

The cost is linear in the history.
"""

from __future__ import annotations

from checkers.evidence import counted, seconds
from checkers.history import History, NodeChanged
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "crashes"


def check(history: History) -> Verdict:
    """Find the nodes that ended without having been told to."""
    changes = history.node_changes
    if not any(change.event == "started" for change in changes):
        return Verdict(checker=_NAME, answer=Answer.UNKNOWN, reason="no node was started")
    ended = [change for change in changes if change.event == "exited"]
    if not ended:
        return Verdict(checker=_NAME, answer=Answer.VALID, reason="no node ended by itself")
    return Verdict(
        checker=_NAME,
        answer=Answer.INVALID,
        reason=f"{counted(len(ended), 'end')} of a node that nobody had asked for",
        findings=tuple(_finding(history, change) for change in ended[:FINDINGS_MAX]),
        found=len(ended),
    )


def _finding(history: History, change: NodeChanged) -> Finding:
    detail = ", ".join(f"{name} {value}" for name, value in change.detail.items())
    others = [other for other in history.node_changes if other.node == change.node]
    return Finding(
        kind="node-died",
        summary=f"{change.node} ended by itself at {seconds(change.at)}, in phase {history.phase_at(change.at)}",
        nodes=(change.node,),
        evidence=(detail or "nothing is known of its end", *(f"{seconds(c.at)}  {c.event}" for c in others)),
    )
