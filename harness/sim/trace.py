"""Remember what a simulated run did, as a digest of every event, and as the events themselves if asked.

Two runs are the same run when their digests are equal; the first event in which two kept traces differ says where
they parted. An event is its virtual time and a label, never the `repr` of an object, whose address differs in each
process.
"""

from __future__ import annotations

import hashlib
from itertools import zip_longest

_CHUNK = 512


class Trace:
    """The events of one run. `keep` holds on to them all; the digest needs no memory."""

    def __init__(self, *, keep: bool = False) -> None:
        self.count = 0
        self.kept: list[str] | None = [] if keep else None
        self._hash = hashlib.blake2b(digest_size=16)
        self._pending: list[str] = []

    def event(self, at_ns: int, label: str) -> None:
        """Add one event."""
        self.count += 1
        line = f"{at_ns} {label}\n"
        self._pending.append(line)
        if len(self._pending) == _CHUNK:
            self._flush()
        if self.kept is not None:
            self.kept.append(line[:-1])

    @property
    def digest(self) -> str:
        """The digest of all events so far, 32 hexadecimal digits."""
        self._flush()
        return self._hash.hexdigest()

    def _flush(self) -> None:
        self._hash.update("".join(self._pending).encode())
        self._pending.clear()


def first_divergence(one: list[str], two: list[str]) -> str | None:
    """Say where two kept traces part, in one line, or None when they do not."""
    for number, (left, right) in enumerate(zip_longest(one, two), start=1):
        if left != right:
            return f"event {number}: {left or 'no more events'!r} against {right or 'no more events'!r}"
    return None
