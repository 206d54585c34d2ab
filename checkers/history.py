"""The history of a run: what was asked and answered, what was broken and healed, and what the replicas held.

On disk a history is JSON Lines, one record a line, appended as things happen, so that a killed run can still be judged.
This file knows the records and how they are read back. It does not know who wrote them, nor what they prove.

Times (`at`) are integer nanoseconds since the start of the run, virtual or real. Keys and values are text; a long
value is written as `sha256:…`, and in the same way wherever it stands: asked, returned or held.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

FORMAT = 1
"""The version of the records below; a history of another version is refused, never guessed at."""

NOT_SENT = "not sent"
"""How the error of an operation begins that never left the client: it failed, and says nothing about the system."""

_HEADLESS = "a history begins with a record of type 'run'"


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
    """The first record: what this is a history of, and the `faults` to inject; where `drawn`, each may bite nothing."""

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


class RunEnded(msgspec.Struct, frozen=True, tag_field="type", tag="end", kw_only=True, omit_defaults=True):
    """The last record of a run that was not killed; `interrupted` says why it was cut short."""

    at: int
    interrupted: str | None = None


Record = RunStarted | PhaseBegan | Invoked | Completed | FaultChanged | NodeChanged | Dumped | Settled | RunEnded

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class Operation(NamedTuple):
    """An invocation and its completion. One without completion is of unknown outcome: it may have happened."""

    invoked: Invoked
    completed: Completed | None

    @property
    def id(self) -> str:
        """The operation's name within the run, such as `c2.17`."""
        return self.invoked.op

    @property
    def outcome(self) -> Outcome:
        """Ok, failed or unknown."""
        return self.completed.outcome if self.completed else Outcome.UNKNOWN

    @property
    def versions(self) -> tuple[Version, ...]:
        """What a get returned."""
        return self.completed.versions if self.completed else ()

    @property
    def was_sent(self) -> bool:
        """Whether the system ever heard of it, as far as the client knows."""
        return self.completed is None or not (self.completed.error or "").startswith(NOT_SENT)

    @property
    def latency_ns(self) -> int | None:
        """How long it took, from when it was due or else asked; none where it has no end."""
        began = self.invoked.at if self.invoked.due is None else self.invoked.due
        return self.completed.at - began if self.completed else None


class DamagedHistoryError(Exception):
    """A history file that cannot be believed: says the file, the line and what is wrong with it."""


class History:
    """The records of one run, in the order in which they were written."""

    def __init__(self, records: Iterable[Record], warnings: tuple[str, ...] = ()) -> None:
        self.records = tuple(records)
        self.warnings = warnings

    @cached_property
    def run(self) -> RunStarted:
        """What this is a history of."""
        if not self.records or not isinstance(self.records[0], RunStarted):
            raise DamagedHistoryError(_HEADLESS)
        return self.records[0]

    @cached_property
    def ended(self) -> RunEnded | None:
        """The last record, or none when the run was killed."""
        return next((r for r in reversed(self.records) if isinstance(r, RunEnded)), None)

    @cached_property
    def lasted_ns(self) -> int:
        """The time of the latest record: how long the run was watched."""
        return max((r.at for r in self.records if not isinstance(r, RunStarted)), default=0)

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """Every operation in the order of invocation."""
        completions = {r.op: r for r in self.records if type(r) is Completed}
        return tuple(Operation(r, completions.get(r.op)) for r in self.records if type(r) is Invoked)

    @cached_property
    def operation(self) -> dict[str, Operation]:
        """Every operation by its id."""
        return {op.id: op for op in self.operations}

    @cached_property
    def phases(self) -> tuple[PhaseBegan, ...]:
        """The phases in order."""
        return tuple(r for r in self.records if type(r) is PhaseBegan)

    @cached_property
    def faults(self) -> tuple[FaultChanged, ...]:
        """What happened to faults, in order."""
        return tuple(r for r in self.records if type(r) is FaultChanged)

    @cached_property
    def node_changes(self) -> tuple[NodeChanged, ...]:
        """What happened to nodes, in order."""
        return tuple(r for r in self.records if type(r) is NodeChanged)

    @cached_property
    def settled(self) -> tuple[Settled, ...]:
        """How each wait for quiet ended."""
        return tuple(r for r in self.records if type(r) is Settled)

    @cached_property
    def _dumps(self) -> dict[str, dict[str, Dumped]]:
        found: dict[str, dict[str, Dumped]] = {}
        for record in self.records:
            if type(record) is Dumped:  # as above: isinstance takes long to say no to a Struct
                found.setdefault(record.round, {})[record.node] = record
        return found

    @property
    def rounds(self) -> tuple[str, ...]:
        """The names of the dump rounds, in order."""
        return tuple(self._dumps)

    def dumps(self, round_name: str) -> dict[str, Dumped]:
        """One round's dumps by node; the later one where a node was dumped twice."""
        return self._dumps.get(round_name, {})

    def phase_at(self, at: int) -> str:
        """The phase in force at that time."""
        name = "prepare"
        for phase in self.phases:
            if phase.at > at:
                break
            name = phase.name
        return name


def encode(record: Record) -> bytes:
    """One line of a history file, with its newline."""
    return _encoder.encode(record) + b"\n"


def read(path: Path) -> History:
    """Read a history file.

    A torn last line (the run was killed while writing it) is a warning; damage anywhere else raises
    `DamagedHistoryError`, as does a file that does not begin with a run record of a known format, or in which an
    operation is invoked twice, completed twice or completed without having been invoked.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DamagedHistoryError(f"{path}: {error.strerror or error}") from error
    last = lines.pop()
    records = [_decoded(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]
    warnings: tuple[str, ...] = ()
    if last:
        try:
            records.append(_decoder.decode(last))  # whole but for its newline
        except (msgspec.DecodeError, UnicodeDecodeError):
            warnings = (f"{path}:{len(lines) + 1}: the last line is torn and was left out",)
    if not records or not isinstance(records[0], RunStarted):
        raise DamagedHistoryError(f"{path}:1: {_HEADLESS}")
    if records[0].format != FORMAT:
        raise DamagedHistoryError(f"{path}:1: history format {records[0].format}; this keelhaul reads format {FORMAT}")
    _refuse_contradictions(records, path)
    return History(records, warnings)


def _decoded(line: bytes, where: str) -> Record:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedHistoryError(f"{where}: not a history record: {error}") from error


def _refuse_contradictions(records: Iterable[Record], path: Path) -> None:
    """Refuse an operation told twice or half: whichever telling a checker picked, it might be the wrong one."""
    invoked: set[str] = set()
    completed: set[str] = set()
    for number, record in enumerate(records, start=1):
        if isinstance(record, Invoked):
            if record.op in invoked:
                raise DamagedHistoryError(f"{path}:{number}: operation {record.op} is invoked twice")
            invoked.add(record.op)
        elif isinstance(record, Completed):
            if record.op not in invoked:
                raise DamagedHistoryError(f"{path}:{number}: operation {record.op} is completed but was never invoked")
            if record.op in completed:
                raise DamagedHistoryError(f"{path}:{number}: operation {record.op} is completed twice")
            completed.add(record.op)
