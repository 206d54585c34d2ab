"""Bring partitions of a living cluster into archives, and archives back into a cluster.

Pages are read from one node that has a seat in the partition, and each is what that node keeps at that moment; what is
written meanwhile is in the archive or not. What comes back is merged: data that is newer stays, and whatever is sent
twice counts once. So a page whose fate is unknown is sent again, to somebody else. This file knows who is asked for
what. It does not know how a file is laid out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from harness.admin_archives import Archive, ArchiveError, Header, add, pages, save
from harness.admin_asking import LEFT
from harness.spec import UsageError
from node.client.admin import Admin
from node.client.client import RequestError, RequestFailedError
from node.core.admin_messages import RingReport, Seats
from node.core.messages import Entry


class Saved(NamedTuple):
    """An archive that has been written."""

    file: str
    header: Header


class Brought(NamedTuple):
    """What has been restored: archives and keys."""

    files: int
    keys: int


class Source(NamedTuple):
    """The ring as the node at host:port knows it."""

    at: str
    ring: RingReport

    def address(self, node: str) -> str:
        """Where a node is dialled, empty when that is not known."""
        if node == self.ring.node:
            return self.at
        return next((each.address for each in self.ring.members if each.member.node == node), "")


async def source(admin: Admin, at: str) -> Source:
    """Ask a node for the ring."""
    return Source(at, await admin.ring(at))


def partition(ring: RingReport, end: int) -> Seats:
    """The partition that ends there; raises `UsageError`."""
    found = next((seats for seats in ring.seats if seats.end == end), None)
    if found is None:
        ends = [str(seats.end) for seats in ring.seats]
        told = ", ".join(ends[:2]) + (f" … {ends[-1]}" if len(ends) > 2 else "")
        raise UsageError(f"no partition ends at {end}; their ends are {told}: see `keelhaul admin ring --json`")
    return found


async def archive(admin: Admin, where: Source, seats: Seats, path: Path) -> Saved:
    """Bring one partition into a file, as the first of its nodes keeps it that tells all of it."""
    _check_is_new(path)
    silent = []
    for node in seats.nodes:
        address = where.address(node)
        try:
            with TemporaryFile(dir=path.parent) as body:
                keys = await _read(admin, node, address, seats.end, body)
                header = Header(node=node, ring=where.ring.ring, start=seats.start, end=seats.end, keys=keys)
                save(path, header, body)
                return Saved(str(path), header)
        except RequestError as error:
            silent.append(f"{node}: {error.text if address else f'{where.ring.node} does not know where it is'}")
        except OSError as error:
            raise ArchiveError(f"cannot write {path}: {error.strerror}") from error
    raise RequestFailedError("unreachable", f"nobody tells what is in partition {seats.end}: {'; '.join(silent)}")


async def archive_all(admin: Admin, at: str, directory: Path) -> list[Saved]:
    """Bring every partition into a file of its own, in a directory that has nothing else in it."""
    where = await source(admin, at)
    _make_empty(directory)
    return [
        await archive(admin, where, seats, directory / f"{number:04d}.archive")
        for number, seats in enumerate(where.ring.seats)
    ]


def _check_is_new(path: Path) -> None:
    if path.exists():
        raise UsageError(f"{path} is there already; an archive takes nobody's place: give another name")


def _make_empty(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise UsageError(f"{directory} is not empty; give a new directory")
    except OSError as error:
        raise ArchiveError(f"cannot use {directory}: {error.strerror}") from error


async def _read(admin: Admin, node: str, address: str, end: int, body: IO[bytes]) -> int:
    """Write all pages of a partition that a node keeps; returns how many keys these are. Raises `RequestError`."""
    report = await admin.node(address)
    if report.life.node != node:
        raise RequestFailedError("another", f"the node at {address} is {report.life.node}")
    keys, after = 0, b""
    while entries := await admin.archive(address, end, after):
        add(body, entries)
        keys, after = keys + len(entries), entries[-1].key
    return keys


async def restore(admin: Admin, at: str, archives: Sequence[Archive]) -> Brought:
    """Have all keys of these archives merged, page by page, by a node that answers: this one, or else any member."""
    where = await source(admin, at)
    members = [each.address for each in where.ring.members if each.state != LEFT and each.address]
    takers = list(dict.fromkeys([at, *members]))
    total, whole = 0, sum(archive.header.keys for archive in archives)
    for entries in _all_pages(archives):
        try:
            await _bring(admin, takers, entries)
        except RequestError as error:
            text = f"{total} of {whole} keys are restored; restore all again, which does no harm: {error.text}"
            raise RequestFailedError(error.code, text) from error
        total += len(entries)
    return Brought(len(archives), total)


def _all_pages(archives: Sequence[Archive]) -> Iterator[tuple[Entry, ...]]:
    for each in archives:
        yield from pages(each)


async def _bring(admin: Admin, takers: list[str], entries: tuple[Entry, ...]) -> None:
    """Send a page to the first that takes it, and ask the others no more before that one fails."""
    for attempt in range(len(takers)):
        try:
            await admin.restore(takers[0], entries)
            return
        except RequestError:
            if attempt == len(takers) - 1:
                raise
            takers.append(takers.pop(0))
