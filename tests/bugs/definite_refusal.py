"""Planted bug: a put that did not reach W nodes is refused as if it had never been.

What is wrong: some have it, and a hint will bring it to the rest; the client was told that it had no effect. The idea
is hazard H04: a quorum that was missed is an error and no rollback, as Riak says of `pw`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from node.core.messages import Forwarded, PeerMessage, Refused, Request, Response
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "partition-isolate"
CHECKER = "kept-writes"
SEEDS = 3
OPTIONS: dict[str, Any] = {"time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_w_not_reached_is_an_indefinite_refusal_and_the_write_is_seen_through",
    "test_hints_beyond_the_quorum_stay_with_the_coordinator_and_do_not_count",
    "test_a_put_at_its_deadline_keeps_hints_for_whoever_has_not_answered",
    "test_any_other_refusal_is_passed_on",
    "test_a_put_coordinated_here_after_all_ends_at_the_clients_deadline",
)


class NODE(Node):
    """The node with the bug."""

    def _serve(self, request: Request, respond: Callable[[Response], None]) -> None:
        super()._serve(request, lambda response: respond(without_doubt(response)))

    def send(self, peer: str, message: PeerMessage) -> None:
        """Send a message to a peer; a refusal of a put that it had forwarded is without doubt, too."""
        if isinstance(message, Forwarded):
            message = replace(message, response=without_doubt(message.response))
        super().send(peer, message)


def without_doubt(response: Any) -> Any:
    """The response; a quorum that was missed is a definite failure."""
    return (
        replace(response, definite=True)
        if isinstance(response, Refused) and response.code == "unavailable"
        else response
    )


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
