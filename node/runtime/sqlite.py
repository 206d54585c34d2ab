"""The default engine: SQLite in WAL mode, every commit synced.

One table a space; the open transaction is what is staged, and a commit is its COMMIT. It blocks the loop, which was
measured to be faster than a thread, because everything that comes in meanwhile shares the next one.

This file knows a directory and what lies in it. It does not know what the bytes mean.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from node.core.store import Space
from node.runtime.directory_lock import locked, sync_directory
from node.runtime.ports import EngineError

FORMAT = 1
"""The version of the tables, kept in the file; a newer one is refused at the start."""

_BUSY_S = 1.0
"""How long to wait for somebody else's lock, such as a backup's, before giving up."""


class SqliteStore:
    """An engine on a directory that is its own for as long as it is open. Raises `EngineError` in one line."""

    durable = True

    def __init__(self, directory: Path) -> None:
        self._file = directory / "store.db"
        self._staging = False
        self._lock = locked(directory, "sqlite")
        try:
            self._db = self._opened()
            sync_directory(directory)
        except BaseException:
            os.close(self._lock)
            raise
        self._get = {space: f"SELECT value FROM {space.value} WHERE key = ?" for space in Space}
        self._put = {space: f"REPLACE INTO {space.value} VALUES (?, ?)" for space in Space}
        self._delete = {space: f"DELETE FROM {space.value} WHERE key = ?" for space in Space}
        self._scan = {
            space: f"SELECT key, value FROM {space.value} WHERE key > ? ORDER BY key LIMIT ?" for space in Space
        }

    def get(self, space: Space, key: bytes) -> bytes | None:
        """Return the value, also of what is only staged."""
        row = self._run(self._get[space], key).fetchone()
        return None if row is None else row[0]

    def stage(self, space: Space, key: bytes, value: bytes | None) -> None:
        """Set or delete within the open transaction, beginning one if there is none."""
        if not self._staging:
            self._run("BEGIN IMMEDIATE")
            self._staging = True
        if value is None:
            self._run(self._delete[space], key)
        else:
            self._run(self._put[space], key, value)

    def scan(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return the next entries in order of their keys."""
        return self._run(self._scan[space], after, limit).fetchall()

    def commit(self, done: Callable[[], None]) -> None:
        """Commit and sync, then call back before returning."""
        if self._staging:
            self._run("COMMIT")
            self._staging = False
        done()

    def close(self) -> None:
        """Forget what was not committed, close the file and give the directory back."""
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self._db.close()
        os.close(self._lock)

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise self._failed(error, statement.split(" ", 1)[0]) from error

    def _opened(self) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(self._file, timeout=_BUSY_S, isolation_level=None)
        except sqlite3.Error as error:
            raise self._failed(error, "opening") from error
        try:
            self._prepare(db)
        except sqlite3.Error as error:
            db.close()
            raise self._failed(error, "opening") from error
        except EngineError:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Check what the file is, and make it one of ours if it is new."""
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found > FORMAT:
            raise EngineError(f"{self._file} has format {found}; this node reads up to format {FORMAT}")
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise EngineError(f"{self._file}: the file system does not allow a write-ahead log (got {mode!r})")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        for space in Space:
            db.execute(
                f"CREATE TABLE IF NOT EXISTS {space.value} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
            )
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("COMMIT")

    def _failed(self, error: sqlite3.Error, doing: str) -> EngineError:
        name: Any = getattr(error, "sqlite_errorname", type(error).__name__)
        return EngineError(f"{self._file}: {error} ({name}, at {doing})")
