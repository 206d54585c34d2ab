"""Messages over TCP: the listening side, and the transport that a host speaks through.

A listener takes connections from peers and clients, or from users of the debug port. A connection begins with a hello
that names who is meant; a node answers for itself only, and to peers of its own cluster only. Whether a peer is a
member is not asked here: it may be one that this node has not heard of. Whoever is refused is told why.

The host is called from the loop's callbacks and never from within one of its own calls. This file knows sockets and
whom a frame is for; what a message means is the host's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from functools import partial

from node.core.config import ConfigError
from node.core.messages import Got, PeerMessage, Refused
from node.runtime import wire
from node.runtime.addresses import Address, parsed, shown
from node.runtime.links import Link, Outbox, prepared, reason
from node.runtime.ports import AnyRequest, AnyResponse, Ear
from node.runtime.wire import Envelope, Framer, Hello, Kind, WireError

BACKLOG = 1024
HELLO_S = 5.0
"""How long a connection may keep silent at its beginning."""

AGREED = "compare founders, places, strategy, partitions, tokens, n and the secret"
"""What makes a cluster, in the words of its configuration: see `ClusterConfig.cluster`."""

_NUMBER_MAX = (1 << 32) - 1

log = logging.getLogger(__name__)


class PortError(Exception):
    """A port that this node was to listen on cannot be had; the message names it."""


def bound(address: Address, *, reuse_port: bool = False) -> socket.socket:
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


def _unavailable(address: Address, error: OSError) -> PortError:
    why = reason(error)
    return PortError(f"cannot listen on {shown(address)}: {why[:1].lower() + why[1:]}")


class TcpTransport:
    """Messages to peers at the addresses that are known, and from everybody who dials this node.

    `attach` comes before the first message, `listen` after the host has started. With an `egress` every peer is dialled
    there, and whoever listens there finds it by the hello.
    """

    def __init__(
        self, node: str, cluster: str, addresses: Mapping[str, Address], egress: Address | None = None
    ) -> None:
        self.node = node
        self.cluster = cluster
        self.incarnation = ""
        self.incoming: dict[str, Incoming] = {}
        self._loop = asyncio.get_running_loop()
        self._egress = egress
        self._ear: Ear | None = None
        self._links: dict[str, Link] = {}
        for peer, address in addresses.items():
            self._meet(peer, address)
        self._askers: dict[int, tuple[Incoming, int]] = {}
        self._asked = 0
        self._connections: dict[Incoming, None] = {}
        self._servers: list[asyncio.Server] = []

    def attach(self, ear: Ear) -> None:
        """Say whom to tell what comes in."""
        self._ear = ear

    async def listen(self, sock: socket.socket, incarnation: str, *, debug: bool = False) -> Address:
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

    def send(self, peer: str, message: PeerMessage, ring: str) -> None:
        """Send a message over this node's own link to the peer; one that fits in no frame is not delivered."""
        link = self._links.get(peer)
        try:
            frame = wire.pack(Kind.PEER, 0, Envelope(self.node, peer, ring, message))
        except WireError as error:
            log.error("cannot send a %s to %s: %s", type(message).__name__, peer, error)
            link = None
        if link is None:
            self._loop.call_soon(self._unreached, peer, message)
        else:
            link.send(message, frame)

    def reply(self, asker: int, response: AnyResponse) -> None:
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
        link = self._links.get(peer)
        if link is not None:
            link.redial()

    def meet(self, peer: str, address: str) -> None:
        """Dial a peer there from now on; what was said to it elsewhere, and has not left yet, is unreached."""
        try:
            self._meet(peer, parsed(address))
        except ConfigError as error:
            log.error("%s stays where it is: %s", peer, error, extra={"event": "bad-address", "peer": peer})

    # --- what connections tell ---

    def said(self, source: str, message: PeerMessage, ring: str) -> None:
        """A message from a peer arrived."""
        if self._ear is not None:
            self._ear.peer_said(source, message, ring)

    def asked(self, connection: Incoming, number: int, request: AnyRequest) -> None:
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

    def _meet(self, peer: str, address: Address) -> None:
        link, there = self._links.get(peer), self._egress or address
        if peer == self.node or (link is not None and link.address == there):
            return
        if link is not None:
            log.info("%s is at %s now", peer, shown(there), extra={"event": "moved", "peer": peer})
            link.close(abort=True)
        self._links[peer] = Link(peer, there, partial(self._greeting, peer), self._unreached, self._loop)

    def _greeting(self, peer: str) -> bytes:
        return wire.pack(Kind.HELLO, 0, Hello("peer", self.node, peer, self.cluster, self.incarnation))


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
            self._taken += 1
            self._owner.said(self.source, envelope.message, envelope.ring)
        elif frame.kind is Kind.REQUEST and not self.source:
            request = wire.debug_request(frame) if self.debug else wire.request(frame)
            self._taken += 1
            self._owner.asked(self, frame.number, request)
        else:
            raise WireError(f"a {self._hello.role} sends no {frame.kind.name} frames")

    def _greeted(self, hello: Hello) -> None:
        """Check who is meant, and by whom; a new connection of a peer takes the place of its older one."""
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
            older = owner.incoming.get(hello.source)
            self.source = hello.source
            owner.incoming[hello.source] = self
            if older is not None:
                older.transport.abort()
