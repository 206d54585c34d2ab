"""Once faults are healed and hints drained, every replica of a key holds the same versions.

Dynamo promises that all replicas see every update in the end (4.4), by hinted handoff first (4.6) and by read repair
and anti-entropy for the rest (4.7). This file knows dumps and how the wait for quiet ended. It does not know what the
replicas should hold: equal and wrong is for others to find. One pass over each round of dumps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checkers.evidence import counted, cut_to, holding_lines, listed, shown
from checkers.history import History, Settled, Version
from checkers.replicas import FINAL, HANDOFF, Snapshot, fault_round
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "convergence"


@dataclass(frozen=True)
class _Fates:
    """How the keys came to agree, if they did."""

    by_handoff: tuple[str, ...] = ()
    by_repair: tuple[str, ...] = ()
    not_at_all: tuple[str, ...] = ()


def check(history: History) -> Verdict:
    """Judge whether the replicas agreed at the end, with nothing left to deliver."""
    figures: dict[str, Any] = {"differed_at_heal": _differed_at_heal(history), **_waits(history)}
    if FINAL not in history.rounds:
        return Verdict(checker=_NAME, answer=Answer.UNKNOWN, reason="no replica was dumped at the end", figures=figures)
    final = Snapshot(history, FINAL)
    if not final.keys:
        return Verdict(checker=_NAME, answer=Answer.UNKNOWN, reason="no replica held any key", figures=figures)
    fates = _fates(history, final)
    figures |= {
        "keys": len(final.keys),
        "by_handoff": len(fates.by_handoff) if HANDOFF in history.rounds else None,
        "by_repair": len(fates.by_repair) if HANDOFF in history.rounds else None,
        "not_at_all": len(fates.not_at_all),
        "share_by_handoff": _share(fates) if HANDOFF in history.rounds else None,
        "absent": list(final.absent),
    }
    findings = _findings(history, final, fates)
    answer, reason = _answer(history, final, findings)
    figures["hints_left"] = sum(finding.kind == "hint-left" for finding in findings)
    return Verdict(
        checker=_NAME,
        answer=answer,
        reason=reason,
        findings=tuple(findings[:FINDINGS_MAX]) if answer is Answer.INVALID else (),
        found=len(findings) if answer is Answer.INVALID else 0,
        figures=figures,
        notes=_notes(figures),
    )


def _answer(history: History, final: Snapshot, findings: list[Finding]) -> tuple[Answer, str]:
    """Weigh what was found: work that still drains, and nodes that are not there, excuse what time would cure."""
    last = history.settled[-1].state if history.settled else None
    if last is None:
        return Answer.UNKNOWN, "nobody waited for quiet, so what differs may only have been late"
    if last == "moving":
        return Answer.UNKNOWN, "still draining when the wait ended: what differs may only have been late"
    if findings:
        kinds = list(dict.fromkeys(finding.kind for finding in findings))
        counts = (f"{sum(f.kind == kind for f in findings)} {kind}" for kind in kinds)
        return Answer.INVALID, f"not converged: {listed(counts)}"
    if last != "quiet":
        return Answer.UNKNOWN, f"work is left, but {listed(final.absent)} was not there to take it"
    unseen = [key for key in final.keys if final.absent and final.unseen(key)]
    if unseen:
        return Answer.UNKNOWN, f"{listed(final.absent)} could not be dumped, a primary of {counted(len(unseen), 'key')}"
    return Answer.VALID, f"all primaries of {counted(len(final.keys), 'key')} agree, and no hint is left"


def _findings(history: History, final: Snapshot, fates: _Fates) -> list[Finding]:
    found = [_disagreement(final, key) for key in fates.not_at_all]
    found += [_ring_differs(final, key) for key in final.keys if _views_differ(final, key)]
    for key in final.keys:
        for node, held in final.held(key):
            if held.hint_for is not None and held.hint_for not in final.absent:
                found.append(_hint_left(final, key, node, held.hint_for))
    last = history.settled[-1] if history.settled else None
    if last is not None and last.state == "stuck" and not final.absent:
        found.append(_stuck(last))
    return found


def _views_differ(final: Snapshot, key: str) -> bool:
    views = final.views(key)
    return len(views) > 1 and len(set(map(frozenset, views))) > 1


def _disagreement(final: Snapshot, key: str) -> Finding:
    replicas = final.replicas(key)
    return Finding(
        kind="diverged",
        summary=f"the primaries of {shown(key)} hold different versions at the end",
        key=key,
        nodes=tuple(replicas),
        evidence=(*(_pairs(node, versions) for node, versions in replicas.items()), *_hints(final, key)),
    )


def _pairs(node: str, versions: tuple[Version, ...] | None) -> str:
    if versions is None:
        return f"{node} could not be dumped"
    pairs = (f"{shown(v.value)} ({shown(v.dot)})" for v in sorted(versions, key=lambda v: (v.value, v.dot)))
    return f"{node} holds {listed(pairs, at_most=6) or 'nothing'}"


def _hints(final: Snapshot, key: str) -> tuple[str, ...]:
    hints = (f"{node} has a hint for {held.hint_for}" for node, held in final.held(key) if held.hint_for is not None)
    return cut_to(4, list(hints))


def _ring_differs(final: Snapshot, key: str) -> Finding:
    return Finding(
        kind="ring-differs",
        summary=f"the nodes do not agree who the primaries of {shown(key)} are",
        key=key,
        nodes=final.primaries(key),
        evidence=tuple(f"{node} names {' '.join(held.primaries)}" for node, held in final.held(key)),
    )


def _hint_left(final: Snapshot, key: str, node: str, target: str) -> Finding:
    return Finding(
        kind="hint-left",
        summary=f"{node} still holds a hint of {shown(key)} for {target}, {_standing(final, target)}",
        key=key,
        nodes=(node, target),
        evidence=holding_lines(final, key),
    )


def _standing(final: Snapshot, target: str) -> str:
    """Why the hint should be gone: it could be taken, or nobody will ever take it."""
    if target in final.outside:
        return "which is no member any more"
    return "which was there to take it" if target in final.nodes else "which never came back"


def _stuck(last: Settled) -> Finding:
    work = [f"{node}: {listed(f'{n} {kind}' for kind, n in open_.items() if n)}" for node, open_ in last.work.items()]
    return Finding(
        kind="stuck",
        summary=f"after {last.waited_ns / 1e9:.1f} s there was open work that no longer shrank",
        nodes=tuple(node for node, open_ in last.work.items() if any(open_.values())),
        evidence=tuple(line for line in work if not line.endswith(": ")),
    )


def _fates(history: History, final: Snapshot) -> _Fates:
    """Sort the keys by what made their primaries agree: handoff, if they did before anything was read for repair."""
    earlier = Snapshot(history, HANDOFF)
    handoff, repair, never = [], [], []
    for key in final.keys:
        if final.differs(key):
            never.append(key)
        elif not earlier.held(key) or earlier.differs(key):
            repair.append(key)
        else:
            handoff.append(key)
    return _Fates(tuple(handoff), tuple(repair), tuple(never))


def _share(fates: _Fates) -> float | None:
    total = len(fates.by_handoff) + len(fates.by_repair) + len(fates.not_at_all)
    return round(len(fates.by_handoff) / total, 4) if total else None


def _differed_at_heal(history: History) -> dict[str, int]:
    """Count, for each fault, the keys whose primaries differed just before it was healed."""
    ids = dict.fromkeys(fault.id for fault in history.faults)
    snapshots = {str(id_): Snapshot(history, fault_round(id_)) for id_ in ids if fault_round(id_) in history.rounds}
    return {id_: sum(map(snapshot.differs, snapshot.keys)) for id_, snapshot in snapshots.items()}


def _waits(history: History) -> dict[str, Any]:
    quiet = history.settled and history.settled[-1].state == "quiet"
    waited = sum(settled.waited_ns for settled in history.settled)
    return {
        "settled": {settled.round: settled.state for settled in history.settled},
        "waited_ns": {settled.round: settled.waited_ns for settled in history.settled},
        "to_quiet_ns": waited if quiet else None,
    }


def _notes(figures: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    if figures["to_quiet_ns"] is not None:
        notes.append(f"quiet after {figures['to_quiet_ns'] / 1e9:.1f} s")
    if figures["share_by_handoff"] is not None:
        notes.append(
            f"{figures['by_handoff']} of {figures['keys']} keys agreed by handoff, {figures['by_repair']} by repair, "
            f"{figures['not_at_all']} not at all"
        )
    if figures["differed_at_heal"]:
        differed = (f"{count} at fault {id_}" for id_, count in figures["differed_at_heal"].items())
        notes.append(f"keys that differed when healed: {listed(differed)}")
    return tuple(notes)
