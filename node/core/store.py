"""The one port through which the core keeps things.

Reading and staging are synchronous; making what was staged durable is not, and is no part of this port: the core asks
for it with a `Persist` command and is told by a `Committed` fact. This file knows the port, not one engine behind it.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Space(Enum):
    """The separate databases of a node: hints do not lie among the data (Dynamo, 4.6)."""

    __hash__ = object.__hash__  # Enum's own is a Python function, and each access to a store would call it

    META = "meta"
    DATA = "data"
    HINTS = "hints"


class Store(Protocol):
    """A map of bytes to bytes in each space, ordered by key.

    What is staged is visible at once to `get` and `scan`, and durable only when the barrier that follows has been
    committed: all of it or nothing.
    """

    def get(self, space: Space, key: bytes) -> bytes | None:
        """Return the value, or None."""

    def stage(self, space: Space, key: bytes, value: bytes | None) -> None:
        """Set the value, or delete the key when the value is None."""

    def scan(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return up to `limit` entries with keys greater than `after`, in order of their keys."""
