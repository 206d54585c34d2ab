"""Planted bug: a forwarded put that is not answered soon is given to the next coordinator.

What is wrong: both write it, each under its own dot, and one put has become two siblings. The idea is hazard H11:
riak_kv issue 1188, a sender that waits for the forwarded coordinator for a while and tries another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from node.core.conversations import Kind
from node.core.messages import Forward, Forwarded, Put, Refused, Request, Response, Written
from node.core.node import Node
from node.core.puts import coordinate
from node.runtime.main import main

SCENARIO = "partition-majorities-ring"
CHECKER = "dots"
SEEDS = 3
OPTIONS: dict[str, Any] = {"rate": 200.0, "every_s": 2.0, "for_s": 1.0, "time_limit_s": 12.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_what_was_sent_and_not_answered_goes_to_nobody_else",
    "test_a_coordinator_that_declines_is_one_that_was_asked",
    "test_a_coordinator_that_is_leaving_is_passed_over",
    "test_any_other_refusal_is_passed_on",
    "test_the_coordinator_gets_less_time_than_there_is",
    "test_time_spent_on_a_coordinator_that_could_not_be_reached_is_spent",
    "test_a_put_coordinated_here_after_all_ends_at_the_clients_deadline",
    "test_a_forward_that_was_refused_for_the_ring_is_not_taken_up_late",
    "test_an_outsider_serves_as_a_proxy",
)


async def insist(node: Node, request: Put, respond: Callable[[Written | Refused], None]) -> None:
    """Forward a put to one node after the other, each given as long as any peer, until one answers."""
    place = node.ring.at(request.key)
    preference = place.preference
    if node.id not in place.seats:
        calls = node.calls(request.remaining_ns)
        for peer in filter(node.detector.is_up, preference[: preference.index(node.id)]):
            calls.ask(peer, lambda call: Forward(call, request))
            answer = await calls.next()
            if answer is not None and isinstance(answer.message, Forwarded):
                respond(answer.message.response)
                calls.close()
                return
        calls.close()
    await coordinate(node, request, respond)


class NODE(Node):
    """The node with the bug."""

    def _serve(self, request: Request, respond: Callable[[Response], None]) -> None:
        if isinstance(request, Put) and self.refusal(request) is None:
            self.conversations.begin(Kind.REQUEST, insist(self, self.bounded(request), respond))
        else:
            super()._serve(request, respond)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
