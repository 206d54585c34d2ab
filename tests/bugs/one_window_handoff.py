"""Planted bug: handoff ends after one window of hints.

What is wrong: whoever was away longer than a few dozen writes gets some of them, and the rest stays where it is. The
idea is hazard H10, what comes after the last batch, and H07, hints that nobody delivers.
"""

from __future__ import annotations

from typing import Any

from node.core.conversations import Kind, Sleep
from node.core.handoff import _one_window
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "partition-one-way"
CHECKER = "convergence"
SEEDS = 3
OPTIONS: dict[str, Any] = {"keys": 200, "rate": 200.0, "time_limit_s": 12.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_hint_that_changed_meanwhile_is_kept_and_delivered_again",
    "test_a_window_is_delivered_before_the_next_one_is_begun",
    "test_a_hint_made_after_the_last_one_was_delivered_is_delivered_too",
    "test_a_fallback_that_coordinates_twice_around_a_handoff_loses_nothing",
)


async def hand_off_once(node: Node, target: str) -> None:
    """Deliver hints to a target until a window has arrived, and then never again in this life."""
    while True:
        await Sleep(node.config.hint_retry_ms * 1_000_000)
        if await _one_window(node, target):
            return


class NODE(Node):
    """The node with the bug."""

    def _hand_off(self) -> None:
        for target in list(self.replica.hints):
            if target not in self._handing_off:
                self._handing_off[target] = None
                self.conversations.begin(Kind.HANDOFF, hand_off_once(self, target))


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
