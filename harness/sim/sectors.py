"""What a power failure leaves of a file, and of a change of names; and what a misdirected write does to both ends.

This file knows two copies of bytes: those that processes see, and those on the disk. It does not know when anything
happens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

SECTOR = 512
"""Bytes that reach the disk as one, unless they are torn."""

KEPT = ("none", "all", "first", "torn", "any")
"""Which sectors a power failure may keep of those that were not synced; a torn one is kept in part."""


@dataclass(frozen=True)
class Damage:
    """What was done to a file at rest: so many bytes changed or cut, from an offset on."""

    name: str
    offset: int
    size: int


@dataclass(eq=False)
class SimFile:
    """A file apart from its name: what processes see, what is on the disk, and how far there may be zeros after it."""

    page: bytearray = field(default_factory=bytearray)
    disk: bytearray = field(default_factory=bytearray)
    room: int = 0

    def lose(self, rng: Random) -> str | None:
        """The power fails; returns what of `KEPT` was drawn, or None when everything was synced."""
        kept = rng.choice(KEPT) if len(self.page) > len(self.disk) else None
        if kept is not None:
            self.keep(len(self.page), kept, rng)
        if self.room > len(self.disk) and rng.random() < 0.5:
            self.disk += bytes(min(self.room - len(self.disk), rng.choice((1, SECTOR, 8 * SECTOR))))
        self.room = 0
        self.page = bytearray(self.disk)
        return kept

    def keep(self, end: int, kept: str, rng: Random) -> None:
        """Let a part of the bytes between what is durable and `end` reach the disk."""
        start = len(self.disk)
        if kept == "all":
            self.disk += self.page[start:end]
        elif kept in ("first", "torn"):
            cut = rng.randint(start, end)
            self.disk += self.page[start : cut if kept == "torn" else max(start, cut - cut % SECTOR)]
        elif kept == "any":
            for at in range(start - start % SECTOR, end, SECTOR):
                if rng.random() < 0.5:
                    first, last = max(at, start), min(at + SECTOR, end)
                    self.disk += bytes(first - len(self.disk)) + self.page[first:last]

    def misdirect(self, start: int, other: SimFile, at: int, rng: Random) -> None:
        """Take one sector of what was just synced, from `start` on, away from its place, and write it into another
        file around `at`.
        """
        place = rng.randrange(start, len(self.disk)) // SECTOR * SECTOR
        sector = bytes(self.disk[place : place + SECTOR])
        first = max(start, place)
        self.disk[first : place + len(sector)] = bytes(place + len(sector) - first)
        at = at // SECTOR * SECTOR
        length = min(len(sector), len(other.disk) - at)
        other.disk[at : at + length] = sector[:length]


@dataclass(frozen=True, eq=False)
class Naming:
    """A change of names that is not durable yet: a file loses one, gets one, or both at once."""

    number: int
    file: SimFile
    loses: str | None
    gets: str | None

    def apply(self, names: dict[str, SimFile]) -> None:
        """Make the change, as far as there is anything to change."""
        if self.loses is not None and names.get(self.loses) is self.file:
            del names[self.loses]
        if self.gets is not None:
            names[self.gets] = self.file
