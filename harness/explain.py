"""Carry a run out once more with somebody watching, and put what was seen on a ladder.

What concerns the key of a finding is kept: messages about it with their answers, operations on it, commits of it; and
every fault, phase and change of a node. This file knows histories, flights and what a system tells of its messages.
It does not know how a ladder is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from checkers.episodes import Episode, episodes
from checkers.evidence import counted, listed, shown
from checkers.history import History
from checkers.history import Operation as Recorded
from checkers.judge import Judgement
from checkers.verdict import Answer, Finding
from harness import plugins
from harness.runs import Simulated, judged, simulate
from harness.script import LOAD
from harness.sim.network import Flight
from harness.sim.watching import Entry
from harness.story import Plot
from node.core.store import Space
from reports.ladder import UNDER_WAY, FaultSpan, Ladder, Mark, Message, Operation, Phase, moments

MOMENTS_MAX = 400
"""On how many moments nothing more is left out than what has nothing to do with the key."""

AROUND_NS = 50_000_000
"""How much is kept before and after an operation of the finding, where not everything can be."""

Told = Callable[[Any], tuple[str, str | None]]
Stored = Callable[[Space, bytes, bytes | None], tuple[str, str | None]]
"""What a system may say of a message, and of what was stored: a label, and the key that it is about, if it names one.
"""


@dataclass
class Flown:
    """A message that was watched; `ended_ns` is when its fate was known."""

    source: str
    target: str
    message: Any
    sent_ns: int
    fate: str = UNDER_WAY
    ended_ns: int | None = None


class Watch:
    """Everything that a watcher is told, in order."""

    def __init__(self) -> None:
        self.commits: list[tuple[int, str, tuple[Entry, ...]]] = []
        self._flown: dict[Flight, Flown] = {}

    @property
    def flown(self) -> tuple[Flown, ...]:
        """Every message in the order of sending; a copy comes when it arrives."""
        return tuple(self._flown.values())

    def flew(self, at_ns: int, flight: Flight, fate: str) -> None:
        """Take what became of a message; one that nobody sent is a copy."""
        flown = self._flown.get(flight)
        if flown is None:
            flown = self._flown[flight] = Flown(flight.line.source, flight.line.target, flight.message, at_ns)
        if fate != "sent":
            flown.fate, flown.ended_ns = fate, at_ns

    def committed(self, at_ns: int, node: str, entries: tuple[Entry, ...]) -> None:
        """Take a commit."""
        self.commits.append((at_ns, node, entries))


@dataclass(frozen=True)
class Observed:
    """A run that was watched, and what it proves."""

    simulated: Simulated
    judgement: Judgement
    watch: Watch

    @property
    def history(self) -> History:
        """What the run left."""
        return self.simulated.history


def observe(plot: Plot) -> Observed:
    """Carry a plot out in simulation, watched, and judge it."""
    watch = Watch()
    simulated = simulate(plot, watcher=watch)
    return Observed(simulated, judged(plot, simulated.history), watch)


def telling(judgement: Judgement) -> tuple[Finding, ...]:
    """What is wrong: the findings of every checker that is sure of it."""
    return tuple(
        finding for verdict in judgement.verdicts if verdict.answer is Answer.INVALID for finding in verdict.findings
    )


# --- from what was seen to a ladder ----------------------------------------------------------------------------------


def ladder(history: History, watch: Watch | None, keys: Collection[str] | None) -> Ladder:
    """Everything about these keys, or about every key, or with an empty collection everything there is."""
    faults = tuple(_span(episode) for episode in episodes(history) if episode.started_at is not None)
    about = _About(keys, plugins.system(history.run.system))
    messages = tuple(about.messages(watch.flown, faults)) if watch else ()
    operations = tuple(about.operations(history))
    marks = (*about.changes(history), *(about.commits(watch) if watch else ()), *about.holdings(history))
    at_work = dict.fromkeys(operation.client for operation in operations)
    clients = tuple(sorted(at_work, key=lambda client: (client != LOAD, len(client), client)))
    seen = {operation.node for operation in operations} | {mark.column for mark in marks}
    seen |= {node for message in messages for node in (message.source, message.target)}
    nodes = tuple(node for node in history.run.nodes if node in seen)
    silent = [node for node in history.run.nodes if node not in seen]
    return Ladder(
        clients=clients,
        nodes=nodes,
        messages=messages,
        operations=operations,
        marks=marks,
        faults=faults,
        phases=tuple(Phase(phase.at, phase.name) for phase in history.phases if phase.name != "prepare"),
        notes=(f"{listed(silent)} took no part",) if silent else (),
    )


class _About:
    """What concerns some keys; all of them where `keys` is None, and whatever there is where it is empty."""

    def __init__(self, keys: Collection[str] | None, system: Any) -> None:
        self._keys = keys
        self._told: Told | None = getattr(system, "told", None)
        self._stores: Stored | None = getattr(system, "stored", None)

    def concerned(self, key: str | None) -> bool:
        """Whether something about this key, or about none, is wanted."""
        if self._keys is None:
            return key is not None
        return not self._keys or key in self._keys

    def messages(self, flown: tuple[Flown, ...], faults: tuple[FaultSpan, ...]) -> Iterator[Message]:
        """Messages about the keys, and what answers them."""
        asked: dict[tuple[str, str, Any], str | None] = {}
        for flight in sorted(flown, key=lambda each: each.sent_ns):
            label, key = self._told(flight.message) if self._told else (type(flight.message).__name__, "")
            call = getattr(flight.message, "call", None)
            if key is None:
                key = asked.get((flight.target, flight.source, call))
            elif call is not None:
                asked[flight.source, flight.target, call] = key
            if self._told is None or self.concerned(key):
                yield _message(flight, self._named(label, key), faults)

    @property
    def _single(self) -> bool:
        return self._keys is not None and len(self._keys) == 1

    def operations(self, history: History) -> Iterator[Operation]:
        """Operations on the keys."""
        for operation in history.operations:
            if self.concerned(operation.invoked.key):
                yield _operation(operation, named=not self._single)

    def changes(self, history: History) -> Iterator[Mark]:
        """What happened to nodes after they had been started for the first time."""
        begun = next((phase.at for phase in history.phases if phase.name != "prepare"), 0)
        for change in history.node_changes:
            if change.at > begun or change.event != "started":
                error = change.detail.get("error")
                yield Mark(change.node, change.at, change.event, f"{change.event}: {error}" if error else change.event)

    def commits(self, watch: Watch) -> Iterator[Mark]:
        """Commits of the keys; of a system that does not say what it stores, all of them."""
        for at_ns, node, entries in watch.commits:
            labels = dict.fromkeys(label for entry in entries if (label := self._stored(entry)) is not None)
            if labels:
                yield Mark(node, at_ns, "commit", " and ".join(labels))

    def _stored(self, entry: Entry) -> str | None:
        if self._stores is None:
            return "commits"
        label, key = self._stores(*entry)
        return self._named(label, key) if self.concerned(key) else None

    def _named(self, label: str, key: str | None) -> str:
        """A label, with the key where there are several."""
        return label if self._single or not key else f"{label} of {shown(key)}"

    def holdings(self, history: History) -> Iterator[Mark]:
        """What each node held of the keys in the end; nothing where no key was chosen, because there may be many."""
        for node, dump in (history.dumps("final") if self._keys is not None else {}).items():
            for held in dump.held:
                if self.concerned(held.key):
                    values = listed(shown(version.value) for version in held.versions) or "nothing"
                    of = "" if self._single else f" of {shown(held.key)}"
                    hint = f" as a hint for {held.hint_for}" if held.hint_for else ""
                    yield Mark(node, dump.at, "holds", f"holds {values}{of}{hint} in the end")


def _message(flown: Flown, label: str, faults: tuple[FaultSpan, ...]) -> Message:
    arrived_ns = flown.ended_ns if flown.fate == "arrived" else None
    why = ""
    if flown.fate not in ("arrived", UNDER_WAY):
        why = listed(f"fault {fault.id}" for fault in _blamed(flown, faults))
    return Message(flown.sent_ns, flown.source, flown.target, label, arrived_ns, flown.fate, why)


def _blamed(flown: Flown, faults: tuple[FaultSpan, ...]) -> list[FaultSpan]:
    """The faults that were in force while the message was under way: on its link, or else on its receiver."""
    ended_ns = flown.sent_ns if flown.ended_ns is None else flown.ended_ns
    in_force = [
        fault
        for fault in faults
        if fault.begins_ns <= ended_ns and (fault.ends_ns is None or flown.sent_ns <= fault.ends_ns)
    ]
    on_link = [fault for fault in in_force if (flown.source, flown.target) in fault.links]
    return on_link or [fault for fault in in_force if flown.target in fault.nodes]


def _operation(recorded: Recorded, *, named: bool) -> Operation:
    asked, ended = recorded.invoked, recorded.completed
    of = f" of {shown(asked.key)}" if named else ""
    context = f" with the context of {asked.context_of}" if asked.context_of else ""
    what = f"put {shown(asked.value)}{of}{context}" if asked.value is not None else f"{asked.f}{of}"
    return Operation(
        id=asked.op,
        client=asked.client,
        node=asked.node,
        begins_ns=asked.at,
        ends_ns=ended.at if ended else None,
        label=f"{asked.op}: {what}",
        outcome=recorded.outcome.value,
        answer=_answer(recorded),
        by=_acks(recorded),
    )


def _answer(recorded: Recorded) -> str:
    ended = recorded.completed
    if ended is None:
        return "never answered"
    words = ended.outcome.value
    if ended.error:
        words += f", {shown(ended.error)}"
    elif recorded.invoked.f == "get":
        words += f", returns {listed((shown(version.value) for version in ended.versions), at_most=5) or 'nothing'}"
    return words


def _acks(recorded: Recorded) -> str:
    acks = recorded.completed.acks if recorded.completed else ()
    named = listed(ack.node + (f" for {ack.hint_for}" if ack.hint_for else "") for ack in acks)
    return f"acks {named}" if named else ""


def _span(episode: Episode) -> FaultSpan:
    paths = episode.detail.get("paths")
    links = episode.links or tuple(
        (source, target) for source, _, target in (str(path).partition(">") for path in paths or ())
    )
    groups = " | ".join(" ".join(side) for side in episode.sides) or " ".join(episode.victims)
    return FaultSpan(
        id=episode.id,
        name=episode.name,
        begins_ns=episode.started_at or 0,
        ends_ns=episode.healed_at,
        label=groups or listed((f"{source}>{target}" for source, target in links), at_most=4),
        links=links,
        nodes=episode.victims,
    )


# --- what is left out ------------------------------------------------------------------------------------------------


def focused(whole: Ladder, operations: Collection[str], telling_ns: Collection[int] = ()) -> Ladder:
    """What happened around these operations and these times, where there is too much to look at; else how it began."""
    if len(moments(whole)) <= MOMENTS_MAX:
        return whole
    spans = [
        (each.begins_ns - AROUND_NS, (each.ends_ns or each.begins_ns) + AROUND_NS)
        for each in whole.operations
        if each.id in operations
    ] + [(at_ns - AROUND_NS, at_ns + AROUND_NS) for at_ns in telling_ns]

    def kept(begins_ns: int, ends_ns: int | None) -> bool:
        return not spans or any(begins_ns <= end and (ends_ns or begins_ns) >= begin for begin, end in spans)

    smaller = replace(
        whole,
        messages=tuple(each for each in whole.messages if kept(each.sent_ns, each.arrived_ns)),
        operations=tuple(each for each in whole.operations if kept(each.begins_ns, each.ends_ns)),
        marks=tuple(each for each in whole.marks if each.kind != "commit" or kept(each.at_ns, None)),
    )
    return _noted(_first(smaller), whole)


def _first(whole: Ladder) -> Ladder:
    """The ladder up to a bounded number of moments, how what was under way then ended, and the end state."""
    told = moments(whole)
    if len(told) <= MOMENTS_MAX:
        return whole
    until_ns = told[MOMENTS_MAX].at_ns
    return replace(
        whole,
        messages=tuple(each for each in whole.messages if each.sent_ns <= until_ns),
        operations=tuple(each for each in whole.operations if each.begins_ns <= until_ns),
        marks=tuple(each for each in whole.marks if each.at_ns <= until_ns or each.kind == "holds"),
        faults=tuple(each for each in whole.faults if each.begins_ns <= until_ns),
    )


def _noted(smaller: Ladder, whole: Ladder) -> Ladder:
    left_out = (
        f"{counted(len(whole.messages) - len(smaller.messages), 'message')} and "
        f"{counted(len(whole.operations) - len(smaller.operations), 'operation')} more are left out; "
        "--all shows them"
    )
    clients = tuple(client for client in whole.clients if any(each.client == client for each in smaller.operations))
    return replace(smaller, clients=clients, notes=(*whole.notes, left_out))
