"""What an operator must not be able to do is refused, and a fault that tried it says so.

A fault that gives orders knows which of them no cluster may take, such as to replace a node that lives, and writes down
in its proof what was taken all the same: a sentence each, under `unmet`. While another fault is in force nobody can be
blamed: a node that is cut off looks dead. This file knows those sentences. It does not know one order.
"""

from __future__ import annotations

from checkers.episodes import Episode, episodes
from checkers.evidence import counted, seconds
from checkers.history import History
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "orders"
_UNMET = "unmet"
_NEVER = 1 << 62
_WAKE_NS = 2_000_000_000


def check(history: History) -> Verdict:
    """Find the orders that should have been refused."""
    found = episodes(history)
    findings = [
        _finding(episode, sentence)
        for episode in found
        if not any(other.id != episode.id and _beside(episode, other) for other in found)
        for sentence in _unmet(episode)
    ]
    if not findings:
        reason = "nobody took an order that had to be refused"
        return Verdict(checker=_NAME, answer=Answer.VALID, reason=reason)
    return Verdict(
        checker=_NAME,
        answer=Answer.INVALID,
        reason=f"{counted(len(findings), 'order')} should have been refused",
        findings=tuple(findings[:FINDINGS_MAX]),
        found=len(findings),
    )


def _beside(episode: Episode, other: Episode) -> bool:
    began, ended = episode.requested_at or 0, episode.healed_at or episode.failed_at or _NEVER
    return other.overlaps(began, ended, wake_ns=_WAKE_NS)


def _unmet(episode: Episode) -> list[str]:
    told = episode.observed.get(_UNMET)
    return [sentence for sentence in told if isinstance(sentence, str)] if isinstance(told, list | tuple) else []


def _finding(episode: Episode, sentence: str) -> Finding:
    began = seconds(episode.requested_at or 0)
    return Finding(
        kind="order-taken",
        summary=sentence,
        nodes=episode.victims,
        evidence=(f"fault {episode.id}, {episode.name}, from {began} on",),
    )
