"""Planted bug: handoff asks the target to do the put again, instead of bringing what came of it.

What is wrong: the target coordinates, and names the write a second time; one put has two dots, and is its own sibling
wherever both arrive. The idea is hazard H10: what is handed over is the result and not the request (riak_kv issues 1046
and 1047, coordinated twice when forwarded).
"""

from __future__ import annotations

from typing import Any

from node.core.conversations import Kind, Sleep
from node.core.messages import Forward, Forwarded, Put, Written
from node.core.node import Node
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "partition-majorities-ring"
CHECKER = "dots"
SEEDS = 3
OPTIONS: dict[str, Any] = {"time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_w_not_reached_is_an_indefinite_refusal_and_the_write_is_seen_through",
    "test_a_hint_is_delivered_when_its_time_has_come_and_then_deleted",
    "test_a_hint_is_not_deleted_before_the_target_has_it_durably",
    "test_a_hint_that_changed_meanwhile_is_kept_and_delivered_again",
    "test_a_delivery_that_gets_lost_is_tried_again",
    "test_a_window_is_delivered_before_the_next_one_is_begun",
    "test_a_fallback_that_coordinates_twice_around_a_handoff_loses_nothing",
    "test_a_hint_for_who_was_replaced_is_for_who_took_its_place",
    "test_who_leaves_hands_its_hints_over",
)


async def replay(node: Node, target: str) -> None:
    """Have a target write everything that was kept for it."""
    while keys := list(node.replica.hints.get(target, ())):
        await Sleep(node.config.hint_retry_ms * 1_000_000)
        for key in keys if node.detector.is_up(target) else ():
            versions = node.replica.hinted(target, key)
            if await _written(node, target, key, versions):
                node.replica.forget_hint(target, key, versions)
    node.handed_off(target)


async def _written(node: Node, target: str, key: bytes, versions: Versions) -> bool:
    """Ask for one put for each sibling, in the place of all that the hint has seen."""
    context = node.seal(key, versions.clock)
    calls = node.calls(node.peer_timeout_ns * 4)
    for sibling in versions.siblings:
        put = Put("a hint", key, sibling.value, context, node.peer_timeout_ns)

        def request(call: int, put: Put = put) -> Forward:
            return Forward(call, put)

        calls.ask(target, request)
    arrived = 0
    while (answer := await calls.next()) is not None:
        arrived += isinstance(answer.message, Forwarded) and isinstance(answer.message.response, Written)
    calls.close()
    return arrived == len(versions.siblings)


class NODE(Node):
    """The node with the bug."""

    def _hand_off(self) -> None:
        for target in list(self.replica.hints):
            if target not in self._handing_off:
                self._handing_off[target] = None
                self.conversations.begin(Kind.HANDOFF, replay(self, target))


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
