"""What the log engine needs of a disk: append-only files by name, and syncs that say when they are done.

Nothing is durable before a sync says so, neither bytes nor names: making, renaming and removing a file needs
`sync_names`. Until then a power failure may keep any part of it, in any order. This file knows the port, not one disk
behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from node.runtime.ports import EngineError


class DiskError(EngineError):
    """The disk refused: an input/output error, no space, a file that is not there. Names the file and what happened."""


Synced = Callable[[DiskError | None], None]
"""Told of the end of a sync: None, or why nobody can say what is on the disk now."""


class Disk(Protocol):
    """The files of one store, all in one flat directory. Everything here may raise `DiskError`."""

    where: str
    """The directory, for messages."""

    def names(self) -> list[str]:
        """The files there are, in order of their names."""

    def read(self, name: str) -> bytes:
        """All of a file."""

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, making it if it is not there."""

    def reserve(self, name: str, size: int) -> None:
        """Make so many bytes ready after the end, so that syncing what is appended there is cheaper.

        Appends fill them; a later life may find what was not filled as zeros at the file's end.
        """

    def sync(self, name: str, done: Synced) -> None:
        """Make what was appended so far durable, then call back, perhaps before returning."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name; whoever had that name is gone."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def sync_names(self, done: Synced) -> None:
        """Make names made, changed and removed so far durable, then call back, perhaps before returning."""

    def draw(self) -> int:
        """Return 64 bits by chance, to tell one store from all others."""

    def close(self) -> None:
        """Let go of all files; call nobody back any more."""
