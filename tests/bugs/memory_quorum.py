"""Planted bug: W counts copies in memory; what was staged is confirmed before it is durable.

What is wrong: a power cut takes back what clients were promised. The idea is hazard H14, durability lies: Riak's `w`
counts what was received, and a crash loses what was queued.

The window is one commit long, so it takes many writes to have one in it.
"""

from __future__ import annotations

from typing import Any

from node.core.facts import Command, Reply, Send
from node.core.messages import Forwarded, Stored, Written
from node.core.node import Node
from node.core.release import Release
from node.runtime.main import main

SCENARIO = "crash-kill-all"
CHECKER = "kept-writes"
SEEDS = 4
OPTIONS: dict[str, Any] = {
    "n": 1,
    "r": 1,
    "w": 1,
    "rate": 500.0,
    "concurrency": 20,
    "every_s": 0.5,
    "for_s": 0.1,
    "time_limit_s": 5.0,
}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_reply_is_held_until_the_write_is_durable_here",
    "test_a_replica_confirms_only_what_is_durable",
    "test_the_answer_to_a_forward_is_held_until_it_is_durable",
    "test_a_hint_is_not_deleted_before_the_target_has_it_durably",
)


class EagerRelease(Release):
    """A release that does not hold confirmations back."""

    def put(self, command: Command) -> None:
        """Let every confirmation of a write out at once."""
        match command:
            case Reply(_, Written()) | Send(_, Stored() | Forwarded()):
                self._out.append(command)
            case _:
                super().put(command)


class NODE(Node):
    """The node with the bug."""

    release_type = EagerRelease


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
