"""Messages over TCP: the listening side, and the transport that a host speaks through.

A listener takes connections from peers and clients, or from users of the debug port. A connection begins with a hello
that names who is meant; a node answers for itself only, and for its own ring only. Whoever is refused is told why.

The host is called from the loop's callbacks and never from within one of its own calls. This file knows sockets and
whom a frame is for; what a message means is the host's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from functools import partial

from node.core.messages import DebugRequest, DebugResponse, Got, PeerMessage, Refused, Request, Response
from node.runtime import wire
from node.runtime.links import Link, Outbox, prepared, reason
from node.runtime.ports import Ear
from node.runtime.wire import Envelope, Framer, Hello, Kind, WireError

BACKLOG = 1024
HELLO_S = 5.0
"""How long a connection may keep silent at its beginning."""

_NUMBER_MAX = (1 << 32) - 1

log = logging.getLogger(__name__)


class PortError(Exception):
    """A port that this node was to listen on cannot be had; the message names it."""


def bound(address: tuple[str, int], *, reuse_port: bool = False) -> socket.socket:
    """Bind a port without listening yet; raises `PortError`."""
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _unavailable(address, error) from error
    return sock


def _unavailable(address: tuple[str, int], error: OSError) -> PortError:
    why = reason(error)
    return PortError(f"cannot listen on {address[0]}:{address[1]}: {why[:1].lower() + why[1:]}")


class TcpTransport:
    """Messages to peers at the given addresses, and from everybody who dials this node.

    `attach` comes before the first message, `listen` after the host has started.
    """

    def __init__(self, node: str, ring: str, addresses: Mapping[str, tuple[str, int]]) -> None:
        self.node = node
        self.ring = ring
        self.incarnation = ""
        self.peers = tuple(peer for peer in addresses if peer != node)
        self.incoming: dict[str, Incoming] = {}
        self._loop = asyncio.get_running_loop()
        self._ear: Ear | None = None
        self._links = {
            peer: Link(peer, address, partial(self._greeting, peer), self._unreached, self._loop)
            for peer, address in addresses.items()
            if peer in self.peers
        }
        self._askers: dict[int, tuple[Incoming, int]] = {}
        self._asked = 0
        self._connections: dict[Incoming, None] = {}
        self._servers: list[asyncio.Server] = []

    def attach(self, ear: Ear) -> None:
        """Say whom to tell what comes in."""
        self._ear = ear

    async def listen(self, sock: socket.socket, incarnation: str, *, debug: bool = False) -> tuple[str, int]:
        """Accept connections on a bound socket, for the debug port or for everything else; returns where it is."""
        self.incarnation = incarnation
        host, port = sock.getsockname()[:2]
        try:
            # uvloop keeps it to itself when the port has been taken since it was bound.
            sock.listen(BACKLOG)
        except OSError as error:
            raise _unavailable((host, port), error) from error
        self._servers.append(await self._loop.create_server(lambda: Incoming(self, debug), sock=sock, backlog=BACKLOG))
        return host, port

    async def close(self) -> None:
        """Write what has been said, waiting for slow readers no longer than a moment, and let go of everything."""
        self._ear = None
        for server in self._servers:
            server.close()
        for link in self._links.values():
            link.close(abort=False)
        for connection in self._connections:
            connection.close()
        for _ in range(20):
            if not self._connections and not self.sending:
                break
            await asyncio.sleep(0.01)
        self.fence()
        await asyncio.sleep(0)

    def fence(self) -> None:
        """Let nothing more in or out, from this instant."""
        self._ear = None
        for server in self._servers:
            server.close()
        for link in self._links.values():
            link.close(abort=True)
        for connection in self._connections:
            connection.transport.abort()

    # --- what the host asks for ---

    @property
    def sending(self) -> int:
        """How many messages wait to leave."""
        slow = sum(connection.outbox.unwritten > 0 for connection in self._connections if not connection.debug)
        return slow + sum(link.sending for link in self._links.values())

    def send(self, peer: str, message: PeerMessage) -> None:
        """Send a message over this node's own link to the peer; one that fits in no frame is not delivered."""
        try:
            frame = wire.pack(Kind.PEER, 0, Envelope(self.node, peer, message))
        except WireError as error:
            log.error("cannot send a %s to %s: %s", type(message).__name__, peer, error)
            self._loop.call_soon(self._unreached, peer, message)
            return
        self._links[peer].send(message, frame)

    def reply(self, asker: int, response: Response | DebugResponse) -> None:
        """Answer whoever asked, if still there."""
        connection, number = self._askers.pop(asker)
        try:
            frame = wire.pack(Kind.RESPONSE, number, response)
        except WireError as error:
            connection.unanswerable(number, response, str(error))
        else:
            connection.outbox.add(frame)

    def redial(self, peer: str) -> None:
        """Close the link to a peer; the next message dials anew."""
        self._links[peer].redial()

    # --- what connections tell ---

    def said(self, source: str, message: PeerMessage) -> None:
        """A message from a peer arrived."""
        if self._ear is not None:
            self._ear.peer_said(source, message)

    def asked(self, connection: Incoming, number: int, request: Request | DebugRequest) -> None:
        """A request came in, under a number that is its connection's own."""
        if self._ear is not None:
            self._asked += 1
            self._askers[self._asked] = (connection, number)
            self._ear.asked(self._asked, request)

    def arrived(self, connection: Incoming) -> None:
        """A connection was made."""
        self._connections[connection] = None

    def gone(self, connection: Incoming) -> None:
        """A connection is no more."""
        self._connections.pop(connection, None)
        if connection.source and self.incoming.get(connection.source) is connection:
            del self.incoming[connection.source]

    def _unreached(self, peer: str, message: PeerMessage) -> None:
        if self._ear is not None:
            self._ear.peer_unreached(peer, message)

    def _greeting(self, peer: str) -> bytes:
        return wire.pack(Kind.HELLO, 0, Hello("peer", self.node, peer, self.ring, self.incarnation))


