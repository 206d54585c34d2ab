"""A dot names one value, and an acknowledged put has one dot.

The cheapest complete detector for clocks that went backward: a coordinator that forgot a counter mints a dot twice, and
the replicas drop the second write as already known (Dynamo's vector clocks, 4.4; riak_kv#679 and its family). Dots are
compared within their key. This file knows names and values; it does not know what a dot is made of, nor whether
anything was lost by it. One pass over puts, reads and dumps, and a second where something was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from checkers.causality import PUT, Causality, is_acknowledged
from checkers.evidence import LINES_MAX, counted, cut_to, listed, operation_line, seconds, shown
from checkers.history import Dumped, History, Operation
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "dots"

SAFETY = True
"""A dot names one value, whatever is broken."""


class _Sighting(NamedTuple):
    """A dot seen to name a value: in the reply to a put, in a get, or in a dump."""

    key: str
    dot: str
    value: str
    source: Operation | Dumped


@dataclass
class _Names:
    """What each dot named first, which dot each value had first, and what later contradicted it."""

    value_of: dict[tuple[str, str], str] = field(default_factory=dict)
    dot_of: dict[tuple[str, str], str] = field(default_factory=dict)
    minted: set[tuple[str, str]] = field(default_factory=set)
    reused: dict[tuple[str, str], None] = field(default_factory=dict)
    two_dots: dict[tuple[str, str], None] = field(default_factory=dict)
    sightings: int = 0

    def take(self, seen: _Sighting) -> None:
        """Compare a sighting with the first of its dot and the first of its value."""
        key, dot, value, source = seen
        self.sightings += 1
        if self.value_of.setdefault((key, dot), value) != value:
            self.reused[key, dot] = None
        if self.dot_of.setdefault((key, value), dot) != dot:
            self.two_dots[key, value] = None
        if isinstance(source, Operation) and source.invoked.f == PUT:
            if (key, dot) in self.minted:  # even for equal values: one of the two writes would be lost
                self.reused[key, dot] = None
            self.minted.add((key, dot))


def check(history: History) -> Verdict:
    """Look for a dot with two values or two puts, and for an acknowledged put with two dots."""
    names = _Names()
    for seen in _sightings(history):
        names.take(seen)
    if not names.value_of:
        return Verdict(
            checker=_NAME, answer=Answer.UNKNOWN, reason="no dot was seen: the system does not name versions"
        )
    reused, doubled = list(names.reused), _doubled(names, history)
    found = len(reused) + len(doubled)
    figures = {
        "dots": len(names.value_of),
        "sightings": names.sightings,
        "reused": len(reused),
        "doubled": len(doubled),
    }
    if not found:
        reason = (
            f"each of {counted(len(names.value_of), 'dot')} named one value in {counted(names.sightings, 'sighting')}"
        )
        return Verdict(checker=_NAME, answer=Answer.VALID, reason=reason, figures=figures)
    parts = [f"{counted(len(reused), 'dot')} named more than one put or value"] if reused else []
    parts += [f"{counted(len(doubled), 'acknowledged value')} had more than one dot"] if doubled else []
    return Verdict(
        checker=_NAME,
        answer=Answer.INVALID,
        reason=", ".join(parts),
        findings=_findings(history, reused[:FINDINGS_MAX], doubled[:FINDINGS_MAX]),
        found=found,
        figures=figures,
    )


def _sightings(history: History) -> Iterator[_Sighting]:
    for operation in history.operations:
        asked, ended = operation.invoked, operation.completed
        if ended is None:
            continue
        if asked.f == PUT and ended.dot is not None and asked.value is not None:
            yield _Sighting(asked.key, ended.dot, asked.value, operation)
        for version in ended.versions:
            yield _Sighting(asked.key, version.dot, version.value, operation)
    for name in history.rounds:
        for dump in history.dumps(name).values():
            for held in dump.held:
                for version in held.versions:
                    yield _Sighting(held.key, version.dot, version.value, dump)


def _doubled(names: _Names, history: History) -> list[tuple[str, str]]:
    """Choose the values of single acknowledged puts: coordinated twice, each is now its own sibling.

    A put of unknown outcome may have been tried again by whoever carried it, and a value that two puts wrote has two
    dots by right.
    """
    if not names.two_dots:
        return []
    causality = Causality(history)
    puts = {named: causality.puts_of(*named) for named in names.two_dots}
    return [named for named, of_value in puts.items() if len(of_value) == 1 and is_acknowledged(of_value[0])]


def _findings(history: History, reused: list[tuple[str, str]], doubled: list[tuple[str, str]]) -> tuple[Finding, ...]:
    """Go through the history once more, for those sightings only that contradict each other."""
    of_dot: dict[tuple[str, str], list[_Sighting]] = {named: [] for named in reused}
    of_value: dict[tuple[str, str], list[_Sighting]] = {named: [] for named in doubled}
    for seen in _sightings(history):
        of_dot.get((seen.key, seen.dot), []).append(seen)
        of_value.get((seen.key, seen.value), []).append(seen)
    found = [_finding("reused-dot", _telling(seen)) for seen in of_dot.values()]
    found += [_finding("two-dots", _telling(seen)) for seen in of_value.values()]
    return tuple(found[:FINDINGS_MAX])


def _telling(seen: list[_Sighting]) -> list[_Sighting]:
    """Keep every put, and of the others the first that shows each dot with each value."""
    first: dict[tuple[str, str], _Sighting] = {}
    for sighting in seen:
        first.setdefault((sighting.dot, sighting.value), sighting)
    return [
        s for s in seen if first[s.dot, s.value] is s or (isinstance(s.source, Operation) and s.source.invoked.f == PUT)
    ]


def _finding(kind: str, seen: list[_Sighting]) -> Finding:
    key = shown(seen[0].key)
    dots = list(dict.fromkeys(sighting.dot for sighting in seen))
    values = list(dict.fromkeys(shown(sighting.value) for sighting in seen))
    operations = [sighting.source for sighting in seen if isinstance(sighting.source, Operation)]
    if kind == "reused-dot":
        summary = f"dot {shown(dots[0])} of {key} names {listed(values, at_most=4)}"
        summary += f" in {counted(len(operations), 'operation')}" if len(values) == 1 else ""
    else:
        summary = f"{key} = {values[0]} was acknowledged once and has the dots {listed(map(shown, dots), at_most=4)}"
    nodes = [seen.source.node if isinstance(seen.source, Dumped) else seen.source.invoked.node for seen in seen]
    return Finding(
        kind=kind,
        summary=summary,
        key=seen[0].key,
        operations=tuple(dict.fromkeys(operation.id for operation in operations)),
        nodes=tuple(dict.fromkeys(nodes)),
        evidence=cut_to(LINES_MAX, [_line(sighting) for sighting in seen]),
    )


def _line(seen: _Sighting) -> str:
    if isinstance(seen.source, Operation):
        return f"{operation_line(seen.source)} — {shown(seen.value)} is {shown(seen.dot)}"
    where = f"{seconds(seen.source.at)}  dump {seen.source.round} of {seen.source.node}"
    return f"{where} — {shown(seen.value)} is {shown(seen.dot)}"
