"""The bytes of the log: a preface at the head of each file, then records, each with a header of its own.

A file's seed is made of its preface, so a record that lands in another file, at another place in its own, or comes
from another store never passes for one that belongs there. A header has its own checksum: it proves that its record
was begun even where the rest of it never reached the disk. This file knows bytes, and no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from struct import Struct
from zlib import crc32

from node.core.store import Space

FORMAT = 1
"""The version of everything in this file; a newer one is refused."""

Change = tuple[Space, bytes, bytes | None]
"""A key of a space, with its new value, or None when it was deleted."""


class Kind(IntEnum):
    """What a file is."""

    SEGMENT = 1
    SNAPSHOT = 2


@dataclass(frozen=True)
class Preface:
    """The head of a file.

    `identity` is the store's, `number` the file's, and `nonce` tells it from a file that had the number before and
    never became durable. `sequence` is that of the last batch before this file. `sealed` is how many bytes of the
    segment before count; what lies behind them was never acknowledged there. `born` is how many bytes of this file,
    the preface included, were durable before it got its name.
    """

    kind: Kind
    identity: int
    number: int
    nonce: int
    sequence: int
    sealed: int
    born: int

    def packed(self) -> bytes:
        """The bytes, with their checksum."""
        fields = (self.identity, self.number, self.nonce, self.sequence, self.sealed, self.born)
        head = _PREFACE.pack(_NAME, FORMAT, self.kind, *fields)
        return head + _CRC.pack(crc32(head))

    def with_born(self, born: int) -> Preface:
        """The same head of a file of which so many bytes are born with it; the seed stays."""
        return replace(self, born=born)

    @property
    def seed(self) -> int:
        """What checksums of this file begin with."""
        return crc32(_SEED.pack(self.kind, self.identity, self.number, self.nonce))


_NAME = b"keelhaul"
_PREFACE = Struct("<8sIIQQQQQQ")
_SEED = Struct("<IQQQ")
_CRC = Struct("<I")
PREFACE_BYTES = _PREFACE.size + _CRC.size

BATCH = b"\xd5KHb"
END = b"\xd5KHe"
"""How a record begins: one with changes, or the one that ends a snapshot."""

_HEADER = Struct("<4sIQQI")
HEADER_BYTES = _HEADER.size + _CRC.size
RECORD_BYTES_MAX = (1 << 32) - 1

_CHANGE = Struct("<BII")
_DELETED = (1 << 32) - 1
_CODES = {space: code for code, space in enumerate(Space)}
_SPACES = tuple(Space)

_MARK = Struct("<Q")
MARK_BYTES = _MARK.size + _CRC.size

CHANGE_BYTES = _CHANGE.size


class DamagedError(Exception):
    """Bytes that are not what was written; says what is wrong with them."""


class NewerError(Exception):
    """Bytes of a format that is newer than this one; says which."""


def preface(data: bytes) -> Preface:
    """Read the head of a file, or raise `DamagedError` or `NewerError`."""
    if len(data) < PREFACE_BYTES:
        raise DamagedError(f"the file ends after {len(data)} bytes, within its head")
    name, version, kind, *fields = _PREFACE.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _PREFACE.size)
    if crc == crc32(data[: _PREFACE.size]) and name == _NAME and version == FORMAT:
        return Preface(Kind(kind), *fields)
    if name == _NAME and version > FORMAT:
        raise NewerError(f"has format {version}; this node reads up to format {FORMAT}")
    raise DamagedError("the file's head is damaged")


def change(space: Space, key: bytes, value: bytes | None) -> bytes:
    """The bytes of one change."""
    if value is None:
        return _CHANGE.pack(_CODES[space], len(key), _DELETED) + key
    return _CHANGE.pack(_CODES[space], len(key), len(value)) + key + value


def changes(payload: bytes) -> Iterator[Change]:
    """The changes in a record's payload, which its checksum has vouched for."""
    at = 0
    while at < len(payload):
        code, key_bytes, value_bytes = _CHANGE.unpack_from(payload, at)
        at += CHANGE_BYTES
        key = payload[at : at + key_bytes]
        at += key_bytes
        if value_bytes == _DELETED:
            yield _SPACES[code], key, None
        else:
            yield _SPACES[code], key, payload[at : at + value_bytes]
            at += value_bytes


def record(seed: int, offset: int, sequence: int, parts: Iterable[bytes], kind: bytes = BATCH) -> bytes:
    """A record that is to lie at this offset of the file with this seed."""
    payload = b"".join(parts)
    head = _HEADER.pack(kind, len(payload), sequence, offset, crc32(payload, seed))
    return b"".join((head, _CRC.pack(crc32(head, seed)), payload))


@dataclass(frozen=True)
class Record:
    """A record as it was read: `end` is the offset after it."""

    kind: bytes
    sequence: int
    offset: int
    end: int
    payload: bytes


def read_record(data: bytes, offset: int, seed: int) -> Record:
    """Read the record at an offset, or raise `DamagedError`."""
    kind, length, sequence, _, crc = _header(data, offset, seed)
    end = offset + HEADER_BYTES + length
    if end > len(data):
        raise DamagedError(f"a record of {length} bytes does not end before the file does")
    payload = data[offset + HEADER_BYTES : end]
    if crc != crc32(payload, seed):
        raise DamagedError(f"the checksum of a record of {length} bytes is wrong")
    return Record(kind, sequence, offset, end, payload)


def begun_after(data: bytes, offset: int, seed: int) -> int | None:
    """Where, after an offset, a record of this file was begun, or None. Its header is enough."""
    at = data.find(BATCH, offset + 1)
    while at >= 0:
        try:
            _header(data, at, seed)
        except DamagedError:
            at = data.find(BATCH, at + 1)
        else:
            return at
    return None


def _header(data: bytes, offset: int, seed: int) -> tuple[bytes, int, int, int, int]:
    if offset + HEADER_BYTES > len(data):
        raise DamagedError("the file ends within the header of a record")
    head: tuple[bytes, int, int, int, int] = _HEADER.unpack_from(data, offset)
    (crc,) = _CRC.unpack_from(data, offset + _HEADER.size)
    if crc != crc32(data[offset : offset + _HEADER.size], seed) or head[3] != offset or head[0] not in (BATCH, END):
        raise DamagedError("no valid header of a record is here")
    return head


def mark(seed: int, durable: int) -> bytes:
    """A mark: so many bytes of the segment with this seed are durable."""
    body = _MARK.pack(durable)
    return body + _CRC.pack(crc32(body, ~seed & 0xFFFFFFFF))


def marked(data: bytes, seed: int) -> int:
    """The most that any undamaged mark says."""
    most = 0
    for at in range(0, len(data) - MARK_BYTES + 1, MARK_BYTES):
        body = data[at : at + _MARK.size]
        if _CRC.unpack_from(data, at + _MARK.size)[0] == crc32(body, ~seed & 0xFFFFFFFF):
            most = max(most, _MARK.unpack(body)[0])
    return most
