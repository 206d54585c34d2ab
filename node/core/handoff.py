"""Hinted handoff (Dynamo, 4.6): deliver what was kept for a node that could not be reached.

One conversation for each target, for as long as there are hints for it. A hint is deleted only when the version that
the target confirmed is still the one stored: a newer one may have come in meanwhile. A hint for somebody who no longer
keeps its key becomes a hint for each of those who do; a node that leaves the ring hands the hints over that it holds.
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
        while await _one_window(node, target):
            pass
    node.handed_off(target)


async def _one_window(node: Node, target: str) -> bool:
    """See to one window of hints; returns whether that succeeded, and there may be more."""
    if await _passed_on(node, target):
        return True
    keys = list(node.replica.hints.get(target, ()))[:WINDOW]
    to = target if node.detector.is_up(target) else _heir(node, target)
    if not keys or to is None:
        return False
    await node.background.slice("handoff")
    return await _deliver_some(node, target, [key for key in keys if key in node.replica.hints.get(target, ())], to=to)


async def _passed_on(node: Node, target: str) -> bool:
    """Of a window of hints, those for keys that the target no longer keeps are meant for others from now on; returns
    whether there were any.
    """
    window = list(node.replica.hints.get(target, ()))[:WINDOW]
    if all(target in node.ring.at(key).keepers for key in window):
        return False
    await node.background.slice("handoff")
    for key in window:
        if target not in node.ring.at(key).keepers and key in node.replica.hints.get(target, ()):
            _pass_on(node, target, key)
    return True


def _pass_on(node: Node, target: str, key: bytes) -> None:
    """Make a hint for each of those who keep the key now out of a hint for one who does not."""
    keepers = node.ring.at(key).keepers
    versions = node.replica.hinted(target, key)
    for keeper in keepers:
        node.replica.merge(key, versions, hint_for=None if keeper == node.id else keeper)
    node.replica.forget_hint(target, key, versions)


def _heir(node: Node, target: str) -> str | None:
    """Who is to hold the hints that this node has, where it leaves the ring."""
    if node.ring.is_member(node.id):
        return None
    return next((name for name in node.ring.members if name != target and node.detector.is_up(name)), None)


async def _deliver_some(node: Node, target: str, keys: list[bytes], *, to: str) -> bool:
    """Deliver these hints to their target, or to another node that is to hold them; returns whether all arrived."""
    hint_for = None if to == target else target
    calls = node.calls(node.peer_timeout_ns * 2)
    sent: dict[int, tuple[bytes, Versions]] = {}
    for key in keys:
        versions = node.replica.hinted(target, key)

        def request(call: int, key: bytes = key, versions: Versions = versions) -> Replicate:
            return Replicate(call, key, versions, hint_for, node.peer_timeout_ns)

        sent[calls.ask(to, request)] = (key, versions)
    arrived = 0
    while (answer := await calls.next()) is not None:
        if isinstance(answer.message, Stored):
            arrived += 1
            key, versions = sent[answer.call]
            node.replica.forget_hint(target, key, versions)
    calls.close()
    return bool(keys) and arrived == len(keys)
