"""What the log engine keeps in memory: every key with its value, and the keys in order.

Keys in order lie in chunks of bounded length, so that adding one, removing one and finding a window cost little, and
the same, however many there are. This file knows nothing of disks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

CHUNK = 512
"""How many keys a chunk has when it is made; at twice as many it is split."""


class SortedKeys:
    """Keys in order. A key is added once and removed once: whoever owns it knows which are there."""

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        ordered = sorted(keys)
        self._chunks = [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]
        self._lasts = [chunk[-1] for chunk in self._chunks]

    def add(self, key: bytes) -> None:
        """Add a key that is not there."""
        at = bisect_left(self._lasts, key)
        if at == len(self._chunks):
            if not at:
                self._chunks, self._lasts = [[key]], [key]
                return
            at -= 1
        chunk = self._chunks[at]
        insort(chunk, key)
        self._lasts[at] = chunk[-1]
        if len(chunk) > 2 * CHUNK:
            self._chunks[at : at + 1] = halves = [chunk[:CHUNK], chunk[CHUNK:]]
            self._lasts[at : at + 1] = [half[-1] for half in halves]

    def remove(self, key: bytes) -> None:
        """Remove a key that is there."""
        at = bisect_left(self._lasts, key)
        chunk = self._chunks[at]
        del chunk[bisect_left(chunk, key)]
        if chunk:
            self._lasts[at] = chunk[-1]
        else:
            del self._chunks[at], self._lasts[at]

    def after(self, key: bytes | None) -> Iterator[bytes]:
        """The keys greater than this one, or all. Nothing may be added or removed meanwhile."""
        at = 0 if key is None else bisect_right(self._lasts, key)
        if at < len(self._chunks):
            chunk = self._chunks[at]
            yield from chunk if key is None else chunk[bisect_right(chunk, key) :]
            for chunk in self._chunks[at + 1 :]:
                yield from chunk


class Index:
    """The entries of one space. `bytes` counts keys and values."""

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        self.entries = entries
        self.bytes = sum(map(len, entries)) + sum(map(len, entries.values()))
        self._keys = SortedKeys(entries)

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Set the value, or delete the key when the value is None."""
        entries = self.entries
        old = entries.get(key)
        if value is None:
            if old is not None:
                del entries[key]
                self._keys.remove(key)
                self.bytes -= len(key) + len(old)
            return
        entries[key] = value
        if old is None:
            self._keys.add(key)
            self.bytes += len(key) + len(value)
        else:
            self.bytes += len(value) - len(old)

    def window(self, after: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """The entries with keys greater than this one, or all, in order. Nothing may change meanwhile."""
        for key in self._keys.after(after):
            yield key, self.entries[key]
