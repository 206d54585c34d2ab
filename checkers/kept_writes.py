"""Every acknowledged write is kept: held at the end, or covered by something that is.

Judged by observation: what clients were promised, what they had seen when they wrote, and what the replicas hold now
(Dynamo, 4.4; Almeida et al., Dotted Version Vectors). Held is what a reader finds or a hint will bring: a stray copy,
on a node that is not a primary and has no hint of it, keeps nothing, and excuses nothing that it covers. A put of
unknown outcome may be there or not; but once a client has read it, it must not be nowhere. A covered value must not be
back beside the one that covers it, and a value that nobody wrote must not be anywhere. This file does not know stale
reads: those are another matter than loss.

The cost is linear in the history: one walk a key from what is held, backwards over what it covers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, zip_longest

from checkers.causality import GET, PUT, Causality, is_acknowledged, is_refused, not_causal
from checkers.episodes import wiped_nodes
from checkers.evidence import counted, listed
from checkers.history import History, Operation
from checkers.kept_writes_evidence import Suspect, finding
from checkers.replicas import Snapshot, final_round
from checkers.verdict import FINDINGS_MAX, Answer, Verdict

_NAME = "kept-writes"


def check(history: History) -> Verdict:
    """Judge whether any acknowledged or observed write was lost, came back, or came from nowhere."""
    why_not = _not_judgeable(history)
    if why_not:
        return Verdict(checker=_NAME, answer=Answer.UNKNOWN, reason=why_not)
    round_name = final_round(history)
    assert round_name is not None, "a history without final dumps is not judgeable"
    case = _Case(history, Causality(history), Snapshot(history, round_name))
    case.judge()
    return _verdict(case)


def _not_judgeable(history: History) -> str | None:
    if not any(op.invoked.f == PUT and is_acknowledged(op) for op in history.operations):
        return "no put was acknowledged, so nothing was promised"
    if final_round(history) is None:
        return "no replica was dumped at the end"
    return not_causal(history)


@dataclass
class _Case:
    """One history being judged: the suspects found, and the counts that say how much was looked at."""

    history: History
    causality: Causality
    snapshot: Snapshot
    lost: list[Suspect] = field(default_factory=list)
    vanished: list[Suspect] = field(default_factory=list)
    resurrected: list[Suspect] = field(default_factory=list)
    phantom: list[Suspect] = field(default_factory=list)
    undecided: list[Suspect] = field(default_factory=list)
    excused: int = 0
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("acknowledged", "held", "covered", "off_primaries", "unknown", "unknown_took_effect", "written_twice"), 0
        )
    )

    def judge(self) -> None:
        """Look at every value that was written, then at every value that was seen."""
        for key in self.causality.keys:
            self._judge_key(key)
        for key in self.snapshot.keys:
            self._find_resurrected(key)
        for (key, value), where in self._seen.items():
            if all(is_refused(put) for put in self.causality.puts_of(key, value)):
                self.phantom.append(Suspect("phantom", key, value, nodes=where))

    def _judge_key(self, key: str) -> None:
        held, anywhere = self.snapshot.kept(key), self.snapshot.values(key)
        covered = self.causality.covered_by(key, held)
        on_primaries = {v.value for _, record in self.snapshot.primary_records(key) for v in record.versions}
        for value, puts in self.causality.written(key).items():
            acknowledged = any(is_acknowledged(put) for put in puts)
            self._count(puts, acknowledged=acknowledged, held=value in held, covered=value in covered)
            self.counts["off_primaries"] += acknowledged and value in anywhere and value not in on_primaries
            if value not in held and value not in covered:
                self._judge_missing(Suspect("lost-write", key, value), puts, acknowledged=acknowledged)

    def _count(self, puts: list[Operation], *, acknowledged: bool, held: bool, covered: bool) -> None:
        counts = self.counts
        counts["written_twice"] += len(puts) > 1
        if acknowledged:
            counts["acknowledged"] += 1
            counts["held"] += held
            counts["covered"] += covered and not held
        elif not all(is_refused(put) for put in puts):
            counts["unknown"] += 1
            counts["unknown_took_effect"] += held or covered

    def _judge_missing(self, suspect: Suspect, puts: list[Operation], *, acknowledged: bool) -> None:
        """Decide about a value that is neither held nor covered; whoever was not dumped may yet hold it."""
        was_read = self._seen.get((suspect.key, suspect.value)) == ()
        observed = was_read and not all(is_refused(put) for put in puts)
        if not acknowledged and not observed:
            return
        if self.snapshot.absent:
            self.undecided.append(suspect)
        elif acknowledged:
            self.lost.append(suspect)
        elif wiped_nodes(self.history):
            self.excused += 1
        else:
            self.vanished.append(Suspect("vanished", suspect.key, suspect.value))

    def _find_resurrected(self, key: str) -> None:
        """Find covered values beside one that covers them; those written twice are left alone, as is fair."""
        found: dict[str, list[str]] = {}
        known: dict[frozenset[str], list[str]] = {}
        for node, held in self.snapshot.primary_records(key):
            values = [version.value for version in held.versions]
            together = frozenset(values)
            if len(together) > 1 and together not in known:
                covered = self.causality.covered_by(key, values)
                known[together] = [v for v in values if v in covered and len(self.causality.puts_of(key, v)) == 1]
            for value in known.get(together, ()):
                found.setdefault(value, []).append(node)
        self.resurrected += [Suspect("resurrected", key, value, tuple(nodes)) for value, nodes in found.items()]

    @cached_property
    def _seen(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Every value that anybody saw: the node on which a dump had it first, or none where a get returned it."""
        seen: dict[tuple[str, str], tuple[str, ...]] = {}
        for operation in self.history.operations:
            if operation.invoked.f == GET and is_acknowledged(operation):
                for version in operation.versions:
                    seen.setdefault((operation.invoked.key, version.value), ())
        for name in self.history.rounds:
            for node, dump in self.history.dumps(name).items():
                for held in dump.held:
                    for version in held.versions:
                        seen.setdefault((held.key, version.value), (node,))
        return seen


