"""Planted bug: a hint is delivered to the node that it was made for, or to nobody.

What is wrong: that node may have been replaced. Its hints wait for one that never comes back, and who sits in its place
never gets the writes. The idea is hazard H07, hints whose target is replaced (scylladb issues 24980 and 4712).
"""

from __future__ import annotations

from typing import Any

from node.core.conversations import Kind, Sleep
from node.core.handoff import WINDOW, _deliver_some
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "hints_lost_on_replace"
CHECKER = "convergence"
SEEDS = 2
OPTIONS: dict[str, Any] = {"rate": 50.0, "time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_window_is_delivered_before_the_next_one_is_begun",
    "test_a_hint_for_who_was_replaced_is_for_who_took_its_place",
    "test_who_leaves_hands_its_hints_over",
)


async def hand_off_to(node: Node, target: str) -> None:
    """Deliver hints to their target whenever it is up, and to nobody else."""
    while keys := list(node.replica.hints.get(target, ()))[:WINDOW]:
        await Sleep(node.config.hint_retry_ms * 1_000_000)
        if node.detector.is_up(target):
            await _deliver_some(node, target, keys, to=target)
    node.handed_off(target)


class NODE(Node):
    """The node with the bug."""

    def _hand_off(self) -> None:
        for target in list(self.replica.hints):
            if target not in self._handing_off:
                self._handing_off[target] = None
                self.conversations.begin(Kind.HANDOFF, hand_off_to(self, target))


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
