"""Planted bug: a message that comes back is taken for a request of this node's own, also when it was an answer.

What is wrong: there is no such call, and the node falls over; one node's death takes others with it, and their
neighbours cover for them. The idea is hazard H09's family of handlers that crash on the unexpected (riak_core issue
345, a crash in reconciliation while the cluster changed).
"""

from __future__ import annotations

from typing import Any

from node.core.facts import Command, Fact, PeerUnreached
from node.core.messages import Gossip
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "crash-kill"
CHECKER = "crashes"
SEEDS = 3
OPTIONS: dict[str, Any] = {"rate": 500.0, "concurrency": 20, "every_s": 0.5, "for_s": 0.2, "time_limit_s": 5.0}
CALM: dict[str, Any] = {}
PINNED = ("test_an_answer_that_could_not_be_delivered_is_nobodys_business",)


class NODE(Node):
    """The node with the bug."""

    def handle(self, fact: Fact, now_ns: int) -> list[Command]:
        """Take one fact; what was not delivered was a call of ours."""
        if isinstance(fact, PeerUnreached) and not isinstance(fact.message, Gossip):
            call = fact.message.call
            assert call in self.switchboard._pending, f"call {call} to {fact.peer} is not open"
        return super().handle(fact, now_ns)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