class Incoming(asyncio.Protocol):
    """A connection that somebody else made; `source` is a peer's node id once its hello has been accepted."""

    def __init__(self, owner: TcpTransport, debug: bool) -> None:
        self.debug = debug
        self.source = ""
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

    def refuse(self, text: str) -> None:
        """Say why, and close."""
        self._refused = True
        who = self._hello.source if self._hello is not None else "nobody known"
        log.warning("refusing a connection of %s: %s", who, text, extra={"event": "refused"})
        self.outbox.add(wire.pack(Kind.ERROR, min(self._taken, _NUMBER_MAX), f"{self._owner.node}: {text}"))
        self.close()

    def unanswerable(self, number: int, response: Response | DebugResponse, text: str) -> None:
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
            self._taken += 1
            self._owner.said(self.source, envelope.message)
        elif frame.kind is Kind.REQUEST and not self.source:
            request = wire.debug_request(frame) if self.debug else wire.request(frame)
            self._taken += 1
            self._owner.asked(self, frame.number, request)
        else:
            raise WireError(f"a {self._hello.role} sends no {frame.kind.name} frames")

    def _greeted(self, hello: Hello) -> None:
        """Check who is meant, and by whom; a new connection of a peer takes the place of its older one."""
        owner = self._owner
        if hello.destination != owner.node:
            raise WireError(f"this is {owner.node}, not {hello.destination}: check the addresses")
        if (hello.role == "debug") != self.debug:
            raise WireError(f"this is the {'debug' if self.debug else 'normal'} port, not one for role {hello.role}")
        if hello.role == "peer":
            if hello.source not in owner.peers:
                raise WireError(f"{hello.source} is none of the members")
            if hello.ring != owner.ring:
                raise WireError(f"ring {hello.ring} of {hello.source} is another one than {owner.ring} here")
            older = owner.incoming.get(hello.source)
            self.source = hello.source
            owner.incoming[hello.source] = self
            if older is not None:
                older.transport.abort()
