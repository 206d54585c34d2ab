"""The SQLite engine's own ways to refuse and to fail; what every engine must do is in `tests/conformance`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from node.core.store import Space
from node.runtime.ports import EngineError
from node.runtime.sqlite import FORMAT, SqliteStore

DATA = Space.DATA


def commit(engine: SqliteStore) -> None:
    """Commit, and insist on the call back."""
    done: list[bool] = []
    engine.commit(lambda: done.append(True))
    assert done == [True]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """Rather than read wrongly; and the refusal leaves the directory free."""
    SqliteStore(tmp_path).close()
    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    db.close()
    for _ in range(2):
        with pytest.raises(EngineError, match=f"has format {FORMAT + 1}; this node reads up to format {FORMAT}"):
            SqliteStore(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """In one line that names the file."""
    (tmp_path / "store.db").write_bytes(b"not a database, " * 100)
    with pytest.raises(EngineError) as refused:
        SqliteStore(tmp_path)
    assert str(refused.value) == f"{tmp_path}/store.db: file is not a database (SQLITE_NOTADB, at opening)"


def full(store: SqliteStore) -> None:
    """Let the file grow no more."""
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")


def read_only(store: SqliteStore) -> None:
    """Allow no writes."""
    store._db.execute("PRAGMA query_only = 1")


def write_much(store: SqliteStore) -> None:
    """More than fits in what is there."""
    for number in range(100):
        store.stage(DATA, b"%d" % number, bytes(4096))
        commit(store)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [(full, "database or disk is full (SQLITE_FULL"), (read_only, "attempt to write a readonly database")],
)
def test_a_disk_that_takes_no_more_is_an_engine_error(
    tmp_path: Path, break_it: Callable[[SqliteStore], None], said: str
) -> None:
    """At the first step that notices; what was committed before stays."""
    store = SqliteStore(tmp_path)
    store.stage(DATA, b"before", b"1")
    commit(store)
    break_it(store)
    with pytest.raises(EngineError) as refused:
        write_much(store)
    assert str(refused.value).startswith(f"{tmp_path}/store.db: {said}")
    assert "\n" not in str(refused.value)
    store.close()
    again = SqliteStore(tmp_path)
    assert again.get(DATA, b"before") == b"1"
    again.close()


def test_a_lock_of_somebody_else_is_an_engine_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has the file open for writing with another tool."""
    monkeypatch.setattr("node.runtime.sqlite._BUSY_S", 0.01)
    store = SqliteStore(tmp_path)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(EngineError, match=r"database is locked \(SQLITE_BUSY, at BEGIN\)"):
        store.stage(DATA, b"k", b"v")
    other.close()
    store.close()


def test_every_commit_is_synced(tmp_path: Path) -> None:
    """Write-ahead log, and FULL: anything less may lose what was acknowledged when the power fails."""
    store = SqliteStore(tmp_path)
    pragmas = SimpleNamespace(
        **{name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    )
    store.close()
    assert (pragmas.journal_mode, pragmas.synchronous) == ("wal", 2)
