"""A store in memory, for tests and for nodes whose data may be lost.

What is staged is kept apart from what is durable, as on a disk, so that whoever owns the store can take the un-synced
part away; what it has settled is gone with the process all the same.
"""

from __future__ import annotations

from collections.abc import Callable

from node.core.store import Space

Batch = list[tuple[Space, bytes, bytes | None]]
Image = dict[Space, dict[bytes, bytes]]


class MemoryStore:
    """An engine whose disk is a dictionary: `image` is what has been committed."""

    durable = False

    def __init__(self, image: Image | None = None) -> None:
        self.image: Image = image if image is not None else {space: {} for space in Space}
        self._visible: Image = {space: dict(entries) for space, entries in self.image.items()}
        self._staged: Batch = []

    def get(self, space: Space, key: bytes) -> bytes | None:
        """Return the value, also of what is only staged."""
        return self._visible[space].get(key)

    def stage(self, space: Space, key: bytes, value: bytes | None) -> None:
        """Set or delete, to be committed later."""
        _apply(self._visible, space, key, value)
        self._staged.append((space, key, value))

    def scan(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return the next entries in order of their keys."""
        entries = self._visible[space]
        return [(key, entries[key]) for key in sorted(key for key in entries if key > after)[:limit]]

    def commit(self, done: Callable[[], None]) -> None:
        """Commit at once."""
        self.settle(self.seal())
        done()

    def seal(self) -> Batch:
        """Take what is staged now, to be settled as one."""
        sealed, self._staged = self._staged, []
        return sealed

    def settle(self, batch: Batch) -> None:
        """Commit a sealed batch."""
        for space, key, value in batch:
            _apply(self.image, space, key, value)

    def close(self) -> None:
        """Nothing is open."""


def _apply(image: Image, space: Space, key: bytes, value: bytes | None) -> None:
    if value is None:
        image[space].pop(key, None)
    else:
        image[space][key] = value
