"""The names of a log's files: a number that only grows, and what the file is.

A file is written under a name of its own, `….new`, and gets its real name when all of it that must be durable is.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"(\d{8})\.(segment|snapshot|marks)")
NEW = ".new"


def segment(number: int) -> str:
    """Batches, in the order of their commits."""
    return f"{number:08}.segment"


def snapshot(number: int) -> str:
    """Everything that the segments before this number had to say."""
    return f"{number:08}.snapshot"


def marks(number: int) -> str:
    """How much of the segment of this number was durable, noted after each sync and synced by nobody."""
    return f"{number:08}.marks"


class Names:
    """A directory, sorted: numbers of segments, snapshots and marks, in order; and what was never finished."""

    def __init__(self, names: list[str]) -> None:
        found: dict[str, list[int]] = {"segment": [], "snapshot": [], "marks": []}
        for name in sorted(names):
            if match := _NAME.fullmatch(name):
                found[match[2]].append(int(match[1]))
        self.segments = found["segment"]
        self.snapshots = found["snapshot"]
        self.marks = found["marks"]
        self.unfinished = [name for name in names if _NAME.fullmatch(name.removesuffix(NEW)) and name.endswith(NEW)]

    def before(self, base: int) -> list[str]:
        """What a snapshot with this number makes superfluous."""
        return [
            *(segment(number) for number in self.segments if number < base),
            *(marks(number) for number in self.marks if number < base),
            *(snapshot(number) for number in self.snapshots if number < base),
        ]
