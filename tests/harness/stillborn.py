"""A node that lives once: it cannot start on a disk that was used before. For tests of how the harness takes that."""

from __future__ import annotations

from node.core.facts import Command
from node.core.node import Node
from node.core.store import Space, Store


class NODE(Node):
    """The node that lives once."""

    def start(self, now_ns: int) -> list[Command]:
        """Start on a fresh disk only."""
        store: Store = self.replica._store
        assert store.get(Space.META, b"life") is None, "this disk has been used before"
        return super().start(now_ns)
