"""A `Disk` in memory whose syncs are done at once, for tests that look at bytes and at the order of calls."""

from __future__ import annotations

from collections.abc import Callable

from node.runtime.disk import DiskError, Synced


class Tape:
    """Files by name, and every call in order. `draw` gives 1, 2, 3, so that bytes repeat.

    `fails` is asked before each append and sync, with the call's words; what it returns is why it fails.
    """

    where = "tape"

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.calls: list[str] = []
        self.fails: Callable[[str], str | None] = lambda call: None
        self._drawn = 0

    def names(self) -> list[str]:
        """The files there are."""
        return sorted(self.files)

    def read(self, name: str) -> bytes:
        """All of a file."""
        return self.files[name]

    def append(self, name: str, data: bytes) -> None:
        """Append, or fail after half of it."""
        failed = self._called(f"append {name}")
        self.files[name] = self.files.get(name, b"") + (data[: len(data) // 2] if failed else data)
        if failed:
            raise failed

    def reserve(self, name: str, size: int) -> None:
        """Nothing is gained by it here."""

    def sync(self, name: str, done: Synced) -> None:
        """Be done at once."""
        done(self._called(f"sync {name}"))

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        self._called(f"rename {old}")
        self.files[new] = self.files.pop(old)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._called(f"remove {name}")
        del self.files[name]

    def sync_names(self, done: Synced) -> None:
        """Be done at once."""
        done(self._called("sync names"))

    def draw(self) -> int:
        """Count."""
        self._drawn += 1
        return self._drawn

    def close(self) -> None:
        """Nothing is open."""
        self.calls.append("close")

    def _called(self, call: str) -> DiskError | None:
        self.calls.append(call)
        why = self.fails(call)
        return DiskError(f"tape: {call}: {why}") if why else None
