"""Tell one random peer a second what this node knows of the ring, and hear what it knows (Dynamo, 4.8.1).

The digest of the ring goes with every message, so that two who know the same need say no more. Where they do not, the
one that is asked tells what it knows, and the one that asked tells it what was missing: after one exchange both know
all that either knew. Everybody is a peer that is a member, or that this node was told of at its start (the seeds of
Dynamo, 4.8.2), so two nodes that were joined without knowing of each other hear of each other from a seed.

This file knows whom to tell. It does not know what follows from what is heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.core.conversations import Sleep
from node.core.messages import Gossip

if TYPE_CHECKING:
    from node.core.node import Node


async def gossip(node: Node) -> None:
    """Tell everybody that this node is here and where, and then one peer at a time, without end."""
    for peer in node.membership.acquaintances:
        node.send(peer, Gossip(node.membership.life))
    while True:
        await Sleep(node.config.gossip_ms * 1_000_000)
        peers = node.membership.acquaintances
        if peers:
            node.send(node.rng.choice(peers), Gossip(node.membership.life))
        node.seats.see_to_moves()


def hear(node: Node, source: str, message: Gossip, ring: str) -> None:
    """Take what a peer tells, and tell it what it does not know."""
    node.membership.met(message.life)
    if message.history is not None:
        node.learn(message.history)
        ring = message.history.digest
    if ring != node.ring.digest:
        node.send(source, Gossip(node.membership.life, node.ring.history))
