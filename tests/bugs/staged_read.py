"""Planted bug: what a read found is handed out at once, though it may be staged and not yet durable.

What is wrong: the release order. A client sees a version, or builds on it, that a crash then takes back. The idea is
group commit done wrong: hazard H14, and every store that acknowledged from the page cache.

One node alone shows it best: in a larger cluster, read repair carries what was handed out too early to other nodes
within a few milliseconds, and so hides most of the losses.
"""

from __future__ import annotations

from typing import Any

from node.core.facts import Command, Reply, Send
from node.core.messages import Fetched, Got
from node.core.node import Node
from node.core.release import Release
from node.runtime.main import main

SCENARIO = "crash-kill"
CHECKER = "kept-writes"
SEEDS = 5
OPTIONS: dict[str, Any] = {
    "nodes": 1,
    "n": 1,
    "r": 1,
    "w": 1,
    "keys": 20,
    "rate": 1500.0,
    "concurrency": 40,
    "every_s": 0.5,
    "for_s": 0.1,
    "time_limit_s": 4.0,
}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_get_does_not_release_a_staged_version",
    "test_a_peer_does_not_hear_of_a_staged_version_either",
    "test_nothing_leaves_a_new_life_before_its_incarnation_is_durable",
)


class HastyRelease(Release):
    """A release that holds writes back and lets reads go."""

    def put(self, command: Command) -> None:
        """Let answers to reads out at once."""
        match command:
            case Reply(_, Got()) | Send(_, Fetched()):
                self._out.append(command)
            case _:
                super().put(command)


class NODE(Node):
    """The node with the bug."""

    release_type = HastyRelease


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
