"""A ladder: what clients, nodes and the nemesis did in a run, as plain data on columns and in the order of time.

A ladder has a column for each client and each node, and time runs downwards. Here is what can stand on it, and the one
order in which everything on it happened; how it is drawn is told in `reports.ladder_text` and `reports.ladder_svg`.
This file does not know where a ladder comes from, nor what a label means. Times are nanoseconds since the run began.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ARRIVED = "arrived"
UNDER_WAY = "under way"
"""Fates of a message; any other one (`dropped`, `lost`, `refused`) says why it never arrived."""


@dataclass(frozen=True)
class Message:
    """What one node sent another. `why` says what it was that kept it from arriving, as far as that is known."""

    sent_ns: int
    source: str
    target: str
    label: str
    arrived_ns: int | None = None
    fate: str = ARRIVED
    why: str = ""


@dataclass(frozen=True)
class Operation:
    """What a client asked of a node, and the answer, and who stood for it; one without an end was never answered."""

    id: str
    client: str
    node: str
    begins_ns: int
    ends_ns: int | None
    label: str
    outcome: str
    answer: str
    by: str = ""


@dataclass(frozen=True)
class Mark:
    """Something that happened in one column: `commit`, `killed`, `started`, `paused`, `holds` and so on."""

    column: str
    at_ns: int
    kind: str
    label: str


@dataclass(frozen=True)
class FaultSpan:
    """A fault in force; one without an end was never healed. `links` are directed, `label` says who is concerned."""

    id: int
    name: str
    begins_ns: int
    ends_ns: int | None
    label: str
    links: tuple[tuple[str, str], ...] = ()
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phase:
    """The run entered a phase, or came to a place that is worth a look."""

    at_ns: int
    name: str
    telling: bool = False


Item = Message | Operation | Mark | FaultSpan | Phase


@dataclass(frozen=True)
class Ladder:
    """Everything to be drawn; clients stand left of nodes. `notes` say what was left out."""

    clients: tuple[str, ...]
    nodes: tuple[str, ...]
    messages: tuple[Message, ...] = ()
    operations: tuple[Operation, ...] = ()
    marks: tuple[Mark, ...] = ()
    faults: tuple[FaultSpan, ...] = ()
    phases: tuple[Phase, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column from left to right."""
        return (*self.clients, *self.nodes)


@dataclass(frozen=True)
class Moment:
    """The beginning or the end of something, and the columns in which it is seen; a fault is seen in all.

    Two moments of one `serial` belong together.
    """

    at_ns: int
    item: Item
    serial: int
    ends: bool = False
    columns: tuple[str, ...] = ()


def moments(ladder: Ladder) -> tuple[Moment, ...]:
    """Everything that happens, in order. At one time causes come before effects: what arrives, what is written, what
    is sent in answer.
    """
    return tuple(sorted(_moments(ladder), key=lambda moment: (moment.at_ns, _rank(moment))))


def _moments(ladder: Ladder) -> Iterator[Moment]:
    items: tuple[Item, ...] = (
        *ladder.phases, *ladder.faults, *ladder.messages, *ladder.marks, *ladder.operations
    )  # fmt: skip
    for serial, item in enumerate(items):
        begins_ns, ends_ns = _span(item)
        here, there = _columns(item, ladder.columns)
        yield Moment(begins_ns, item, serial, columns=here)
        if ends_ns is not None:
            yield Moment(ends_ns, item, serial, ends=True, columns=there)


def _span(item: Item) -> tuple[int, int | None]:
    """When it begins, and when it ends if that is a moment of its own."""
    match item:
        case Message():
            return item.sent_ns, item.arrived_ns
        case Operation() | FaultSpan():
            return item.begins_ns, item.ends_ns
        case Mark() | Phase():
            return item.at_ns, None


def _columns(item: Item, every: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """In which columns its beginning is seen, and in which its end."""
    match item:
        case Message():
            return (item.source,), (item.target,)
        case Operation():
            return (item.client,), (item.client,)
        case Mark():
            return (item.column,), ()
        case FaultSpan() | Phase():
            return every, every


def _rank(moment: Moment) -> int:
    match moment.item:
        case Phase():
            return 0
        case FaultSpan():
            return 1
        case Message():
            return 2 if moment.ends else 4
        case Mark():
            return 3
        case Operation():
            return 5 if moment.ends else 6


def quick(told: tuple[Moment, ...]) -> frozenset[int]:
    """The serials of those messages that can be drawn as one thing, where they were sent.

    Nothing else happened to the receiver meanwhile, so that nobody takes its order for another one.
    """
    arrival = {moment.serial: place for place, moment in enumerate(told) if moment.ends}
    found: dict[int, None] = {}  # those sent earlier are drawn above, whenever they arrive
    for place, moment in enumerate(told):
        if isinstance(moment.item, Message) and not moment.ends and moment.serial in arrival:
            between = told[place + 1 : arrival[moment.serial]]
            if not any(moment.item.target in other.columns and other.serial not in found for other in between):
                found[moment.serial] = None
    return frozenset(found)


def lanes(faults: tuple[FaultSpan, ...]) -> dict[int, int]:
    """A place at the margin for each fault, beside those that are in force at the same time."""
    lanes: dict[int, int] = {}
    free_from: list[float] = []
    for fault in sorted(faults, key=lambda each: each.begins_ns):
        ends_ns = float("inf") if fault.ends_ns is None else fault.ends_ns
        lane = next((place for place, free in enumerate(free_from) if free < fault.begins_ns), len(free_from))
        free_from[lane : lane + 1] = [ends_ns]
        lanes[fault.id] = lane
    return lanes


def milliseconds(at_ns: int) -> str:
    """A time of the run in milliseconds with one decimal, thousands in groups."""
    return f"{at_ns / 1e6:,.1f}".replace(",", " ")


def sentence(moment: Moment) -> str:
    """Say in words what happens at a moment."""
    item = moment.item
    match item:
        case Message():
            return _about_message(item, arrives=moment.ends)
        case Operation():
            if moment.ends:
                return f"{item.id}: {item.answer}{f', {item.by}' if item.by else ''}"
            return item.label if item.ends_ns is not None else f"{item.label}: {item.answer}"
        case Mark():
            return f"{item.column} {item.label}"
        case FaultSpan():
            return f"fault {item.id} {'is healed' if moment.ends else f'begins: {item.name}, {item.label}'}"
        case Phase():
            return item.name


def _about_message(message: Message, *, arrives: bool) -> str:
    if arrives:
        return f"{message.label}: sent at {milliseconds(message.sent_ns)}"
    if message.fate == ARRIVED:
        return message.label
    why = f" by {message.why}" if message.why else ""
    return f"{message.label}: {message.fate}{why}"
