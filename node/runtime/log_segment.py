"""The segment that is being written: batches at its end, each synced before the next one begins.

A segment gets its name when its head is durable, so that what bears the name and has no valid head is damaged. This
file knows one segment; it does not know what is in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from node.runtime.disk import Disk, DiskError, Synced
from node.runtime.log_format import PREFACE_BYTES, Kind, Preface, mark, record
from node.runtime.log_names import NEW, marks, segment

ROOM = 1 << 20
"""Bytes to make ready at a time: syncing what fills them is cheaper than syncing a file that grows."""


def then(act: Callable[[], None]) -> Synced:
    """What to do after a sync. One that failed is never tried again: nobody can say what is on the disk."""

    def synced(error: DiskError | None) -> None:
        if error is not None:
            raise error
        act()

    return synced


class Segment:
    """One segment, from its birth. `end` is where the next batch will lie.

    `carried` is the payload of a batch that the segment before may hold and may not: it is born with this one.
    """

    def __init__(
        self, disk: Disk, *, identity: int, number: int, sequence: int, sealed: int, carried: bytes | None = None
    ) -> None:
        self.identity = identity
        self.number = number
        self.end = 0
        self._disk = disk
        self._name = segment(number)
        self._marks = marks(number)
        self._ready = 0
        head = Preface(Kind.SEGMENT, identity, number, disk.draw(), sequence, sealed, 0)
        self._seed = head.seed
        batch = b"" if carried is None else record(self._seed, PREFACE_BYTES, sequence + 1, (carried,))
        self._head = head.with_born(PREFACE_BYTES + len(batch)).packed() + batch

    def begin(self, begun: Callable[[], None]) -> None:
        """Write the head and make it durable, then its name, then call back."""
        new = self._name + NEW

        def durable() -> None:
            self._disk.rename(new, self._name)
            self._disk.sync_names(then(begun))

        self._disk.append(new, self._head)
        self.end = len(self._head)
        self._disk.sync(new, then(durable))

    def append(self, sequence: int, parts: Iterable[bytes], synced: Callable[[], None]) -> None:
        """Write a batch and make it durable, then call back."""
        data = record(self._seed, self.end, sequence, parts)
        if self.end + len(data) > self._ready:
            self._disk.reserve(self._name, len(data) + ROOM)
            self._ready = self.end + len(data) + ROOM

        def durable() -> None:
            self._disk.append(self._marks, mark(self._seed, self.end))
            synced()

        self._disk.append(self._name, data)
        self.end += len(data)
        self._disk.sync(self._name, then(durable))
