"""Let peers in, and find out when two processes claim to be the same one.

A process that runs on cloned data, or was started twice, has an incarnation and an address of its own. Its dots harm
nobody; what must not be is that it takes the place of a node that lives. So a peer that turns up as another life in
another place is in doubt: it is not heard until the life that is known has been asked, where that was last dialled. If
that one answers, the newcomer is told that another process is this node, and nothing that it said has been used. If
nobody answers, the node has moved: the newcomer is admitted, and dialled where it is.

This file knows whom to believe. It does not know connections, which are held back and let go as it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.core.changes import Life
from node.core.conversations import Kind, Sleep
from node.core.facts import Admit, Refuse
from node.core.messages import Ping, Pong

if TYPE_CHECKING:
    from node.core.node import Node

TRIES, PATIENCE = 3, 4
"""How often the known life is asked, and for how many peer time-outs it may be silent each time.

Every question takes a new connection, because one that was cut stays silent for a while. Here a mistake costs more than
a wait does: a node that is merely slow would lose its place.
"""


class Arrivals:
    """The peers that turn up at one node, and those of them that are in doubt."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._in_doubt: dict[tuple[str, str], None] = {}

    def arrived(self, life: Life, *, contested: bool) -> None:
        """A peer waits to be let in."""
        if self._node.membership.is_plausible(life, contested=contested):
            self._admit(life)
        elif (life.node, life.incarnation) not in self._in_doubt:
            self._in_doubt[life.node, life.incarnation] = None
            self._node.conversations.begin(Kind.PROBE, self._challenge(life))

    async def _challenge(self, life: Life) -> None:
        """Ask who is where the peer was so far, and again when somebody else has been admitted meanwhile."""
        node, place = self._node, ""
        known = None
        while known is None and place != (place := node.membership.address(life.node)):
            known = await self._who_answers(life.node)
        del self._in_doubt[life.node, life.incarnation]
        if known in (None, "", life.incarnation):
            self._admit(life)
        else:
            text = f"another process is this node, incarnation {known} at {place}, says {node.id}"
            node.release.pass_by(Refuse(life.node, life.incarnation, text))

    async def _who_answers(self, peer: str) -> str | None:
        """The incarnation that answers where a peer is dialled; None when nobody does in time."""
        node = self._node
        for attempt in range(TRIES):
            if attempt:
                node.redial(peer)
                await Sleep(node.peer_timeout_ns)
            calls = node.calls(node.peer_timeout_ns * (PATIENCE + 1))
            calls.ask(peer, Ping, node.peer_timeout_ns * PATIENCE)
            answer = await calls.next()
            calls.close()
            if answer is not None and isinstance(answer.message, Pong):
                return answer.message.incarnation
        return None

    def _admit(self, life: Life) -> None:
        self._node.membership.admit(life)
        self._node.release.pass_by(Admit(life.node, life.incarnation))
