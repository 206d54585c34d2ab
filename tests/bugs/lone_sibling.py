"""Planted bug: a get returns one of the siblings, and a context that covers them all.

What is wrong: the client writes back what it was shown, and so erases what it never saw. In the paper's cart an item
that was added is gone. The idea is hazard H12, one winner where siblings were promised, at the hands of the reader:
the context claims more than was shown (hazard H17).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from node.core.messages import Get, Got, Request, Response
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "cart-partition"
CHECKER = "cart"
SEEDS = 3
OPTIONS: dict[str, Any] = {"time_limit_s": 10.0}
# Carts are never written blindly, so one client alone makes no siblings.
CALM: dict[str, Any] = {"concurrency": 1}
PINNED = ("test_siblings_come_together_under_one_context_that_replaces_them_all",)


class NODE(Node):
    """The node with the bug."""

    def _serve(self, request: Request, respond: Callable[[Response], None]) -> None:
        def settle(response: Response) -> None:
            if isinstance(response, Got) and len(response.versions) > 1:
                response = replace(response, versions=response.versions[-1:])
            respond(response)

        super()._serve(request, settle if isinstance(request, Get) else respond)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
