"""Transports without nodes: ears that remember, and a pair that talks."""

from __future__ import annotations

from node.core.messages import DebugRequest, PeerMessage, Ping, Request
from node.runtime.tcp import TcpTransport, bound
from tests.node.runtime.loops import LOCAL

RING = "ring"


class Heard:
    """An ear that remembers what it was told: pings by the number of their call, requests by their asker."""

    def __init__(self) -> None:
        self.messages: list[PeerMessage] = []
        self.calls: list[int] = []
        self.unreached: list[int] = []
        self.requests: list[tuple[int, Request | DebugRequest]] = []

    def peer_said(self, source: str, message: PeerMessage) -> None:
        """A message arrived."""
        assert source in ("a", "b")
        self.messages.append(message)
        self.calls.append(message.call)

    def peer_unreached(self, peer: str, message: PeerMessage) -> None:
        """A message was not delivered."""
        assert peer in ("a", "b")
        self.unreached.append(message.call)

    def asked(self, asker: int, request: Request | DebugRequest) -> None:
        """A request came in."""
        self.requests.append((asker, request))


class Pair:
    """Two transports, a and b, each on a port of its own; `way` is where a dials b, if not directly."""

    def __init__(self, way: tuple[str, int] | None = None, *, ring_of_b: str = RING) -> None:
        self.socks = {name: bound((LOCAL, 0)) for name in "ab"}
        self.addresses = {name: (LOCAL, int(sock.getsockname()[1])) for name, sock in self.socks.items()}
        self.ears = {name: Heard() for name in "ab"}
        self.transports = {
            "a": TcpTransport("a", RING, {**self.addresses, "b": way or self.addresses["b"]}),
            "b": TcpTransport("b", ring_of_b, self.addresses),
        }
        for name, transport in self.transports.items():
            transport.attach(self.ears[name])

    async def listen(self, *names: str) -> None:
        """Let some of them listen."""
        for name in names:
            await self.transports[name].listen(self.socks[name], "incarnation")

    async def close(self) -> None:
        """Let go of all sockets."""
        for transport in self.transports.values():
            await transport.close()
        for sock in self.socks.values():
            sock.close()

    def ping(self, source: str, target: str, *calls: int) -> None:
        """Send numbered messages."""
        for call in calls:
            self.transports[source].send(target, Ping(call))
