"""What an operator asks of any node, and is told (Dynamo, 4.8.1).

An order is staged at the node that it is given to, looked at as a plan, and committed; what is staged binds nobody and
is forgotten at a restart. `request` is the asker's own name for the question. Times are milliseconds.
"""

from __future__ import annotations

from typing import final

import msgspec

from node.core.admission import BackgroundReport
from node.core.changes import Change, Life, Member, Move
from node.core.messages import Entry, Message, Refused


@final
class Stage(Message, frozen=True):
    """Stages an order: `join` and `replace` name who comes as `member`, and where it is dialled as host:port."""

    request: str
    operation: str
    node: str
    member: Member | None = None
    address: str = ""


@final
class Unstage(Message, frozen=True):
    """Forgets everything that is staged here."""

    request: str


class Staged(Message, frozen=True):
    """Answers `Stage` and `Unstage`: all that is staged now, each order in a few words."""

    request: str
    orders: tuple[str, ...]


@final
class PlanQuery(Message, frozen=True):
    """Asks what the staged orders would do."""

    request: str


class Share(msgspec.Struct, frozen=True, array_like=True):
    """A member, how many tokens it has, and how many partitions it keeps a replica of, before and after."""

    node: str
    tokens: int
    tokens_after: int
    replicas: int
    replicas_after: int


class Transfers(msgspec.Struct, frozen=True, array_like=True):
    """How many seats pass from one node to another."""

    giver: str
    taker: str
    seats: int


class Plan(Message, frozen=True):
    """Answers `PlanQuery`. `token` is what a commit of exactly this plan needs; `warnings` are sentences."""

    request: str
    token: str
    orders: tuple[str, ...]
    shares: tuple[Share, ...]
    transfers: tuple[Transfers, ...]
    warnings: tuple[str, ...]


@final
class Commit(Message, frozen=True):
    """Makes the staged orders changes of the ring, if they still are what the plan with this token said."""

    request: str
    token: str
    issued_ms: int


class Done(Message, frozen=True):
    """Answers `Commit`: the changes that were made, and the digest of the ring that follows."""

    request: str
    changes: tuple[Change, ...]
    ring: str


@final
class RingQuery(Message, frozen=True):
    """Asks for the ring as this node knows it."""

    request: str


class MemberReport(msgspec.Struct, frozen=True, array_like=True):
    """A member as the ring has it: `state` is valid, joining, leaving, left or down."""

    member: Member
    address: str
    state: str
    tokens: int
    seats: int
    seats_after: int


class Seats(msgspec.Struct, frozen=True, array_like=True):
    """The partition of keys [start, end), on a ring of 63-bit positions, and who sits in its N seats."""

    start: int
    end: int
    nodes: tuple[str, ...]


class RingReport(Message, frozen=True):
    """Answers `RingQuery`; `moves` are the switches that are still due."""

    request: str
    node: str
    ring: str
    strategy: int
    n: int
    members: tuple[MemberReport, ...]
    seats: tuple[Seats, ...]
    moves: tuple[Move, ...]
    changes: tuple[Change, ...]


@final
class NodeQuery(Message, frozen=True):
    """Asks a node about itself."""

    request: str


class TransferReport(msgspec.Struct, frozen=True, array_like=True):
    """One seat that this node gives away, or gave away in this life: how many keys it sent, and how it stands."""

    move: Move
    state: str
    keys: int
    sent: int


class NodeReport(Message, frozen=True):
    """Answers `NodeQuery`. `keys` is how many the node keeps as a replica, as far as its trees are built; `hints` are
    counted by target; `anti_entropy` are its counters by name.
    """

    request: str
    life: Life
    ring: str
    suspected: tuple[str, ...]
    hints: dict[str, int]
    transfers: tuple[TransferReport, ...]
    background: BackgroundReport
    anti_entropy: dict[str, int]
    keys: int = 0


@final
class Locate(Message, frozen=True):
    """Asks who is responsible for a key."""

    request: str
    key: bytes


class Located(Message, frozen=True):
    """Answers `Locate`: the seats of the key's partition, who is to sit there, and who stands in, in order."""

    request: str
    ring: str
    seats: Seats
    after: tuple[str, ...]
    fallbacks: tuple[str, ...]


@final
class Archive(Message, frozen=True):
    """Asks for a page of what the node keeps of the partition that ends at `end`: the keys after `after`, in order."""

    request: str
    end: int
    after: bytes = b""


class Archived(Message, frozen=True):
    """Answers `Archive`; a page without entries is behind the last one."""

    request: str
    entries: tuple[Entry, ...]


@final
class Restore(Message, frozen=True):
    """Asks to bring these to all who keep them now. What is newer there stays: an archive is merged, like anything."""

    request: str
    entries: tuple[Entry, ...]


class Restored(Message, frozen=True):
    """Answers `Restore`: they are durable here, and on their way to the others as hints."""

    request: str
    keys: int


AdminRequest = Stage | Unstage | PlanQuery | Commit | RingQuery | NodeQuery | Locate | Archive | Restore
AdminResponse = Staged | Plan | Done | RingReport | NodeReport | Located | Archived | Restored | Refused
