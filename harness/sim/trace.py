"""Remember what a simulated run did, as a digest of every event, and as the events themselves if asked.

Two runs are the same run when their digests are equal; the first event in which two kept traces differ says where
they parted. An event is its virtual time and a label, never the `repr` of an object, whose address differs in each
process.
"""

from __future__ import annotations

import hashlib
from itertools import zip_longest
from zlib import crc32

_CHUNK = 4096
_MARK = 4


class Trace:
    """The events of one run. `keep` holds on to them all, `mark` to four bytes of each; the digest needs no memory.

    An event costs no more than a line put down: lines are counted, kept and digested many at a time.
    """

    def __init__(self, *, keep: bool = False, mark: bool = False) -> None:
        self._kept: list[str] | None = [] if keep else None
        self._marks: bytearray | None = bytearray() if mark else None
        self._hash = hashlib.blake2b(digest_size=16)
        self._lines: list[str] = []
        self._flushed = 0

    def event(self, at_ns: int, label: str) -> None:
        """Add one event."""
        lines = self._lines
        lines.append(f"{at_ns} {label}\n")
        if len(lines) == _CHUNK:
            self._flush()

    @property
    def count(self) -> int:
        """How many events there are so far."""
        return self._flushed + len(self._lines)

    @property
    def kept(self) -> list[str] | None:
        """All events so far, if they were to be kept."""
        self._flush()
        return self._kept

    @property
    def marks(self) -> bytes | None:
        """The CRC-32 of each event so far, four bytes each, if they were to be marked."""
        self._flush()
        return None if self._marks is None else bytes(self._marks)

    @property
    def digest(self) -> str:
        """The digest of all events so far, 32 hexadecimal digits."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update("".join(self._lines).encode())
        if self._kept is not None:
            self._kept += [line[:-1] for line in self._lines]
        if self._marks is not None:
            self._marks += b"".join(_marked(line[:-1]) for line in self._lines)
        self._flushed += len(self._lines)
        self._lines.clear()


def _marked(line: str) -> bytes:
    return crc32(line.encode()).to_bytes(_MARK, "little")


def first_stranger(events: list[str], marks: bytes) -> str | None:
    """Say which of these events is the first that is not the one marked at its place, or None when all are."""
    for number, event in enumerate(events):
        if _marked(event) != marks[_MARK * number : _MARK * (number + 1)]:
            return f"event {number + 1}: now {event!r}, which is not what was recorded"
    missing = len(marks) // _MARK - len(events)
    return f"event {len(events) + 1}: there is none now; {missing} more were recorded" if missing else None


def first_divergence(one: list[str], two: list[str]) -> str | None:
    """Say where two kept traces part, in one line, or None when they do not."""
    for number, (left, right) in enumerate(zip_longest(one, two), start=1):
        if left != right:
            return f"event {number}: {left or 'no more events'!r} against {right or 'no more events'!r}"
    return None
