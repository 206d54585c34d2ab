"""Messages over TCP: the listening side, and the transport that a host speaks through.

A listener takes connections from peers and clients, or from users of the debug port. A node answers for itself only,
and to peers of its own cluster only. Whether a peer is a member is not asked here: it may be one that this node has not
heard of. Whether it is who it says is the host's to judge.

The host is called from the loop's callbacks and never from within one of its own calls. This file knows sockets and
whom a frame is for; what a message means is the host's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from functools import partial

from node.core.changes import Life
from node.core.config import ConfigError
from node.core.messages import PeerMessage
from node.runtime import wire
from node.runtime.addresses import Address, parsed, shown
from node.runtime.incoming import Incoming
from node.runtime.links import Link, reason
from node.runtime.ports import AnyRequest, AnyResponse, Ear, ResignedError
from node.runtime.wire import Envelope, Hello, Kind, WireError

BACKLOG = 1024

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

    `attach` comes before the first message; when the host has started, `life` is set, and then `listen` called. With an
    `egress` every peer is dialled there, and whoever listens there finds it by the hello.
    """

    def __init__(
        self, node: str, cluster: str, addresses: Mapping[str, Address], egress: Address | None = None
    ) -> None:
        self.node = node
        self.cluster = cluster
        self.life = Life(node, "", 0)
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

    async def listen(self, sock: socket.socket, *, debug: bool = False) -> Address:
        """Accept connections on a bound socket, for the debug port or for everything else; returns where it is."""
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

    def admit(self, peer: str, incarnation: str) -> None:
        """Hear a life of a peer; a new connection of a peer takes the place of its older one."""
        for connection in self._waiting(peer, incarnation):
            older = self.incoming.get(peer)
            self.incoming[peer] = connection
            if older is not None:
                older.transport.abort()
            connection.waits = False
            self._loop.call_soon(connection.admitted)

    def refuse(self, peer: str, incarnation: str, text: str) -> None:
        """Tell a life of a peer that it is a duplicate."""
        for connection in self._waiting(peer, incarnation):
            connection.refuse(text, duplicate=True)

    def _waiting(self, peer: str, incarnation: str) -> list[Incoming]:
        return [each for each in self._connections if each.waits and each.is_of(peer, incarnation)]

    # --- what connections tell ---

    def knocked(self, life: Life) -> None:
        """A peer waits to be admitted."""
        older = self.incoming.get(life.node)
        if self._ear is not None:
            self._ear.peer_arrived(life, contested=older is not None and not older.is_of(life.node, life.incarnation))

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
        greeting = partial(self._greeting, peer)
        self._links[peer] = Link(peer, there, greeting, self._unreached, self._refused, self._loop)

    def _greeting(self, peer: str) -> bytes:
        life = self.life
        return wire.pack(Kind.HELLO, 0, Hello("peer", self.node, peer, self.cluster, life.incarnation, life.address))

    def _refused(self, text: str) -> None:
        if self._ear is not None and text.startswith(wire.DUPLICATE):
            self._loop.call_soon(_resign, text.removeprefix(wire.DUPLICATE))


def _resign(text: str) -> None:
    """Let whoever runs this process know, as with everything that is raised in a callback."""
    raise ResignedError(text)
