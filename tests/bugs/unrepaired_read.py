"""Planted bug: a get ends with its answer and repairs nobody.

What is wrong: a node that lost its disk stays without the keys that nobody writes, however often they are read. There
is no hint for what it had: read repair is the only thing that brings it back. The idea is hazard H13, `read_repair`
switched off, and H07: what no hint brings must be repaired by reading or by anti-entropy.

It runs without anti-entropy, which would repair what the reads do not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from node.core.conversations import Kind
from node.core.gets import get
from node.core.messages import Get, Request, Response
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "crash-wipe"
CHECKER = "convergence"
SEEDS = 3
OPTIONS: dict[str, Any] = {"keys": 200, "time_limit_s": 10.0, "settings": {"anti_entropy_ms": 0}}
CALM: dict[str, Any] = {}
PINNED = (
    "test_r_not_reached_has_definitely_failed",
    "test_only_the_primaries_that_are_behind_are_repaired_with_the_merged_set",
    "test_repair_waits_a_small_period_for_the_answers_still_out",
    "test_a_replica_that_stays_silent_is_not_repaired_and_not_waited_for",
    "test_a_repair_whose_target_has_died_ends_all_the_same",
    "test_no_timer_is_left_when_all_is_said",
    "test_a_hint_is_delivered_when_its_time_has_come_and_then_deleted",
    "test_a_draining_node_waits_for_its_repairs",
    "test_the_digest_goes_with_every_message",
)


class _Answered(Exception):  # noqa: N818 - not an error
    """The answer is given, and nothing more is wanted."""


async def get_only(node: Node, request: Get, respond: Callable[[Response], None]) -> None:
    """Read, answer, and go."""

    def leave(response: Response) -> None:
        respond(response)
        raise _Answered

    with suppress(_Answered):
        await get(node, request, leave)


class NODE(Node):
    """The node with the bug."""

    def _serve(self, request: Request, respond: Callable[[Response], None]) -> None:
        if isinstance(request, Get) and self.refusal(request) is None:
            self.conversations.begin(Kind.REQUEST, get_only(self, self.bounded(request), respond))
        else:
            super()._serve(request, respond)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
