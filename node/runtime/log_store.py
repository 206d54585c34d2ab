"""The `log` engine: batches in an append-only log, everything in memory, a snapshot now and then.

The idea is Bitcask's (Sheehy and Smith, 2010), but values stay in memory too: that is simplest and fastest, and a node
holds as much as its memory does. One commit is one record, so it is whole or not there. What is read at an opening has
become durable when the first commit calls back. Who else commits meanwhile is the host's matter.

A segment is never appended to by two lives: each opening begins a new one, whose head says how much of the one before
counts. So a torn end is never cut off, only left behind; and a batch that may or may not have been synced when its
life ended is written again, with the head of the new segment, and never trusted where it lies: after a failed sync the
kernel may show bytes that the disk does not have. Any failure of the disk is an `EngineError`, and the engine's end.

This file knows commits and when to compact; it does not know bytes (`log_format`), nor how they are read back
(`log_recovery`). `docs/storage.md` says what is promised, and what is noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from node.core.store import Space
from node.runtime.disk import Disk
from node.runtime.log_format import CHANGE_BYTES, RECORD_BYTES_MAX, change
from node.runtime.log_index import Index
from node.runtime.log_names import Names
from node.runtime.log_recovery import Recovered, recover
from node.runtime.log_segment import Segment, then
from node.runtime.log_snapshot import Compaction
from node.runtime.ports import EngineError

COMPACT_BYTES = 8 << 20
"""A log shorter than this is left alone."""

COMPACT_RATIO = 2
"""A log is compacted when it is longer than this many times what is alive in it."""

SEGMENTS_MAX = 16
"""A log of more segments is compacted too: each opening makes one."""

SLICE_BYTES = 64 << 10
"""The least that a commit writes of a snapshot. It writes twice what it commits, if that is more, so that the snapshot
comes to its end long before the log has grown by as much again.
"""


class LogStore:
    """An engine on a disk that is its own. Raises `EngineError` in one line."""

    durable = True

    def __init__(self, disk: Disk, *, compact_bytes: int = COMPACT_BYTES, slice_bytes: int = SLICE_BYTES) -> None:
        self._disk = disk
        self._compact_bytes = compact_bytes
        self._slice_bytes = slice_bytes
        self._staged: list[bytes] = []
        self._done: Callable[[], None] | None = None
        self._ready = False
        self._compaction: Compaction | None = None
        try:
            self._open(recover(disk))
        except BaseException:
            disk.close()
            raise

    def get(self, space: Space, key: bytes) -> bytes | None:
        """Return the value, also of what is only staged."""
        return self._index[space].entries.get(key)

    def stage(self, space: Space, key: bytes, value: bytes | None) -> None:
        """Set or delete, to be committed later."""
        self._index[space].apply(key, value)
        self._staged.append(change(space, key, value))

    def scan(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return the next entries in order of their keys."""
        return list(islice(self._index[space].window(after), limit))

    def commit(self, done: Callable[[], None]) -> None:
        """Make what is staged durable, then call back; also what an opening has found, if this is its first commit."""
        assert self._done is None, "one commit at a time"
        self._done = done
        if self._ready:
            self._write()

    def close(self) -> None:
        """Forget what was not committed, and let go of the disk."""
        self._disk.close()

    # --- opening ---

    def _open(self, found: Recovered) -> None:
        """Take over what was found, and begin a segment after it. Names come first: a life that was killed may have
        left some that are not durable, and a new one must not outlive those it follows.
        """
        self._index = {space: Index(found.entries[space]) for space in Space}
        self._base = found.base
        self._sequence = found.sequence
        self._old_bytes = found.log_bytes
        for name in Names(self._disk.names()).unfinished:
            self._disk.remove(name)
        carries = found.unproven is not None
        self._segment = Segment(
            self._disk,
            identity=found.identity or self._disk.draw(),
            number=found.last + 1,
            sequence=found.sequence - carries,
            sealed=found.sealed,
            carried=found.unproven,
        )
        self._disk.sync_names(then(lambda: self._segment.begin(self._opened)))

    def _opened(self) -> None:
        """All that was found is durable by now, and so is every name: what is superfluous can go."""
        self._tidy()
        self._go_on()

    def _tidy(self) -> None:
        for name in Names(self._disk.names()).before(self._base):
            self._disk.remove(name)

    def _go_on(self) -> None:
        self._ready = True
        if self._done is not None:
            self._write()

    # --- commits ---

    def _write(self) -> None:
        if not self._staged:
            self._finish()
        elif self._must_compact():
            self._rotate()
        else:
            batch, self._staged = self._staged, []
            size = sum(map(len, batch))
            if size > RECORD_BYTES_MAX:
                raise EngineError(f"{self._disk.where}: a commit of {size} bytes; {RECORD_BYTES_MAX} is the most")
            self._sequence += 1
            self._segment.append(self._sequence, batch, lambda: self._synced(size))

    def _synced(self, size: int) -> None:
        if self._compaction is not None:
            seen = self._sequence + bool(self._staged)
            self._compaction.step(max(self._slice_bytes, 2 * size), seen, self._sequence)
        self._finish()

    def _finish(self) -> None:
        done, self._done = self._done, None
        assert done is not None
        done()

    # --- compaction ---

    def _must_compact(self) -> bool:
        if self._compaction is not None:
            return False
        if self._segment.number - self._base >= SEGMENTS_MAX:
            return True
        log_bytes = self._old_bytes + self._segment.end
        if log_bytes <= self._compact_bytes:
            return False
        alive = sum(index.bytes + CHANGE_BYTES * len(index.entries) for index in self._index.values())
        return log_bytes > COMPACT_RATIO * alive

    def _rotate(self) -> None:
        """Begin a segment, then the snapshot of all that came before it; the commit that asked waits."""
        self._ready = False
        before = self._segment
        self._old_bytes += before.end
        number = before.number + 1
        self._segment = Segment(
            self._disk, identity=before.identity, number=number, sequence=self._sequence, sealed=before.end
        )

        def begun() -> None:
            self._compaction = Compaction(
                self._disk,
                self._index,
                identity=before.identity,
                number=number,
                sequence=self._sequence,
                finished=self._compacted,
            )
            self._go_on()

        self._segment.begin(begun)

    def _compacted(self) -> None:
        assert self._compaction is not None
        self._base = self._compaction.base
        self._compaction = None
        self._old_bytes = 0
        self._tidy()
