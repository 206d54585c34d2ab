"""Everything that is said: between nodes, to and from clients, and over the debug port.

Peers answer by the number of the `call`, which is the asking node's own. Requests carry their remaining time, because
the clocks of two nodes have nothing to do with each other. All messages are immutable. Times are nanoseconds.

Those that ask for something are `final`, because whoever receives them goes by their exact class: `isinstance` and
`match` take several times as long to say no to a `Struct`.
"""

from __future__ import annotations

from typing import final

import msgspec

from node.core.changes import History, Life, Move
from node.core.versions import Versions


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Anything that travels in a frame; its class name travels with it."""


class Ack(msgspec.Struct, frozen=True, array_like=True):
    """One replica that answered: as a primary, or as a fallback that holds a hint for another node.

    `durable` says whether what it holds outlives its process.
    """

    node: str
    hint_for: str | None = None
    durable: bool = True


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A key and everything that is known of it."""

    key: bytes
    versions: Versions


# --- clients ---------------------------------------------------------------------------------------------------------


@final
class Get(Message, frozen=True):
    """Read all versions of a key. `r` overrides the cluster's R."""

    request: str
    key: bytes
    remaining_ns: int
    r: int | None = None


@final
class Put(Message, frozen=True):
    """Write a version of a key that replaces what the context covers. `w` overrides the cluster's W."""

    request: str
    key: bytes
    value: bytes
    context: bytes
    remaining_ns: int
    w: int | None = None


class Version(msgspec.Struct, frozen=True, array_like=True):
    """One sibling as a client sees it: its dot as text, its value."""

    dot: str
    value: bytes


class Got(Message, frozen=True):
    """The versions that no other known version replaces, one context for all of them, and who answered."""

    request: str
    versions: tuple[Version, ...]
    context: bytes
    coordinator: str
    acks: tuple[Ack, ...]
    ring: str


class Written(Message, frozen=True):
    """The put is on W nodes. The context covers its dot and the context given, and nothing else."""

    request: str
    dot: str
    context: bytes
    coordinator: str
    acks: tuple[Ack, ...]
    ring: str


SHUTTING_DOWN = "shutting-down"
"""The code of a node that is leaving; whoever hears it may ask another one."""


class Refused(Message, frozen=True):
    """The request did not succeed. `definite` says that it certainly had, and will have, no effect."""

    request: str
    code: str
    text: str
    definite: bool


Request = Get | Put
Response = Got | Written | Refused


# --- peers -----------------------------------------------------------------------------------------------------------


@final
class Fetch(Message, frozen=True):
    """Asks for all versions of a key that the peer holds, also as hints."""

    call: int
    key: bytes
    remaining_ns: int


class Fetched(Message, frozen=True):
    """Answers `Fetch`; `durable` is as in `Ack`."""

    call: int
    versions: Versions
    durable: bool = True


@final
class Replicate(Message, frozen=True):
    """Asks to merge these versions durably: as a replica, or as a hint for a node that cannot be reached."""

    call: int
    key: bytes
    versions: Versions
    hint_for: str | None
    remaining_ns: int


class Stored(Message, frozen=True):
    """Answers `Replicate` and `Batch`: it is committed here.

    `durable` is as in `Ack`; `news` says whether any of it was not known before.
    """

    call: int
    durable: bool = True
    news: bool = True


@final
class Forward(Message, frozen=True):
    """Asks to coordinate a client's put; a forwarded put is never forwarded again."""

    call: int
    put: Put


class Forwarded(Message, frozen=True):
    """Answers `Forward` with what the client is to be told."""

    call: int
    response: Written | Refused


@final
class Ping(Message, frozen=True):
    """Asks for an answer and nothing more."""

    call: int


class Pong(Message, frozen=True):
    """Answers `Ping`: this incarnation is there."""

    call: int
    incarnation: str = ""


class Declined(Message, frozen=True):
    """Answers any request that this node will not serve, such as one whose time has run out."""

    call: int
    text: str


# --- membership ------------------------------------------------------------------------------------------------------


class Differs(Message, frozen=True):
    """Answers a request that was made under another ring than this node's: nothing was done. Here is what it knows."""

    call: int
    history: History


@final
class Gossip(Message, frozen=True):
    """Tells who the sender is, and what it knows: at least by the digest that goes with every message."""

    life: Life
    history: History | None = None


# --- transfers -------------------------------------------------------------------------------------------------------


@final
class Offer(Message, frozen=True):
    """Offers the seat in a partition that its receiver is to take over (Dynamo, 4.9); `Accepted` confirms."""

    call: int
    move: Move


class Accepted(Message, frozen=True):
    """Answers `Offer`: the transfer may begin."""

    call: int


@final
class Batch(Message, frozen=True):
    """Asks to merge many keys durably; answered with `Stored`."""

    call: int
    entries: tuple[Entry, ...]


# --- anti-entropy ----------------------------------------------------------------------------------------------------


@final
class RootsQuery(Message, frozen=True):
    """Asks for the roots of the Merkle trees of the partitions that end there; answered with `TreeHashes`."""

    call: int
    ends: tuple[int, ...]


@final
class TreeQuery(Message, frozen=True):
    """Asks for hashes of the Merkle tree of the partition that ends at `end`.

    Level 0 is the root, 1 the branches, 2 the leaves of the given branches; level 3 asks for the keys of the given
    leaves.
    """

    call: int
    end: int
    level: int
    places: tuple[int, ...] = ()


class TreeHashes(Message, frozen=True):
    """Answers `RootsQuery`, and `TreeQuery` of level 0 to 2: a hash for each place, in order.

    `ready` is False while the trees are rebuilt.
    """

    call: int
    hashes: tuple[int, ...]
    ready: bool = True


class TreeKeys(Message, frozen=True):
    """Answers `TreeQuery` of level 3: every key of those leaves, with the hash of what is known of it."""

    call: int
    keys: tuple[tuple[bytes, int], ...]


PeerRequest = Fetch | Replicate | Forward | Ping | Gossip | Offer | Batch | RootsQuery | TreeQuery
PeerAnswer = Fetched | Stored | Forwarded | Pong | Declined | Differs | Accepted | TreeHashes | TreeKeys
PeerMessage = PeerRequest | PeerAnswer


# --- the debug port --------------------------------------------------------------------------------------------------


@final
class StatusQuery(Message, frozen=True):
    """Asks what is under way."""


class Status(Message, frozen=True):
    """What is under way in a node; quiet means that every number in `work` is zero."""

    node: str
    incarnation: str
    ring: str
    work: dict[str, int]
    suspected: tuple[str, ...]
    commits: int
    clock_offset_ns: int = 0


@final
class DumpQuery(Message, frozen=True):
    """Asks for a page of what this node holds; `after` is the last page's `next`, at first empty."""

    after: bytes = b""
    limit: int = 256


class HeldKey(msgspec.Struct, frozen=True, array_like=True):
    """One key on one node: held as a replica, or as a hint for another node."""

    key: bytes
    primaries: tuple[str, ...]
    versions: tuple[Version, ...]
    hint_for: str | None


class DumpPage(Message, frozen=True):
    """A page of a dump; `next` is empty on the last one. Reading it neither coordinates nor repairs."""

    held: tuple[HeldKey, ...]
    next: bytes


DebugRequest = StatusQuery | DumpQuery
DebugResponse = Status | DumpPage
