"""Transports without nodes: ears that remember, and a pair that talks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from node.core.changes import Life
from node.core.messages import Gossip, PeerMessage, Ping
from node.runtime import wire
from node.runtime.ports import AnyRequest
from node.runtime.tcp import TcpTransport, bound
from node.runtime.wire import Framer, Kind
from tests.node.runtime.loops import LOCAL

RING = "ring"
CLUSTER = "cluster"


class Heard:
    """An ear that remembers what it was told: pings by the number of their call, requests by their asker.

    It has every peer admitted, unless `doubts` names its incarnation.
    """

    def __init__(self) -> None:
        self.admit: Callable[[str, str], None] = _nobody
        self.doubts: list[str] = []
        self.arrived: list[tuple[Life, bool]] = []
        self.messages: list[PeerMessage] = []
        self.rings: list[str] = []
        self.sources: list[str] = []
        self.calls: list[int] = []
        self.unreached: list[int] = []
        self.requests: list[tuple[int, AnyRequest]] = []

    def peer_said(self, source: str, message: PeerMessage, ring: str) -> None:
        """A message arrived."""
        self.sources.append(source)
        self.rings.append(ring)
        self.messages.append(message)
        if not isinstance(message, Gossip):
            self.calls.append(message.call)

    def peer_arrived(self, life: Life, *, contested: bool) -> None:
        """A peer waits to be admitted."""
        self.arrived.append((life, contested))
        if life.incarnation not in self.doubts:
            self.admit(life.node, life.incarnation)

    def peer_unreached(self, peer: str, message: PeerMessage) -> None:
        """A message was not delivered."""
        if not isinstance(message, Gossip):
            self.unreached.append(message.call)

    def asked(self, asker: int, request: AnyRequest) -> None:
        """A request came in."""
        self.requests.append((asker, request))


def _nobody(peer: str, incarnation: str) -> None:
    raise AssertionError(f"nobody can admit {peer}, {incarnation}")


class Pair:
    """Two transports, a and b, each on a port of its own; `way` is where a dials b, if not directly."""

    def __init__(self, way: tuple[str, int] | None = None, *, cluster_of_b: str = CLUSTER) -> None:
        self.socks = {name: bound((LOCAL, 0)) for name in "ab"}
        self.addresses = {name: (LOCAL, int(sock.getsockname()[1])) for name, sock in self.socks.items()}
        self.ears = {name: Heard() for name in "ab"}
        self.transports = {
            "a": TcpTransport("a", CLUSTER, {**self.addresses, "b": way or self.addresses["b"]}),
            "b": TcpTransport("b", cluster_of_b, self.addresses),
        }
        for name, transport in self.transports.items():
            transport.attach(self.ears[name])
            self.ears[name].admit = transport.admit

    async def listen(self, *names: str) -> None:
        """Let some of them listen."""
        for name in names:
            await self.transports[name].listen(self.socks[name])

    async def close(self) -> None:
        """Let go of all sockets."""
        for transport in self.transports.values():
            await transport.close()
        for sock in self.socks.values():
            sock.close()

    def ping(self, source: str, target: str, *calls: int) -> None:
        """Send numbered messages."""
        for call in calls:
            self.transports[source].send(target, Ping(call), RING)


@asynccontextmanager
async def talking(*listening: str, **settings: str) -> AsyncIterator[Pair]:
    """A pair of transports, with some of them listening."""
    pair = Pair(**settings)  # type: ignore[arg-type]  # the only setting used here is a string
    await pair.listen(*listening)
    try:
        yield pair
    finally:
        await pair.close()


class Raw:
    """A connection that says what the test wants it to say."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._framer = Framer()

    async def __aenter__(self) -> Raw:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()
        await asyncio.sleep(0)

    def say(self, kind: Kind, number: int, message: object) -> None:
        """Send a frame."""
        self._writer.write(wire.pack(kind, number, message))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    async def read(self) -> list[wire.Frame]:
        """All frames that arrive until the other side closes."""
        found = []
        while data := await self._reader.read(1 << 16):
            found += self._framer.feed(data)
        return found

    async def refusal(self) -> tuple[int, str]:
        """The frame that the other side closes with."""
        (frame,) = await self.read()
        assert frame.kind is Kind.ERROR
        return frame.number, wire.error_text(frame)
