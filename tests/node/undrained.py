"""A node that breaks when it is asked to leave. For tests of how the worlds take that."""

from __future__ import annotations

from node.core.facts import Command, DrainAsked, Fact
from node.core.node import Node


class NODE(Node):
    """The node that cannot leave in good order."""

    def handle(self, fact: Fact, now_ns: int) -> list[Command]:
        """Do as any node does, but break instead of draining."""
        assert not isinstance(fact, DrainAsked), "this node cannot drain"
        return super().handle(fact, now_ns)
