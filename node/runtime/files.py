"""A `Disk` on a directory of this machine, locked for as long as it is open.

A sync is an `fdatasync` in the loop that calls back before it returns: everything that comes in meanwhile shares the
next one, which was measured to be faster than a thread. This file knows the kernel's calls; it does not know what the
bytes mean.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node.runtime.directory_lock import locked, sync_directory
from node.runtime.disk import DiskError, Synced

_sync_data = getattr(os, "fdatasync", os.fsync)
"""Syncs a file's bytes and its length, and spares its times, where the kernel can."""


@dataclass
class _Open:
    """A file that has been appended to: where its end is, and up to where there are zeros ready."""

    descriptor: int
    end: int
    ready: int


class Files:
    """The files of one store on a real disk."""

    def __init__(self, directory: Path) -> None:
        self.where = str(directory)
        self._directory = directory
        self._lock = locked(directory, "log")
        self._open: dict[str, _Open] = {}

    def names(self) -> list[str]:
        """The files there are, in order of their names."""
        try:
            return sorted(name for name in os.listdir(self._directory) if name != "lock")
        except OSError as error:
            raise self._failed(".", error) from error

    def read(self, name: str) -> bytes:
        """All of a file."""
        try:
            return (self._directory / name).read_bytes()
        except OSError as error:
            raise self._failed(name, error) from error

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file, all of it."""
        try:
            file = self._opened(name)
            file.end += _write(file.descriptor, data, file.end)
        except OSError as error:
            raise self._failed(name, error) from error

    def reserve(self, name: str, size: int) -> None:
        """Write zeros after the end: a sync that need not also change the file's length takes less than half the time.

        Where there is no space for them, appends will say so.
        """
        with suppress(OSError):
            file = self._opened(name)
            if file.end + size > file.ready:
                start = max(file.end, file.ready)
                file.ready = start + _write(file.descriptor, bytes(file.end + size - start), start)

    def sync(self, name: str, done: Synced) -> None:
        """Sync, then call back before returning."""
        try:
            _sync_data(self._opened(name).descriptor)
        except OSError as error:
            done(self._failed(name, error))
        else:
            done(None)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        self._forget(new)
        try:
            os.rename(self._directory / old, self._directory / new)
        except OSError as error:
            raise self._failed(old, error) from error
        if old in self._open:
            self._open[new] = self._open.pop(old)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._forget(name)
        try:
            (self._directory / name).unlink()
        except OSError as error:
            raise self._failed(name, error) from error

    def sync_names(self, done: Synced) -> None:
        """Sync the directory, then call back before returning."""
        try:
            sync_directory(self._directory)
        except OSError as error:
            done(self._failed(".", error))
        else:
            done(None)

    def draw(self) -> int:
        """Return 64 bits from the kernel."""
        return int.from_bytes(os.urandom(8), "little")

    def close(self) -> None:
        """Close all files and give the directory back."""
        for name in list(self._open):
            self._forget(name)
        os.close(self._lock)

    def _opened(self, name: str) -> _Open:
        file = self._open.get(name)
        if file is None:
            descriptor = os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            size = os.fstat(descriptor).st_size
            file = self._open[name] = _Open(descriptor, size, size)
        return file

    def _forget(self, name: str) -> None:
        if name in self._open:
            os.close(self._open.pop(name).descriptor)

    def _failed(self, name: str, error: OSError) -> DiskError:
        return DiskError(f"{self.where}/{name}: {error.strerror}")


def _write(descriptor: int, data: bytes, offset: int) -> int:
    """Write all of it; the kernel may take less at a time."""
    done = os.pwrite(descriptor, data, offset)
    while done < len(data):
        done += os.pwrite(descriptor, data[done:], offset + done)
    return done
