"""Planted bug: a node that has missed a quorum once takes itself for cut off, and refuses puts ever after.

What is wrong: the cut is healed and the node is well, and yet it takes no writes until somebody restarts it: "always
writeable" (Dynamo, 2.3) is lost to a flag. The idea is hazard H19, a local belief without a way back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from node.core.messages import Put, Refused, Request, Response
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "partition-isolate"
CHECKER = "writable"
SEEDS = 3
OPTIONS: dict[str, Any] = {}
CALM: dict[str, Any] = {}
PINNED = (
    "test_siblings_come_together_under_one_context_that_replaces_them_all",
    "test_a_quorum_that_was_missed_leaves_no_mark",
)


class NODE(Node):
    """The node with the bug."""

    _cut_off = False

    def _serve(self, request: Request, respond: Callable[[Response], None]) -> None:
        def heed(response: Response) -> None:
            if isinstance(request, Put) and isinstance(response, Refused) and response.code == "unavailable":
                self._cut_off = True
            respond(response)

        super()._serve(request, heed)

    def refusal(self, request: Request) -> tuple[str, str] | None:
        """Why a request is not served; a put is not, once one has missed its quorum."""
        if self._cut_off and isinstance(request, Put):
            return "read-only", f"{self.id} is cut off from its peers"
        return super().refusal(request)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
