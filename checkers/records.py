"""What a history is made of: one record for each thing that was asked, answered, broken, healed, held or told.

Times (`at`) are integer nanoseconds since the start of the run, virtual or real. Keys and values are text; a long
value is written as `sha256:…`, and in the same way wherever it stands: asked, returned or held. This file knows the
records' fields. It does not know how records are kept, nor what they prove.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

FORMAT = 1
"""The version of the records below; a history of another version is refused, never guessed at."""


class Outcome(Enum):
    """What became of an operation; only what certainly never took effect is a failure."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Version(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of a key as it was seen: the dot that names it and its value (long values as `sha256:…`)."""

    dot: str
    value: str


class Ack(msgspec.Struct, frozen=True, omit_defaults=True):
    """One replica that answered: a primary, or a fallback holding it for `hint_for`; durable or not."""

    node: str
    hint_for: str | None = None
    durable: bool = True


class RunStarted(msgspec.Struct, frozen=True, tag_field="type", tag="run", kw_only=True):
    """The first record: what this is a history of, and the `faults` to inject; where `drawn`, each may bite nothing.

    The cluster begins with the `nodes`; `spares` are not there before they have been started.
    """

    format: int = FORMAT
    scenario: str
    system: str
    world: str
    workload: str
    seed: int
    nodes: tuple[str, ...]
    n: int
    r: int
    w: int
    faults: tuple[str, ...] = ()
    drawn: bool = False
    scripted: bool = False
    spares: tuple[str, ...] = ()


class PhaseBegan(msgspec.Struct, frozen=True, tag_field="type", tag="phase", kw_only=True):
    """The run entered a phase: prepare, load, stress, heal, settle, dump."""

    at: int
    name: str


class Invoked(msgspec.Struct, frozen=True, tag_field="type", tag="invoke", kw_only=True, omit_defaults=True):
    """A client asked a node for something. `context_of` names the operation whose context it carried, if any; `due` is
    when it should have been asked, if that was fixed beforehand: its latency counts from then.
    """

    at: int
    op: str
    client: str
    node: str
    f: str
    key: str
    value: str | None = None
    context_of: str | None = None
    due: int | None = None


class Completed(msgspec.Struct, frozen=True, tag_field="type", tag="complete", kw_only=True, omit_defaults=True):
    """An operation ended. A get's `versions` are what it returned; a put's `dot` names what it wrote."""

    at: int
    op: str
    outcome: Outcome
    error: str | None = None
    versions: tuple[Version, ...] = ()
    dot: str | None = None
    coordinator: str | None = None
    acks: tuple[Ack, ...] = ()
    ring: str | None = None


class FaultChanged(msgspec.Struct, frozen=True, tag_field="type", tag="fault", kw_only=True, omit_defaults=True):
    """A fault was requested, came in force, was healed, or could not be injected.

    `event` is `requested`, `started`, `healed` or `failed`. `detail` says what was drawn: `sides` (lists of nodes, for
    cuts that have sides), `links` (directed, `"n1>n2"`), `nodes` (victims). On `healed`, `delivered` says whether its
    effect was observed, and `observed` holds the proof, such as `{"n1>n2": {"seen": 12, "dropped": 12}}`.
    """

    at: int
    id: int
    name: str
    event: str
    detail: dict[str, Any] = msgspec.field(default_factory=dict)
    delivered: bool | None = None
    observed: dict[str, Any] = msgspec.field(default_factory=dict)


class NodeChanged(msgspec.Struct, frozen=True, tag_field="type", tag="node", kw_only=True, omit_defaults=True):
    """A node `started`, was `killed`, `stopped`, `wiped` (disk lost), `paused`, `resumed`, or `exited` by itself."""

    at: int
    node: str
    event: str
    detail: dict[str, Any] = msgspec.field(default_factory=dict)


class Held(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one replica held for one key: as one of its `primaries`, or as a hint for another node."""

    key: str
    primaries: tuple[str, ...]
    versions: tuple[Version, ...]
    hint_for: str | None = None


class Dumped(msgspec.Struct, frozen=True, tag_field="type", tag="dump", kw_only=True):
    """Everything one node held, read through its debug port: neither coordinated nor repaired.

    `round` names the occasion: `fault-3` just before fault 3 was healed, `handoff` when hints had drained, `final`
    after every key was read with repair. A node that is down has no dump of that round.
    """

    at: int
    round: str
    node: str
    held: tuple[Held, ...]


class Settled(msgspec.Struct, frozen=True, tag_field="type", tag="settled", kw_only=True, omit_defaults=True):
    """The wait for quiet ended: quiet, still draining at the bound (`moving`), or stuck; with each node's open work."""

    at: int
    round: str
    state: str
    waited_ns: int
    work: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)


class Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One seat that a node gave away: `seat` names it with its partition and version, `keys` is how many were there to
    give, `sent` how many were sent. `bounds` are the partition's, [start, end) of the first 63 bits of a key's MD5.
    """

    seat: str
    giver: str
    taker: str
    state: str
    keys: int
    sent: int
    bounds: tuple[int, int] | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a member stands; a rack or a data centre without a name is one for all that have none."""

    machine: str
    rack: str = ""
    dc: str = ""


class RingTold(msgspec.Struct, frozen=True, tag_field="type", tag="ring", kw_only=True, omit_defaults=True):
    """The ring as one node told it, and what that node did for it.

    `states` and `places` are the members', `seats` who keeps each partition, in the order of partitions, and `moves`
    how many of those seats are still to pass to another node. `transfers` are those of this life of the node, and
    `exchanges` its counters of anti-entropy by name. `round` is as in `Dumped`.
    """

    at: int
    round: str
    node: str
    ring: str
    n: int
    states: dict[str, str]
    places: dict[str, Place]
    seats: tuple[tuple[str, ...], ...]
    moves: int
    transfers: tuple[Sent, ...] = ()
    exchanges: dict[str, int] = msgspec.field(default_factory=dict)


class RunEnded(msgspec.Struct, frozen=True, tag_field="type", tag="end", kw_only=True, omit_defaults=True):
    """The last record of a run that was not killed; `interrupted` says why it was cut short."""

    at: int
    interrupted: str | None = None


Record = (
    RunStarted | PhaseBegan | Invoked | Completed | FaultChanged | NodeChanged | Dumped | Settled | RingTold | RunEnded
)
