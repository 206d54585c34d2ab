"""Ask a suspected peer from time to time whether it is back (Dynamo, 4.8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.core.conversations import Sleep
from node.core.messages import Ping

if TYPE_CHECKING:
    from node.core.node import Node


async def probe(node: Node, peer: str) -> None:
    """Ping a peer until it answers, over a new connection each time it does not, or it is no business of ours."""
    while not node.detector.is_up(peer):
        await Sleep(node.config.probe_interval_ms * 1_000_000)
        if node.detector.is_up(peer) or not node.deals_with(peer):
            break
        calls = node.calls(node.peer_timeout_ns * 2)
        calls.ask(peer, Ping)
        answer = await calls.next()
        calls.close()
        if answer is None or answer.message is None:
            node.redial(peer)
    node.probed(peer)
