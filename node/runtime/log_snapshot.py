"""Compaction: a snapshot is written beside the log, a slice with each commit, and takes the place of old segments.

When it begins, a new segment begins. Slices hold what is visible when they are written, which may be newer than the
beginning; replaying the new segment over them gives the right state all the same, provided that it is replayed at
least up to the last batch that a slice has seen. So the snapshot ends with that batch's number, after that batch has
become durable. It gets its name when all of it is synced, and only after the name is durable is anything removed.

Commits set the pace, so that no timer is needed: a log that does not grow need not be compacted.
"""

from __future__ import annotations

from collections.abc import Callable

from node.core.store import Space
from node.runtime.disk import Disk
from node.runtime.log_format import END, Kind, Preface, change, record
from node.runtime.log_index import Index
from node.runtime.log_names import NEW, snapshot
from node.runtime.log_segment import then

SYNC_BYTES = 1 << 20
"""How much of a snapshot is synced at a time, so that no commit waits long for the disk."""


class Compaction:
    """One snapshot of everything that the segments before `number` say; `finished` is called when it is durable."""

    def __init__(
        self,
        disk: Disk,
        index: dict[Space, Index],
        *,
        identity: int,
        number: int,
        sequence: int,
        finished: Callable[[], None],
    ) -> None:
        self.base = number
        self._disk = disk
        self._finished = finished
        self._name = snapshot(number)
        self._windows = list(index.items())
        self._cursor: bytes | None = None
        self._syncing = False
        self._unsynced = 0
        self._slices = 0
        self._seen = 0
        head = Preface(Kind.SNAPSHOT, identity, number, disk.draw(), sequence, 0, 0)
        self._seed = head.seed
        self._end = 0
        self._append(head.packed())

    def step(self, size: int, seen: int, durable: int) -> None:
        """Write a slice of about so many bytes, or end.

        What is visible now will be durable with batch `seen`; what is durable now is so up to batch `durable`.
        """
        if self._syncing:
            return
        if self._windows:
            self._append(record(self._seed, self._end, self._slices, self._slice(size)))
            self._slices += 1
            self._seen = seen
        if not self._windows and durable >= self._seen:
            self._append(record(self._seed, self._end, self._seen, (), END))
            self._sync(self._written)
        elif self._unsynced >= SYNC_BYTES:
            self._sync(lambda: None)

    def _slice(self, size: int) -> list[bytes]:
        """The next changes that make up so many bytes, from one space or several."""
        parts = []
        while self._windows:
            space, index = self._windows[0]
            for key, value in index.window(self._cursor):
                parts.append(change(space, key, value))
                size -= len(parts[-1])
                self._cursor = key
                if size <= 0:
                    return parts
            self._cursor = None
            del self._windows[0]
        return parts

    def _append(self, data: bytes) -> None:
        self._disk.append(self._name + NEW, data)
        self._end += len(data)
        self._unsynced += len(data)

    def _sync(self, after: Callable[[], None]) -> None:
        self._syncing = True
        self._unsynced = 0

        def synced() -> None:
            self._syncing = False
            after()

        self._disk.sync(self._name + NEW, then(synced))

    def _written(self) -> None:
        self._syncing = True
        self._disk.rename(self._name + NEW, self._name)
        self._disk.sync_names(then(self._finished))
