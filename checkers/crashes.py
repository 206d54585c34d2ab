"""No node ended by itself: whoever was not killed, and was not asked to leave, lives.

A store whose nodes fall over may keep every promise to its clients, because their neighbours cover for them, and so
every other checker is content. One end is right: a node whose disk has failed must not go on. A fault whose name begins
with `disk-` says in its proof how many `exits` of each victim it has caused, and so many are forgiven, while it was in
force, of those that left an error. This file knows what happened to nodes, and which faults answer for it. It does not
know why.

The cost is linear in the history, times the faults.
"""

from __future__ import annotations

from checkers.episodes import Episode, episodes
from checkers.evidence import counted, seconds
from checkers.history import History, NodeChanged
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "crashes"
_OF_A_DISK = "disk-"


def check(history: History) -> Verdict:
    """Find the nodes that ended without having been told to."""
    changes = history.node_changes
    if not any(change.event == "started" for change in changes):
        return Verdict(checker=_NAME, answer=Answer.UNKNOWN, reason="no node was started")
    exits = [change for change in changes if change.event == "exited"]
    ended = _unforgiven(history, exits)
    if not ended:
        return Verdict(checker=_NAME, answer=Answer.VALID, reason=_innocent(len(exits)))
    return Verdict(
        checker=_NAME,
        answer=Answer.INVALID,
        reason=f"{counted(len(ended), 'end')} of a node that nobody had asked for",
        findings=tuple(_finding(history, change) for change in ended[:FINDINGS_MAX]),
        found=len(ended),
    )


def _innocent(forgiven: int) -> str:
    if not forgiven:
        return "no node ended by itself"
    return f"no node ended by itself but for {counted(forgiven, 'end')} on a broken disk"


def _unforgiven(history: History, exits: list[NodeChanged]) -> list[NodeChanged]:
    """Leave out the ends that a fault of a disk answers for, the earliest first."""
    on_disks = [episode for episode in episodes(history) if episode.name.startswith(_OF_A_DISK)]
    left = {(episode.id, node): _exits(episode, node) for episode in on_disks for node in episode.victims}
    found: list[NodeChanged] = []
    for change in exits:
        causes = [
            episode
            for episode in on_disks
            if left.get((episode.id, change.node)) and change.detail.get("error") and _in_force(episode, change.at)
        ]
        if causes:
            left[causes[0].id, change.node] -= 1
        else:
            found.append(change)
    return found


def _exits(episode: Episode, node: str) -> int:
    """How many ends of a node the fault answers for, by its own proof."""
    seen = episode.observed.get(node)
    exits = seen.get("exits") if isinstance(seen, dict) else None
    return exits if isinstance(exits, int) else 0


def _in_force(episode: Episode, at: int) -> bool:
    """Whether a fault was being injected, in force or being cured at that time."""
    began, ended = episode.requested_at, episode.healed_at if episode.healed_at is not None else episode.failed_at
    return began is not None and began <= at and (ended is None or at <= ended)


def _finding(history: History, change: NodeChanged) -> Finding:
    detail = ", ".join(f"{name} {value}" for name, value in change.detail.items())
    others = [other for other in history.node_changes if other.node == change.node]
    return Finding(
        kind="node-died",
        summary=f"{change.node} ended by itself at {seconds(change.at)}, in phase {history.phase_at(change.at)}",
        nodes=(change.node,),
        evidence=(detail or "nothing is known of its end", *(f"{seconds(c.at)}  {c.event}" for c in others)),
    )
