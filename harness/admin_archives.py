"""Archives: a partition in a file, which is whole or does not count.

A file is a line that says what it is, a line of JSON that says what is in it, pages of keys in the order of the keys,
each behind its length, and the SHA-256 of all that. It gets its name when all of it is on the disk. This file knows
files. It does not know where pages come from, nor where they go.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import IO, NamedTuple

import msgspec

from node.core.messages import Entry
from node.runtime.directory_lock import sync_directory

MAGIC = b"keelhaul archive\n"
FORMAT = 1
DIGEST_BYTES = 32
_CHUNK_BYTES = 1 << 20

_length = Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Entry, ...]).decode


class ArchiveError(Exception):
    """A file that cannot be written, or that is no whole archive; one line that names it."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive is of: the partition [start, end), as a node kept it, under the ring of that digest."""

    format: int = FORMAT
    node: str
    ring: str
    start: int
    end: int
    keys: int


class Archive(NamedTuple):
    """An archive whose checksum is right; `pages` is where its keys begin, in bytes, and `end` where they end."""

    path: Path
    header: Header
    pages: int
    end: int


def add(body: IO[bytes], entries: tuple[Entry, ...]) -> None:
    """Add a page to the body of an archive."""
    page = _encode(entries)
    body.write(_length.pack(len(page)))
    body.write(page)


def save(path: Path, header: Header, body: IO[bytes]) -> None:
    """Make an archive of a header and a body, durable under its name; raises `OSError`."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            file.write(MAGIC + msgspec.json.encode(header) + b"\n")
            body.seek(0)
            shutil.copyfileobj(body, file, _CHUNK_BYTES)
            file.flush()
            file.write(_digest(partial, partial.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_directory(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def checked(path: Path) -> Archive:
    """Find an archive whole; raises `ArchiveError`."""
    try:
        return _checked(path)
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ArchiveError(f"{path} is an archive that this version cannot read: {error}") from error


def pages(archive: Archive) -> Iterator[tuple[Entry, ...]]:
    """The keys of an archive, page by page; raises `ArchiveError` when the file has changed since it was checked."""
    try:
        with archive.path.open("rb") as file:
            file.seek(archive.pages)
            while file.tell() < archive.end:
                (length,) = _length.unpack(file.read(_length.size))
                yield _decode(file.read(length))
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise ArchiveError(f"cannot read {archive.path} any more: {error}") from error


def _checked(path: Path) -> Archive:
    end = path.stat().st_size - DIGEST_BYTES
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ArchiveError(f"{path} is no archive of keelhaul: it does not begin like one")
        line = file.readline()
        begins = file.tell()
        file.seek(max(end, 0))
        if end < begins or file.read() != _digest(path, end):
            raise ArchiveError(f"{path} is damaged: it is not what its checksum is of, so nothing of it is used")
    header = msgspec.json.decode(line, type=Header)
    if header.format != FORMAT:
        raise ArchiveError(f"{path} has format {header.format}; this version reads {FORMAT}")
    return Archive(path, header, begins, end)


def _digest(path: Path, size: int) -> bytes:
    """The checksum of so many bytes from the beginning of a file."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (chunk := file.read(min(size, _CHUNK_BYTES))):
            hashed.update(chunk)
            size -= len(chunk)
    return hashed.digest()
