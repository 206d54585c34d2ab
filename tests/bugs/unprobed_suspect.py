"""Planted bug: nobody asks a suspected peer whether it is back.

What is wrong: a peer under suspicion is not asked for anything, so it never answers, and stays under suspicion; its
hints wait for ever. The idea is hazard H19: a local failure detector needs a way back, as Voldemort's recovery probes.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.runtime.main import main

SCENARIO = "partition-majorities-ring"
CHECKER = "convergence"
SEEDS = 3
OPTIONS: dict[str, Any] = {"time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_r_not_reached_has_definitely_failed",
    "test_w_not_reached_is_an_indefinite_refusal_and_the_write_is_seen_through",
    "test_a_hint_is_not_deleted_before_the_target_has_it_durably",
    "test_a_delivery_that_gets_lost_is_tried_again",
    "test_a_probe_is_sent_after_the_interval_and_its_answer_ends_the_suspicion",
    "test_a_probe_that_is_not_answered_redials_and_is_repeated",
    "test_a_probe_that_cannot_be_sent_redials_too",
    "test_a_late_pong_counts",
    "test_a_peer_that_flaps_is_probed_by_one_conversation",
    "test_a_transfer_that_ends_early_leaves_nothing_behind",
    "test_after_a_crash_a_transfer_goes_on_with_what_lacks",
    "test_nothing_is_deleted_before_everybody_who_sits_there_has_it",
    "test_nothing_is_gathered_while_one_of_the_others_is_silent",
    "test_two_joins_at_nodes_that_do_not_know_of_each_other_make_one_ring",
    "test_two_newcomers_hear_of_each_other_through_a_seed",
    "test_who_leaves_hands_its_hints_over",
)


class NODE(Node):
    """The node with the bug."""

    def suspect(self, peer: str) -> None:
        """Treat a peer as down, and leave it at that."""
        self.detector.missed(peer)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
