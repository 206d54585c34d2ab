"""Compare a run with the nearest one that passes: where do they part, and what comes of it?

The nearest run is the same with one thing less: one fault, one operation; or with other delays; or on the shipped node
where a node with a planted bug was run. Two runs are compared by what happens in them, not by when: a message has a
counterpart in the other run if that one has as many alike. This file knows plots and ladders. It does not know how a
run is carried out, nor how anything is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from checkers.evidence import listed
from checkers.judge import Judgement
from checkers.verdict import Answer
from harness.explain import Observed, observe, telling
from harness.shrink.case import Case, with_faults, with_operations
from harness.story import Plot
from reports.ladder import ARRIVED, UNDER_WAY, Ladder, Message, milliseconds

OPERATIONS_MAX = 24
"""How many operations are left out, one at a time; those of the finding first."""

SEEDS = range(1, 21)
"""The message seeds that are tried."""

EVENTS_MAX = 500_000
"""After so many events of the simulation no further neighbour is tried, but for the shipped node."""


class Candidate(NamedTuple):
    """A plot one step away, in words and as it is."""

    words: str
    plot: Plot


class Neighbour(NamedTuple):
    """A run that passes: what it is, in words, and what was seen of it."""

    words: str
    observed: Observed


def nearest_passing(wrong: Observed) -> Neighbour | None:
    """The first run in order of nearness that is not invalid, or None when each of them is."""
    events = 0
    for words, plot in neighbours(wrong):
        if events > EVENTS_MAX and plot.spec.variant == wrong.simulated.plot.spec.variant:
            continue
        observed = observe(plot)
        if observed.judgement.answer is not Answer.INVALID:
            return Neighbour(words, observed)
        events += observed.simulated.events
    return None


def shipped(wrong: Observed) -> Neighbour | None:
    """The same run on the node without the planted bug, if there is one and it passes without."""
    *_, last = neighbours(wrong)
    if wrong.simulated.plot.spec.variant is None:
        return None
    observed = observe(last.plot)
    return None if observed.judgement.answer is Answer.INVALID else Neighbour(last.words, observed)


def neighbours(wrong: Observed) -> Iterator[Candidate]:
    """Every run that is one step away, with words for it, the nearest first."""
    plot, script = wrong.simulated.plot, wrong.simulated.script
    case = Case(plot.spec, plot.schedule, script)
    for left_out in plot.schedule:
        kept = [injection for injection in plot.schedule if injection.id != left_out.id]
        yield Candidate(f"without fault {left_out.id} ({left_out.name})", _plot(with_faults(case, kept)))
    for left_out_op in _concerned(case, wrong.judgement):
        words = f"without operation {left_out_op}"
        yield Candidate(words, _plot(with_operations(case, [op for op in case.operations if op != left_out_op])))
    for seed in SEEDS:
        if seed != plot.spec.world_seed:
            spec = replace(plot.spec, message_seed=seed)
            yield Candidate(f"with the delays of message seed {seed}", Plot(spec, plot.schedule, script))
    if plot.spec.variant is not None:
        spec = replace(plot.spec, variant=None)
        yield Candidate("on the node without the planted bug", Plot(spec, plot.schedule, script))


def _plot(case: Case) -> Plot:
    return Plot(case.spec, case.schedule, case.script)


def _concerned(case: Case, judgement: Judgement) -> Sequence[str]:
    """The operations that are left out, one at a time: those of the findings, then others on their keys."""
    findings = telling(judgement)
    keys = [finding.key for finding in findings]
    same = [step.op for step in case.steps if step.key in keys]
    named = [op for finding in findings for op in finding.operations if op in case.operations]
    return tuple(dict.fromkeys([*named, *same]))[:OPERATIONS_MAX]


# --- two ladders -----------------------------------------------------------------------------------------------------


class _Event(NamedTuple):
    """Something that happened, in words, and how it went; its counterpart in another run has the same name there."""

    at_ns: int
    words: str
    went: str


_Name = tuple[str, ...]


class Divergence(NamedTuple):
    """Where two runs part, in plain words; None for what does not happen."""

    at_ns: int
    here: str | None
    there: str | None

    @property
    def words(self) -> str:
        """In two sentences."""
        same = f"Until {milliseconds(self.at_ns)} ms both runs do the same."
        if self.here is None:
            return f"{same} Then there {self.there}, and here not."
        if self.there is None:
            return f"{same} Then here {self.here}, and there not."
        return f"{same} Then here {self.here}; there {self.there}."


def first_divergence(here: Ladder, there: Ladder) -> Divergence | None:
    """The first thing in which two runs differ, or None where they do not."""
    ours, theirs = _events(here), _events(there)
    parted = [
        *(_gone_otherwise(event, theirs[name]) for name, event in ours.items() if name in theirs),
        *(_only_here(name, event, ours, theirs) for name, event in ours.items() if name not in theirs),
        *(
            Divergence(event.at_ns, None, event.words + _ending(event))
            for name, event in theirs.items()
            if name not in ours
        ),
    ]
    return min((each for each in parted if each is not None), key=lambda each: each.at_ns, default=None)


def _gone_otherwise(event: _Event, other: _Event) -> Divergence | None:
    if event.went == other.went:
        return None
    return Divergence(event.at_ns, event.words + _ending(event), f"it {other.went}")


def _only_here(name: _Name, event: _Event, ours: dict[_Name, _Event], theirs: dict[_Name, _Event]) -> Divergence:
    """What this run has alone; where a node tells another, or commits, something else there, it does that instead."""
    kind, source, target, *_ = name
    instead = next(
        (
            other.words + _ending(other)
            for other_name, other in theirs.items()
            if kind in ("message", "commit") and other_name[:3] == (kind, source, target) and other_name not in ours
        ),
        None,
    )
    return Divergence(event.at_ns, event.words + _ending(event), instead)


def _ending(event: _Event) -> str:
    return "" if event.went in ("", "arrives") else f", which {event.went}"


def _events(ladder: Ladder) -> dict[_Name, _Event]:
    """What happens, by a name that it has in every run in which it happens: the first, the second … of its kind."""
    seen, found = Counter[_Name](), dict[_Name, _Event]()
    for name, event in sorted(_named(ladder), key=lambda each: each[1].at_ns):
        seen[name] += 1
        found[(*name, str(seen[name]))] = event
    return found


def _named(ladder: Ladder) -> Iterator[tuple[_Name, _Event]]:
    for message in ladder.messages:
        way = ("message", message.source, message.target, message.label)
        words = f"{message.source} sends {message.target} {message.label}"
        yield way, _Event(message.sent_ns, words, _fate(message))
    for operation in ladder.operations:
        asked = f"{operation.client} asks {operation.node} for {operation.label}"
        yield ("asked", operation.client, operation.node, operation.label), _Event(operation.begins_ns, asked, "")
        ends_ns = operation.begins_ns if operation.ends_ns is None else operation.ends_ns
        answered = _Event(ends_ns, f"{operation.client} hears of {operation.id}", f"is {operation.answer}")
        yield ("answered", operation.client, operation.id), answered
    for mark in ladder.marks:
        if mark.kind == "commit":
            yield ("commit", mark.column, mark.kind, mark.label), _Event(mark.at_ns, f"{mark.column} {mark.label}", "")
        elif mark.kind != "holds":
            yield ("changed", mark.column, mark.label), _Event(mark.at_ns, f"{mark.column} is {mark.label}", "")


def _fate(message: Message) -> str:
    if message.fate == ARRIVED:
        return "arrives"
    if message.fate == UNDER_WAY:
        return "is still under way in the end"
    return f"is {message.fate}{f' by {message.why}' if message.why else ''}"


def consequences(here: Ladder, there: Ladder) -> Iterator[str]:
    """What came of it: the first operation with another answer, and each node that holds something else in the end."""
    theirs = {operation.id: operation for operation in there.operations}
    for operation in sorted(here.operations, key=lambda each: each.ends_ns or each.begins_ns):
        other = theirs.get(operation.id)
        if other is not None and other.answer != operation.answer:
            yield f"The first other answer is that to {operation.label}: here {operation.answer}; there {other.answer}."
            break
    ends_here, ends_there, alike = _held(here), _held(there), dict[tuple[str, str], list[str]]()
    for node in dict.fromkeys((*here.nodes, *there.nodes)):
        ends = tuple(held.get(node, "holds nothing in the end") for held in (ends_here, ends_there))
        alike.setdefault((ends[0], ends[1]), []).append(node)
    for (end_here, end_there), nodes in alike.items():
        if end_here != end_there:
            yield f"{listed(nodes)}: {end_here}; there: {end_there}."


def _held(ladder: Ladder) -> dict[str, str]:
    held: dict[str, str] = {}
    for mark in ladder.marks:
        if mark.kind == "holds":
            held[mark.column] = f"{held[mark.column]}, {mark.label}" if mark.column in held else mark.label
    return held
