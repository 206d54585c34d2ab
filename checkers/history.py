"""The history of a run: what was asked and answered, what was broken and healed, and what the replicas held.

On disk a history is JSON Lines, one record a line, appended as things happen, so that a killed run can still be judged.
This file knows how records are kept and read back; what is in them is told in `checkers.records`. It does not know who
wrote them, nor what they prove.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from checkers.records import (
    FORMAT,
    Ack,
    Completed,
    Dumped,
    FaultChanged,
    Held,
    Invoked,
    NodeChanged,
    Outcome,
    PhaseBegan,
    Place,
    Record,
    RingTold,
    RunEnded,
    RunStarted,
    Sent,
    Settled,
    Version,
)

__all__ = [
    "FORMAT",
    "NOT_SENT",
    "Ack",
    "Completed",
    "DamagedHistoryError",
    "Dumped",
    "FaultChanged",
    "Held",
    "History",
    "Invoked",
    "NodeChanged",
    "Operation",
    "Outcome",
    "PhaseBegan",
    "Place",
    "Record",
    "RingTold",
    "RunEnded",
    "RunStarted",
    "Sent",
    "Settled",
    "Version",
    "encode",
    "read",
]

NOT_SENT = "not sent"
"""How the error of an operation begins that never left the client: it failed, and says nothing about the system."""

_HEADLESS = "a history begins with a record of type 'run'"


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
    def rings(self) -> tuple[RingTold, ...]:
        """What nodes told of the ring, in order."""
        return tuple(r for r in self.records if type(r) is RingTold)

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
