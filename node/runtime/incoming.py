"""The listening side of one connection: a peer, a client, or a user of the debug port.

It begins with a hello that names who is meant. A peer is then put off until its host has judged that it is who it says:
nothing of what it says is passed on before. Whoever breaks a rule is refused, and told why.

This file knows one connection and its frames. It does not know who else there is, nor what a message means.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from node.core.changes import Life
from node.core.messages import Got, Pong, Refused
from node.runtime import wire
from node.runtime.links import Outbox, prepared
from node.runtime.ports import AnyResponse
from node.runtime.wire import Envelope, Framer, Hello, Kind, WireError

if TYPE_CHECKING:
    from node.runtime.tcp import TcpTransport

HELLO_S = 5.0
"""How long a connection may keep silent at its beginning."""

AGREED = "compare founders, places, strategy, partitions, tokens, n and the secret"
"""What makes a cluster, in the words of its configuration: see `ClusterConfig.cluster`."""

ASIDE_MAX = 1024
"""From how many messages on a peer is not read from that waits to be admitted."""

_NUMBER_MAX = (1 << 32) - 1

log = logging.getLogger(__name__)


class Incoming(asyncio.Protocol):
    """A connection that somebody else made; `source` is a peer's node id once its hello has been accepted.

    A peer waits to be admitted. What it says is put aside meanwhile, but its answers to pings: perhaps it is asked
    whether it is there, in order to be admitted.
    """

    def __init__(self, owner: TcpTransport, debug: bool) -> None:
        self.debug = debug
        self.source = ""
        self.waits = False
        self._aside: list[Envelope] | None = None
        self._owner = owner
        self._framer = Framer()
        self._hello: Hello | None = None
        self._taken = 0
        self._refused = False
        self.transport: asyncio.Transport
        self.outbox: Outbox

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = prepared(transport)
        loop = asyncio.get_running_loop()
        self.outbox = Outbox(loop, self.transport)
        self._patience = loop.call_later(HELLO_S, self.refuse, f"no hello within {HELLO_S:g} s")
        self._owner.arrived(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """End."""
        self._patience.cancel()
        self._owner.gone(self)

    def data_received(self, data: bytes) -> None:
        """Take whole frames, one after the other, until one of them breaks a rule."""
        if self._refused:
            return
        try:
            for frame in self._framer.feed(data):
                if self.transport.is_closing():
                    return
                self._take(frame)
        except WireError as error:
            self.refuse(str(error))

    def close(self) -> None:
        """Write what has been collected, and close."""
        self.outbox.flush()
        self.transport.close()

    def is_of(self, peer: str, incarnation: str) -> bool:
        """Whether this is a connection of that life."""
        return self.source == peer and self._hello is not None and self._hello.incarnation == incarnation

    def admitted(self) -> None:
        """Pass on what the peer has said, and from now on what it says."""
        aside, self._aside = self._aside or [], None
        if len(aside) >= ASIDE_MAX:
            self.transport.resume_reading()
        for envelope in aside:
            self._pass_on(envelope)

    def refuse(self, text: str, *, duplicate: bool = False) -> None:
        """Say why, and close; a duplicate is to end because of it."""
        self._refused, self.waits = True, False
        who = self._hello.source if self._hello is not None else "nobody known"
        log.warning("refusing a connection of %s: %s", who, text, extra={"event": "refused"})
        told = f"{wire.DUPLICATE}{text}" if duplicate else f"{self._owner.node}: {text}"
        self.outbox.add(wire.pack(Kind.ERROR, min(self._taken, _NUMBER_MAX), told))
        self.close()

    def unanswerable(self, number: int, response: AnyResponse, text: str) -> None:
        """The answer fits in no frame: refuse the request if that can be said, else the connection."""
        if isinstance(response, Got):
            refused = Refused(response.request, "too-large", text, definite=True)
            self.outbox.add(wire.pack(Kind.RESPONSE, number, refused))
        elif not self.transport.is_closing():
            self.refuse(text)

    def _take(self, frame: wire.Frame) -> None:
        if self._hello is None:
            self._hello = wire.hello(frame)
            self._patience.cancel()
            self._greeted(self._hello)
        elif frame.kind is Kind.PEER and self.source:
            envelope = wire.envelope(frame)
            if (envelope.source, envelope.destination) != (self.source, self._owner.node):
                raise WireError(f"a frame from {envelope.source} to {envelope.destination} came in on this connection")
            if self._aside is None or type(envelope.message) is Pong:
                self._pass_on(envelope)
            else:
                self._put_aside(self._aside, envelope)
        elif frame.kind is Kind.REQUEST and not self.source:
            request = wire.debug_request(frame) if self.debug else wire.request(frame)
            self._taken += 1
            self._owner.asked(self, frame.number, request)
        else:
            raise WireError(f"a {self._hello.role} sends no {frame.kind.name} frames")

    def _greeted(self, hello: Hello) -> None:
        """Check who is meant, and by whom."""
        owner = self._owner
        if hello.destination != owner.node and (hello.destination or hello.role != "client"):
            raise WireError(f"this is {owner.node}, not {hello.destination or 'nobody'}: check the addresses")
        if (hello.role == "debug") != self.debug:
            raise WireError(f"this is the {'debug' if self.debug else 'normal'} port, not one for role {hello.role}")
        if hello.role == "peer":
            if hello.source in ("", owner.node):
                raise WireError(f"a peer of {owner.node} is called something else than {hello.source!r}")
            if hello.cluster != owner.cluster:
                theirs, ours = hello.cluster or "none", owner.cluster
                raise WireError(f"{hello.source} is of cluster {theirs}, this node of {ours}: {AGREED}")
            self.source, self.waits, self._aside = hello.source, True, []
            owner.knocked(Life(hello.source, hello.incarnation, 0, hello.address))

    def _pass_on(self, envelope: Envelope) -> None:
        self._taken += 1
        self._owner.said(self.source, envelope.message, envelope.ring)

    def _put_aside(self, aside: list[Envelope], envelope: Envelope) -> None:
        """Keep it for later; who says too much is not listened to meanwhile."""
        aside.append(envelope)
        if len(aside) >= ASIDE_MAX:
            self.transport.pause_reading()
