"""Take what peers say: serve what they ask for, and hand their answers to those who wait for them.

What is asked for is served only under one ring: a peer that knows another one is told so, and nothing is done. This
file knows which message asks for what. It does not know what an answer is good for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.core.calls import TakenUp
from node.core.conversations import Kind
from node.core.gossip import hear
from node.core.messages import (
    Accepted,
    Batch,
    Declined,
    Differs,
    Fetch,
    Fetched,
    Forward,
    Forwarded,
    Gossip,
    Offer,
    PeerMessage,
    Ping,
    Pong,
    Put,
    Refused,
    Replicate,
    RootsQuery,
    Stored,
    TreeQuery,
    Written,
)
from node.core.puts import coordinate
from node.core.tree_queries import answer

if TYPE_CHECKING:
    from node.core.node import Node

REQUESTS = (Fetch, Replicate, Forward, Ping, Offer, Batch, RootsQuery, TreeQuery)
"""What has an answer."""

UNDER_ONE_RING = frozenset((Fetch, Replicate, Forward, Offer, Batch, RootsQuery, TreeQuery))
"""What is done only when both know the same ring; everything else is done under any."""


class Hearing:
    """What one node does with what its peers say."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._taken_up = TakenUp()

    def heard(self, source: str, message: PeerMessage, ring: str) -> None:
        """A message of a peer's has arrived, sent under the ring of this digest."""
        node = self._node
        if ring != node.ring.digest and type(message) in UNDER_ONE_RING:
            assert not isinstance(message, Gossip), "gossip is heard under any ring"
            if type(message) is not Forward or self._taken_up.is_new(source, message.call):
                node.send(source, Differs(message.call, node.ring.history))
        elif type(message) is Fetch:
            if not self._expired(source, message.call, message.remaining_ns):
                node.send(source, Fetched(message.call, node.replica.versions(message.key), node.durable))
        elif type(message) is Replicate:
            if not self._expired(source, message.call, message.remaining_ns):
                before = node.trees.hash_of(message.key)
                node.replica.merge(message.key, message.versions, message.hint_for)
                news = message.hint_for is not None or node.trees.hash_of(message.key) != before
                node.send(source, Stored(message.call, node.durable, news))
        elif type(message) is Forward:
            self._forwarded(source, message.call, message.put)
        elif type(message) is Ping:
            node.send(source, Pong(message.call, node.membership.life.incarnation))
        elif type(message) is Gossip:
            hear(node, source, message, ring)
        elif type(message) is Differs:
            self._agree(source, message)
        elif isinstance(message, REQUESTS):
            self._background_request(source, message)
        else:
            node.switchboard.answered(source, message)

    def _background_request(self, source: str, message: Offer | Batch | RootsQuery | TreeQuery) -> None:
        if type(message) is Offer:
            due = self._node.ring.due(message.move) and message.move.taker == self._node.id
            declined = Declined(message.call, f"that seat is not to pass to {self._node.id}")
            self._node.send(source, Accepted(message.call) if due else declined)
        elif type(message) is Batch:
            for entry in message.entries:
                self._node.replica.merge(entry.key, entry.versions)
            self._node.send(source, Stored(message.call, self._node.durable))
        else:
            self._node.send(source, answer(self._node.trees, message))

    def _agree(self, source: str, message: Differs) -> None:
        """Know what the other one knows, and let it know what it did not, before it is asked again."""
        self._node.learn(message.history)
        if self._node.ring.digest != message.history.digest:
            self._node.send(source, Gossip(self._node.membership.life, self._node.ring.history))
        self._node.switchboard.answered(source, message)

    def _forwarded(self, source: str, call: int, request: Put) -> None:
        def respond(response: Written | Refused) -> None:
            self._node.send(source, Forwarded(call, response))

        if not self._taken_up.is_new(source, call):
            return
        refusal = self._node.refusal(request)
        if refusal is not None:
            code, text = refusal
            respond(Refused(request.request, code, text, definite=True))
        else:
            self._node.conversations.begin(Kind.REQUEST, coordinate(self._node, self._node.bounded(request), respond))

    def _expired(self, source: str, call: int, remaining_ns: int) -> bool:
        if remaining_ns > 0:
            return False
        self._node.send(source, Declined(call, "the request's time had run out"))
        return True