def _verdict(case: _Case) -> Verdict:
    kinds = (case.lost, case.vanished, case.resurrected, case.phantom)
    found = sum(map(len, kinds))
    fair = [suspect for suspect in chain.from_iterable(zip_longest(*kinds)) if suspect is not None]
    shown = fair[:FINDINGS_MAX]
    answer, reason = _answer(case, found)
    return Verdict(
        checker=_NAME,
        answer=answer,
        reason=reason,
        findings=tuple(finding(case.history, case.causality, case.snapshot, suspect) for suspect in shown),
        found=found,
        figures=case.counts
        | {
            "round": case.snapshot.round,
            "lost": len(case.lost),
            "vanished": len(case.vanished),
            "vanished_excused": case.excused,
            "resurrected": len(case.resurrected),
            "phantom": len(case.phantom),
            "undecided": len(case.undecided),
        },
        notes=_notes(case),
    )


def _answer(case: _Case, found: int) -> tuple[Answer, str]:
    told = (
        (case.lost, "acknowledged value", "lost"),
        (case.vanished, "value", "read and then nowhere"),
        (case.resurrected, "covered value", "back beside what covers it"),
        (case.phantom, "value", "written by nobody"),
    )
    if found:
        parts = [f"{counted(len(suspects), noun)} {fate}" for suspects, noun, fate in told if suspects]
        return Answer.INVALID, ", ".join(parts)
    if case.undecided:
        gone = listed(case.snapshot.absent)
        number = counted(len(case.undecided), "value")
        return (
            Answer.UNKNOWN,
            f"{number} nowhere in the dumps, but {gone} could not be dumped and may hold what is missing",
        )
    return Answer.VALID, f"all {case.counts['acknowledged']:,} acknowledged values are held or covered".replace(
        ",", " "
    )


def _notes(case: _Case) -> tuple[str, ...]:
    counts = case.counts
    notes = [f"{counts['held']} of {counts['acknowledged']} acknowledged are held, {counts['covered']} covered"]
    if counts["unknown"]:
        notes.append(f"{counts['unknown_took_effect']} of {counts['unknown']} of unknown outcome took effect")
    if counts["off_primaries"]:
        notes.append(f"{counts['off_primaries']} acknowledged are held by no primary, only beside them")
    if counts["written_twice"]:
        notes.append(f"{counts['written_twice']} were written more than once, and are judged less sharply")
    if case.excused:
        notes.append(f"{case.excused} were read and are nowhere now, but a disk was wiped on purpose")
    return tuple(notes)
