"""Planted bug: what a read found is handed out at once, though it may be staged and not yet durable.

What is wrong: the release order. A client sees a version, or builds on it, that a crash then takes back. The idea is
group commit done wrong: hazard H14, and every store that acknowledged from the page cache.
"""

from __future__ import annotations

from node.core.facts import Command, Reply, Send
from node.core.messages import Fetched, Got
from node.core.node import Node
from node.core.release import Release
from node.runtime.main import main

SCENARIO = "crash-kill-all"
CHECKER = "kept-writes"
SEEDS = 40


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
