"""Hinted handoff (Dynamo, 4.6): deliver what was kept for a node that could not be reached.

One conversation for each target, for as long as there are hints for it. A hint is deleted only when the version that
the target confirmed is still the one stored: a newer one may have come in meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.core.conversations import Sleep
from node.core.messages import Replicate, Stored

if TYPE_CHECKING:
    from node.core.node import Node
    from node.core.versions import Versions

WINDOW = 32
"""How many hints are under way to one target at a time."""


async def hand_off(node: Node, target: str) -> None:
    """Deliver all hints for a target, trying again for as long as it takes."""
    while target in node.replica.hints:
        await Sleep(node.config.hint_retry_ms * 1_000_000)
        while node.detector.is_up(target) and await _deliver_some(node, target):
            pass
    node.handed_off(target)


async def _deliver_some(node: Node, target: str) -> bool:
    """Deliver one window of hints; returns whether all of them arrived and there may be more."""
    keys = list(node.replica.hints.get(target, ()))[:WINDOW]
    calls = node.calls(node.peer_timeout_ns * 2)
    sent: dict[int, tuple[bytes, Versions]] = {}
    for key in keys:
        versions = node.replica.hinted(target, key)

        def request(call: int, key: bytes = key, versions: Versions = versions) -> Replicate:
            return Replicate(call, key, versions, None, node.peer_timeout_ns)

        sent[calls.ask(target, request)] = (key, versions)
    arrived = 0
    while (answer := await calls.next()) is not None:
        if isinstance(answer.message, Stored):
            arrived += 1
            key, versions = sent[answer.call]
            node.replica.forget_hint(target, key, versions)
    calls.close()
    return bool(keys) and arrived == len(keys)
