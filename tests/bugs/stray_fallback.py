"""Planted bug: a fallback forgets whom it stands in for, and stores what it is given as if it were a replica itself.

What is wrong: there is no hint, so nobody delivers; the copy lies on a node that no reader asks once the primaries are
back. All primaries agree and nothing is left to do, yet an acknowledged write is out of reach. The idea is hazard H07
without its hint: fallback data that nobody knows to be fallback data.

It runs without anti-entropy and without gossip, on whose occasion a node looks for what lies where it does not belong
and brings it home: with them it would be healed within seconds.
"""

from __future__ import annotations

from typing import Any

from node.core.clocks import Clock, Dot
from node.core.node import Node
from node.core.replica import Replica
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "partition-halves"
CHECKER = "kept-writes"
SEEDS = 5
OPTIONS: dict[str, Any] = {
    "time_limit_s": 10.0,
    "settings": {"anti_entropy_ms": 0, "gossip_ms": 3_600_000},
}
CALM: dict[str, Any] = {}
PINNED = (
    "test_w_is_reached_with_a_fallback_that_holds_a_hint",
    "test_a_fallback_that_fails_is_replaced_by_the_next_one",
    "test_w_not_reached_is_an_indefinite_refusal_and_the_write_is_seen_through",
    "test_hints_beyond_the_quorum_stay_with_the_coordinator_and_do_not_count",
    "test_a_put_that_was_answered_goes_on_until_every_primary_has_a_home",
    "test_a_hint_kept_here_is_durable_before_the_put_has_ended",
    "test_a_put_at_its_deadline_keeps_hints_for_whoever_has_not_answered",
    "test_a_hint_is_delivered_when_its_time_has_come_and_then_deleted",
    "test_a_hint_is_not_deleted_before_the_target_has_it_durably",
    "test_a_hint_that_changed_meanwhile_is_kept_and_delivered_again",
    "test_a_delivery_that_gets_lost_is_tried_again",
    "test_hints_are_not_sent_to_a_target_that_is_down",
    "test_a_window_is_delivered_before_the_next_one_is_begun",
    "test_hints_found_at_a_restart_are_delivered",
    "test_a_hint_made_after_the_last_one_was_delivered_is_delivered_too",
    "test_a_hint_brings_what_its_write_has_replaced",
    "test_a_fallback_that_coordinates_twice_around_a_handoff_loses_nothing",
    "test_a_draining_node_stages_the_hints_of_its_last_put_before_it_leaves",
    "test_a_coordinator_that_is_to_sit_there_itself_does_not_write_to_itself",
    "test_a_hint_for_who_was_replaced_is_for_who_took_its_place",
    "test_who_leaves_hands_its_hints_over",
)


class StrayReplica(Replica):
    """A replica that keeps everything as its own."""

    def merge(self, key: bytes, versions: Versions, hint_for: str | None = None) -> None:
        """Merge into its own data, whomever it is for."""
        super().merge(key, versions)

    def write(self, key: bytes, context: Clock, value: bytes, hint_for: str | None = None) -> tuple[Dot, Versions]:
        """Write into its own data, whomever it is for."""
        return super().write(key, context, value)


class NODE(Node):
    """The node with the bug."""

    replica_type = StrayReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
