"""A data directory belongs to one process at a time, and to one kind of engine for good.

The kernel gives the lock back when its process ends, however it ends. This file knows directories and the names in
them; it does not know what is in files.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from node.runtime.ports import EngineError

_KINDS = {"sqlite": re.compile(r"store\.db"), "log": re.compile(r"\d{8}\.(segment|snapshot|marks)")}
"""By which names an engine's data are known."""


class LockedError(EngineError):
    """Another process uses the data directory."""


def locked(directory: Path, kind: str) -> int:
    """Take the directory for this process and this kind of engine, making it if need be.

    Returns the descriptor that holds the lock. Raises `EngineError` in one line, `LockedError` when another process
    has it.
    """
    try:
        if not directory.is_dir():
            directory.mkdir(parents=True)
            sync_directory(directory.parent)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise EngineError(f"cannot use the data directory {directory}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _refuse_others(directory, kind)
    except BlockingIOError as error:
        os.close(lock)
        raise LockedError(f"the data directory {directory} is in use by another process") from error
    except OSError as error:
        os.close(lock)
        raise EngineError(f"cannot lock the data directory {directory}: {error.strerror}") from error
    except EngineError:
        os.close(lock)
        raise
    return lock


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable; syncing a file does what is in the file only."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_others(directory: Path, kind: str) -> None:
    for name in sorted(os.listdir(directory)):
        for other, pattern in _KINDS.items():
            if other != kind and pattern.fullmatch(name):
                raise EngineError(
                    f"the data directory {directory} holds {name}, data of engine {other}; engine {kind} needs another"
                    " directory"
                )
