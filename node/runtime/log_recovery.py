"""Reading a log back: what was committed, or which damage keeps it from being known.

A batch is appended only after everything before it was synced. So at most one batch can be torn, the last of the last
segment; and a record that was begun, anywhere later, proves that what comes before it had been durable. What is
damaged there, in a sealed segment or in a snapshot, is corruption, and so is an end before the last mark. Files are
only read here, so a recovery may die and be repeated at will.

What cannot be told apart from a torn batch: damage to the very last batch that was acknowledged, where its mark did
not reach the disk (nobody waits for that) or is damaged as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.core.store import Space
from node.runtime.disk import Disk
from node.runtime.log_format import (
    BATCH,
    END,
    PREFACE_BYTES,
    DamagedError,
    Kind,
    NewerError,
    Preface,
    Record,
    begun_after,
    changes,
    marked,
    preface,
    read_record,
)
from node.runtime.log_names import Names, marks, segment, snapshot
from node.runtime.ports import EngineError

Entries = dict[Space, dict[bytes, bytes]]


@dataclass
class Recovered:
    """What a log held.

    `base` is the number of the first segment that counts, `last` that of the last one, 0 when there is none. `sealed`
    is how many of the last segment's bytes are certainly durable; the payload of the batch after them, if there is
    one, is in `unproven`: it is to be written again. `needed` is the last sequence that a snapshot has seen.
    """

    identity: int = 0
    base: int = 1
    last: int = 0
    sequence: int = 0
    sealed: int = 0
    unproven: bytes | None = None
    needed: int = 0
    log_bytes: int = 0
    entries: Entries = field(default_factory=lambda: {space: {} for space in Space})


def recover(disk: Disk) -> Recovered:
    """Read what is on the disk; raises `EngineError` in one line that names file, offset and what is wrong."""
    return _Recovery(disk).run()


@dataclass(frozen=True)
class _File:
    """A file as it was read."""

    name: str
    data: bytes
    preface: Preface


class _Recovery:
    """One pass over the files."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._found = Recovered()

    def run(self) -> Recovered:
        """The snapshot first, then the segments from there on."""
        found, names = self._found, Names(self._disk.names())
        if not names.segments and not names.snapshots and not names.marks:
            return found
        if names.snapshots:
            found.base = names.snapshots[-1]
            self._read_snapshot(snapshot(found.base))
        files = [self._file(segment(number), Kind.SEGMENT) for number in self._numbers(names)]
        heads: list[Preface | None] = [file.preface for file in files[1:]]
        for file, after in zip(files, [*heads, None], strict=True):
            self._read_segment(file, after)
        if found.sequence < found.needed:
            said = f"it ends with batch {found.sequence}; batch {found.needed} was durable"
            raise self._corrupt(segment(found.last), found.sealed, said)
        return found

    def _numbers(self, names: Names) -> list[int]:
        """The segments that count are numbered without a gap, up to the one that was marked last."""
        base = self._found.base
        self._found.last = max([base, *names.segments, *names.marks])
        numbers = list(range(base, self._found.last + 1))
        for number in numbers:
            if number not in names.segments:
                raise self._corrupt(segment(number), 0, "the file is missing")
        return numbers

    def _file(self, name: str, kind: Kind) -> _File:
        """Read a file and its head, which must be of this store."""
        data, found = self._disk.read(name), self._found
        try:
            head = preface(data)
        except DamagedError as error:
            raise self._corrupt(name, 0, str(error)) from error
        except NewerError as error:
            raise EngineError(f"{self._disk.where}/{name} {error}") from error
        if (head.kind, f"{head.number:08}") != (kind, name[:8]):
            raise self._corrupt(name, 0, f"this is {head.kind.name.lower()} {head.number}")
        if found.identity not in (0, head.identity):
            raise self._corrupt(name, 0, "the file belongs to another store")
        found.identity = head.identity
        return _File(name, data, head)

    def _read_snapshot(self, name: str) -> None:
        """All of it must be there: it got its name after it was synced."""
        file, found = self._file(name, Kind.SNAPSHOT), self._found
        found.sequence = file.preface.sequence
        at, number = PREFACE_BYTES, 0
        while True:
            record = self._record(file, at)
            if record.kind == END:
                break
            self._apply(record, file, number)
            at, number = record.end, number + 1
        if record.end != len(file.data):
            raise self._corrupt(name, record.end, "bytes after the end of a snapshot")
        found.needed = record.sequence

    def _read_segment(self, file: _File, after: Preface | None) -> None:
        """Apply every batch, up to the seal of a segment with one after it, or to the end of what is whole."""
        found, head = self._found, file.preface
        if head.sequence != found.sequence:
            raise self._corrupt(file.name, 0, f"it begins after batch {head.sequence}, not after {found.sequence}")
        durable = after.sealed if after else max(head.born, self._marked(file))
        at, last = PREFACE_BYTES, None
        while at < (durable if after else len(file.data)):
            try:
                record = read_record(file.data, at, head.seed)
            except DamagedError as error:
                if after is None and self._may_be_torn(file, at, durable):
                    break
                raise self._corrupt(file.name, at, str(error)) from error
            self._apply(record, file, found.sequence + 1)
            found.sequence, at, last = record.sequence, record.end, record
        if at < durable or (after and at > durable):
            raise self._corrupt(file.name, at, f"{durable} bytes of the file were durable, and whole batches end here")
        found.log_bytes += at
        found.sealed = at
        if after is None and last is not None and last.end > durable:
            found.sealed, found.unproven = last.offset, last.payload

    def _may_be_torn(self, file: _File, at: int, durable: int) -> bool:
        """Whether nothing proves that what is damaged here had been durable."""
        return at >= durable and begun_after(file.data, at, file.preface.seed) is None

    def _marked(self, file: _File) -> int:
        name = marks(file.preface.number)
        return marked(self._disk.read(name), file.preface.seed) if name in self._disk.names() else 0

    def _record(self, file: _File, at: int) -> Record:
        try:
            return read_record(file.data, at, file.preface.seed)
        except DamagedError as error:
            raise self._corrupt(file.name, at, str(error)) from error

    def _apply(self, record: Record, file: _File, sequence: int) -> None:
        """Apply a record that must be the one of this number."""
        if record.sequence != sequence or record.kind != BATCH:
            raise self._corrupt(file.name, record.offset, f"batch {record.sequence} is where {sequence} should be")
        entries = self._found.entries
        for space, key, value in changes(record.payload):
            if value is None:
                entries[space].pop(key, None)
            else:
                entries[space][key] = value

    def _corrupt(self, name: str, offset: int, said: str) -> EngineError:
        return EngineError(f"{self._disk.where}/{name} is corrupt at byte {offset}: {said}")
