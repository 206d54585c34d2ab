"""What every engine must do, asked of each of them: reads see what is staged, barriers are whole, order holds."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.core.store import Space
from node.runtime.memory import MemoryStore
from node.runtime.ports import Engine, EngineError
from node.runtime.sqlite import FORMAT, LockedError, SqliteStore

DATA = Space.DATA


class Disk:
    """Where an engine's data outlive it."""

    def __init__(self, kind: str, directory: Path) -> None:
        self._kind = kind
        self._directory = directory
        self._image = MemoryStore().image
        self._open: list[Engine] = []

    def open(self) -> Engine:
        """Open the engine on what is there."""
        engine: Engine = SqliteStore(self._directory) if self._kind == "sqlite" else MemoryStore(self._image)
        self._open.append(engine)
        return engine

    def reopen(self) -> Engine:
        """Close whatever is open, and open again."""
        self.close()
        return self.open()

    def close(self) -> None:
        """Close whatever is open."""
        while self._open:
            self._open.pop().close()


def test_an_engine_says_whether_it_outlives_its_process(tmp_path: Path) -> None:
    """The acknowledgements of its node repeat it."""
    assert not MemoryStore().durable
    with closing(SqliteStore(tmp_path / "data")) as sqlite:
        assert sqlite.durable


@pytest.fixture(params=["memory", "sqlite"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A new disk for each engine."""
    disk = Disk(request.param, tmp_path / "data")
    yield disk
    disk.close()


def commit(engine: Engine) -> None:
    """Commit, and insist on the call back."""
    done: list[bool] = []
    engine.commit(lambda: done.append(True))
    assert done == [True]


def keys(engine: Engine, space: Space = DATA) -> list[bytes]:
    """All keys of a space."""
    return [key for key, _ in engine.scan(space, b"", 1000)]


def test_what_is_staged_is_visible_at_once(disk: Disk) -> None:
    """To reads and to scans, before any commit."""
    engine = disk.open()
    assert engine.get(DATA, b"k") is None
    engine.stage(DATA, b"k", b"one")
    assert engine.get(DATA, b"k") == b"one"
    engine.stage(DATA, b"k", b"two")
    assert engine.scan(DATA, b"", 10) == [(b"k", b"two")]
    engine.stage(DATA, b"k", None)
    assert engine.get(DATA, b"k") is None
    assert keys(engine) == []


def test_what_is_committed_is_there_after_reopening_and_nothing_else(disk: Disk) -> None:
    """Closing loses what was staged after the last commit."""
    engine = disk.open()
    engine.stage(DATA, b"kept", b"1")
    engine.stage(DATA, b"deleted", b"1")
    commit(engine)
    engine.stage(DATA, b"deleted", None)
    commit(engine)
    engine.stage(DATA, b"staged", b"1")
    engine.stage(DATA, b"kept", b"2")
    engine = disk.reopen()
    assert engine.scan(DATA, b"", 10) == [(b"kept", b"1")]
    assert engine.get(DATA, b"staged") is None


def test_a_commit_of_nothing_calls_back(disk: Disk) -> None:
    """Also the first one, and one right after another."""
    engine = disk.open()
    commit(engine)
    engine.stage(DATA, b"k", b"v")
    commit(engine)
    commit(engine)


def test_deleting_what_is_not_there_is_no_error(disk: Disk) -> None:
    """Deletes are idempotent."""
    engine = disk.open()
    engine.stage(DATA, b"k", None)
    commit(engine)
    assert keys(engine) == []


def test_spaces_are_separate(disk: Disk) -> None:
    """One key in each space has a value in each."""
    engine = disk.open()
    for space in Space:
        engine.stage(space, b"k", space.value.encode())
    commit(engine)
    engine = disk.reopen()
    assert [engine.get(space, b"k") for space in Space] == [b"meta", b"data", b"hints"]
    engine.stage(Space.HINTS, b"k", None)
    assert [keys(engine, space) for space in Space] == [[b"k"], [b"k"], []]


def test_any_bytes_are_keys_and_values(disk: Disk) -> None:
    """NULs, text that is no UTF-8, empty values, and large ones."""
    engine = disk.open()
    odd = {b"\0": b"", b"\xff\xfe": b"\0" * 3, b"k\0a": b"\xff", b"k": bytes(1 << 20), b"42": b"42"}
    for key, value in odd.items():
        engine.stage(DATA, key, value)
    commit(engine)
    engine = disk.reopen()
    assert {key: engine.get(DATA, key) for key in odd} == odd
    assert keys(engine) == sorted(odd)


def test_scans_page_in_order(disk: Disk) -> None:
    """Each page goes on after the last key of the one before, also when that key has gone meanwhile."""
    engine = disk.open()
    names = [bytes([high, low]) for high, low in itertools.product(b"\x00A\xff", b"\x00z\xff")]
    for name in reversed(names):
        engine.stage(DATA, name, name)
    commit(engine)
    seen: list[bytes] = []
    after = b""
    while page := engine.scan(DATA, after, 2):
        seen += [key for key, _ in page]
        after = page[-1][0]
        engine.stage(DATA, after, None)
    assert seen == names
    assert engine.scan(DATA, b"", 0) == []


Step = tuple[str, Any]

steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("stage"),
            st.tuples(st.sampled_from(Space), st.binary(min_size=1, max_size=2), st.none() | st.binary(max_size=2)),
        ),
        st.tuples(st.sampled_from(["commit", "reopen"]), st.none()),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_an_engine_is_a_map_with_barriers(
    steps: list[Step], request: pytest.FixtureRequest, disk: Disk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is done to it, it agrees with three dictionaries and a copy of them."""
    disk = Disk(disk._kind, tmp_path_factory.mktemp("data"))
    engine = disk.open()
    visible: dict[Space, dict[bytes, bytes]] = {space: {} for space in Space}
    durable = {space: dict(entries) for space, entries in visible.items()}
    for step, argument in steps:
        match step:
            case "stage":
                space, key, value = argument
                engine.stage(space, key, value)
                visible[space].pop(key, None)
                visible[space] |= {} if value is None else {key: value}
            case "commit":
                commit(engine)
                durable = {space: dict(entries) for space, entries in visible.items()}
            case "reopen":
                engine = disk.reopen()
                visible = {space: dict(entries) for space, entries in durable.items()}
        for space in Space:
            assert engine.scan(space, b"", 1000) == sorted(visible[space].items())
    disk.close()


# --- SQLite alone: files, locks, and death ---


WRITER = """
import sys
from pathlib import Path
from node.core.store import Space
from node.runtime.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
number = 0
while True:
    for part in range(5):
        store.stage(Space.DATA, b"%08d.%d" % (number, part), bytes(500))
    store.stage(Space.META, b"last", b"%d" % number)
    if number == int(sys.argv[2]):
        print("staged", flush=True)
        sys.stdin.read()
    store.commit(lambda: print(number, flush=True))
    number += 1
"""


@pytest.mark.parametrize("stop_at", [0, 3, -1])
def test_a_killed_process_leaves_whole_barriers(tmp_path: Path, stop_at: int) -> None:
    """Killed between staging and commit, or anywhere during many commits: every barrier that was confirmed is there
    whole, at most one more, and nothing that was only staged.
    """
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(stop_at)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = iter(writer.stdout.readline, "")
        first = list(itertools.islice(lines, stop_at + 1 if stop_at >= 0 else 40))
        os.kill(writer.pid, signal.SIGKILL)
        confirmed = [int(line) for line in (*first, *lines) if line.strip().isdecimal()]
    store = SqliteStore(tmp_path)
    found = keys(store)
    last = int(store.get(Space.META, b"last") or b"-1")
    store.close()
    assert found == [b"%08d.%d" % (number, part) for number in range(last + 1) for part in range(5)]
    at_least = confirmed[-1] if confirmed else -1
    assert at_least <= last <= at_least + (stop_at < 0)


def test_a_directory_has_one_owner(tmp_path: Path) -> None:
    """The second one is refused, and may come when the first has gone."""
    first = SqliteStore(tmp_path)
    with pytest.raises(LockedError, match=f"the data directory {tmp_path} is in use by another process"):
        SqliteStore(tmp_path)
    first.close()
    SqliteStore(tmp_path).close()


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


def test_a_directory_that_cannot_be_made_is_an_engine_error(tmp_path: Path) -> None:
    """Such as one under a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"cannot use the data directory .*/file/data: Not a directory"):
        SqliteStore(tmp_path / "file" / "data")


def test_every_commit_is_synced(tmp_path: Path) -> None:
    """Write-ahead log, and FULL: anything less may lose what was acknowledged when the power fails."""
    store = SqliteStore(tmp_path)
    pragmas = SimpleNamespace(
        **{name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    )
    store.close()
    assert (pragmas.journal_mode, pragmas.synchronous) == ("wal", 2)
