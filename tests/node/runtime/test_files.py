"""The log's disk on a real directory: what is appended, what is made ready, what is refused."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.runtime.disk import DiskError
from node.runtime.files import Files

Synced = list[DiskError | None]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    """Files in a directory of their own."""
    files = Files(tmp_path / "data")
    yield files
    files.close()


def test_appends_fill_what_was_made_ready(files: Files, tmp_path: Path) -> None:
    """And zeros are left after them, until they are filled as well."""
    files.append("a", b"one")
    files.reserve("a", 8)
    files.append("a", b"two")
    assert files.read("a") == b"onetwo" + bytes(5)
    files.append("a", b"more than there is room")
    assert files.read("a") == b"onetwomore than there is room"
    assert (tmp_path / "data" / "a").read_bytes() == files.read("a")


def test_names_are_changed_and_removed(files: Files) -> None:
    """A file that is renamed goes on where it was, and one that is replaced is gone."""
    for name in ("b", "a"):
        files.append(name, name.encode())
    assert files.names() == ["a", "b"]
    files.rename("a", "b")
    files.append("b", b"more")
    assert files.names() == ["b"]
    assert files.read("b") == b"amore"
    files.remove("b")
    assert files.names() == []


def test_syncs_call_back_at_once(files: Files) -> None:
    """With no error, for a file and for the names."""
    told: Synced = []
    files.append("a", b"1")
    files.sync("a", told.append)
    files.sync_names(told.append)
    assert told == [None, None]


def test_what_the_kernel_refuses_is_a_disk_error(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed sync is told to whoever waits for it; anything else is raised. Both name the file."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    files.append("a", b"1")
    told: Synced = []
    monkeypatch.setattr("node.runtime.files._sync_data", refuse)
    monkeypatch.setattr("os.fsync", refuse)
    files.sync("a", told.append)
    files.sync_names(told.append)
    assert [str(error) for error in told] == [
        f"{files.where}/a: Input/output error",
        f"{files.where}/.: Input/output error",
    ]
    monkeypatch.setattr("os.pwrite", refuse)
    with pytest.raises(DiskError, match="/a: Input/output error"):
        files.append("a", b"2")
    files.reserve("a", 100)
    with pytest.raises(DiskError, match="/b: No such file or directory"):
        files.read("b")
    with pytest.raises(DiskError, match="/b: No such file or directory"):
        files.remove("b")
    with pytest.raises(DiskError, match="/b: No such file or directory"):
        files.rename("b", "c")


def test_what_the_kernel_takes_in_parts_is_written_whole(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short write is no error."""
    pwrite = os.pwrite
    monkeypatch.setattr("os.pwrite", lambda descriptor, data, offset: pwrite(descriptor, data[:3], offset))
    files.append("a", b"twelve bytes")
    assert files.read("a") == b"twelve bytes"
