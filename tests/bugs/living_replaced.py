"""Planted bug: an order to replace a node is taken without asking whether that node lives.

What is wrong: it goes on in its old place while another one takes that place, with what others happen to keep of it;
what only the living one had is not asked for. The idea is hazard H22, two nodes that are one: such an order has to be
refused (Cassandra's replace_active_node, Scylla's test_replace_alive_node).
"""

from __future__ import annotations

from typing import Any

from node.core.admin_messages import AdminRequest, Stage, Staged
from node.core.changes import REPLACE
from node.core.facts import Reply
from node.core.membership import OrderError
from node.core.messages import DebugRequest, Refused, Request
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "replace_alive_node_refused"
CHECKER = "orders"
SEEDS = 2
OPTIONS: dict[str, Any] = {"rate": 20.0, "time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = ("test_who_is_back_while_seats_are_gathered_is_asked_too",)


class NODE(Node):
    """The node with the bug."""

    def _asked(self, asker: int, request: Request | DebugRequest | AdminRequest) -> None:
        if type(request) is Stage and request.operation == REPLACE:
            self.release.put(Reply(asker, self._staged(request)))
        else:
            super()._asked(asker, request)

    def _staged(self, request: Stage) -> Staged | Refused:
        try:
            self.membership.stage(request.operation, request.node, request.member, request.address)
        except OrderError as error:
            return Refused(request.request, "bad-order", str(error), definite=True)
        return Staged(request.request, (f"{request.operation} {request.node}",))


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
