"""What every engine must do, asked of each of them: reads see what is staged, barriers are whole, order holds."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.sim.files import SimFiles
from harness.sim.loop import virtual
from node.core.store import Space
from node.runtime.directory_lock import LockedError
from node.runtime.files import Files
from node.runtime.log_store import LogStore
from node.runtime.memory import MemoryStore
from node.runtime.ports import Engine, EngineError
from node.runtime.sqlite import SqliteStore

DATA = Space.DATA

ON_FILES: dict[str, Callable[[Path], Engine]] = {
    "sqlite": SqliteStore,
    "log": lambda directory: LogStore(Files(directory)),
    "log compacted all the time": lambda directory: LogStore(Files(directory), compact_bytes=1, slice_bytes=1),
}


class AwaitedLog(LogStore):
    """A log on simulated files that lets virtual time pass until a commit is done."""

    def __init__(self, files: SimFiles) -> None:
        self._loop = files.loop
        super().__init__(files.mount(), compact_bytes=1, slice_bytes=1)

    def commit(self, done: Callable[[], None]) -> None:
        """Commit, wait, and call back."""
        durable = self._loop.create_future()
        super().commit(lambda: durable.set_result(None))
        self._loop.run_until_complete(durable)
        done()


class Disk:
    """Where an engine's data outlive it."""

    def __init__(self, kind: str, directory: Path) -> None:
        self._kind = kind
        self._directory = directory
        self._image = MemoryStore().image
        self._files = SimFiles(virtual(), "n1", Random("conformance"))
        self._open: list[Engine] = []

    def open(self) -> Engine:
        """Open the engine on what is there."""
        engine: Engine
        match self._kind:
            case "memory":
                engine = MemoryStore(self._image)
            case "log on simulated files":
                engine = AwaitedLog(self._files)
            case kind:
                engine = ON_FILES[kind](self._directory)
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
    for kind, opened in ON_FILES.items():
        with closing(opened(tmp_path / kind)) as engine:
            assert engine.durable


@pytest.fixture(params=["memory", "log on simulated files", *ON_FILES])
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


# --- engines on files: locks, and death ---


WRITER = """
import sys
from pathlib import Path
from node.core.store import Space
from tests.conformance.test_stores import ON_FILES
store = ON_FILES[sys.argv[3]](Path(sys.argv[1]))
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


@pytest.mark.parametrize("kind", ON_FILES)
@pytest.mark.parametrize("stop_at", [0, 3, -1])
def test_a_killed_process_leaves_whole_barriers(tmp_path: Path, stop_at: int, kind: str) -> None:
    """Killed between staging and commit, or anywhere during many commits: every barrier that was confirmed is there
    whole, at most one more, and nothing that was only staged.
    """
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(stop_at), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = iter(writer.stdout.readline, "")
        first = list(itertools.islice(lines, stop_at + 1 if stop_at >= 0 else 40))
        os.kill(writer.pid, signal.SIGKILL)
        confirmed = [int(line) for line in (*first, *lines) if line.strip().isdecimal()]
    store = ON_FILES[kind](tmp_path)
    found = keys(store)
    last = int(store.get(Space.META, b"last") or b"-1")
    store.close()
    assert found == [b"%08d.%d" % (number, part) for number in range(last + 1) for part in range(5)]
    at_least = confirmed[-1] if confirmed else -1
    assert at_least <= last <= at_least + (stop_at < 0)


@pytest.mark.parametrize("second", ON_FILES)
@pytest.mark.parametrize("first", ON_FILES)
def test_a_directory_has_one_owner(tmp_path: Path, first: str, second: str) -> None:
    """The second one is refused, and may come when the first has gone, if it is of the same kind."""
    engine = ON_FILES[first](tmp_path)
    with pytest.raises(LockedError, match=f"the data directory {tmp_path} is in use by another process"):
        ON_FILES[second](tmp_path)
    engine.close()
    if first[:3] == second[:3]:
        ON_FILES[second](tmp_path).close()
    else:
        with pytest.raises(EngineError, match="data of engine"):
            ON_FILES[second](tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "held"), [("sqlite", "log", "store.db"), ("log", "sqlite", "00000001.segment")]
)
def test_an_engine_refuses_the_data_of_another(tmp_path: Path, first: str, second: str, held: str) -> None:
    """Rather than begin an empty store beside it; and the refusal leaves the directory free."""
    ON_FILES[first](tmp_path).close()
    for _ in range(2):
        with pytest.raises(EngineError) as refused:
            ON_FILES[second](tmp_path)
        assert str(refused.value) == (
            f"the data directory {tmp_path} holds {held}, data of engine {first};"
            f" engine {second} needs another directory"
        )
    ON_FILES[first](tmp_path).close()


@pytest.mark.parametrize("kind", ON_FILES)
def test_a_directory_that_cannot_be_made_is_an_engine_error(tmp_path: Path, kind: str) -> None:
    """Such as one under a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"cannot use the data directory .*/file/data: Not a directory"):
        ON_FILES[kind](tmp_path / "file" / "data")
