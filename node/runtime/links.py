"""Outgoing links: one for each peer, for everything that this node says to it, requests and answers alike.

A link carries frames one way only; what the peer says comes over the peer's own link. So whoever stands between two
nodes can cut exactly one direction. While a link is being dialled messages queue; when dialling fails each of them is
reported, because it certainly was not delivered. When it fails again, or the peer refuses, the link rests for a moment
before it is dialled again.

This file knows one connection to one peer. It does not know what messages mean, nor who else there is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import cast

from node.core.messages import PeerMessage
from node.runtime import wire
from node.runtime.addresses import Address, shown
from node.runtime.dialling import connected
from node.runtime.wire import Framer, Kind, WireError

DIAL_S = 1.0
REST_S = 0.1
QUEUED_MAX = 4096
UNWRITTEN_BYTES_MAX = 64 << 20

log = logging.getLogger(__name__)


class Outbox:
    """Frames on their way into one connection: collected, and written once a turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._frames: list[bytes] = []
        self._bytes = 0

    @property
    def unwritten(self) -> int:
        """How many bytes the kernel has not taken yet."""
        return self._bytes + self._transport.get_write_buffer_size()

    def add(self, frame: bytes) -> None:
        """Write a frame at the end of this turn."""
        if not self._frames:
            self._loop.call_soon(self.flush)
        self._frames.append(frame)
        self._bytes += len(frame)

    def flush(self) -> None:
        """Write what has been collected; a connection whose other side does not read is closed."""
        frames, self._frames, self._bytes = self._frames, [], 0
        if frames and not self._transport.is_closing():
            self._transport.write(b"".join(frames))
            if self.unwritten > UNWRITTEN_BYTES_MAX:
                log.warning("closing a connection whose other side does not read: %d bytes wait", self.unwritten)
                self._transport.abort()


def prepared(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """Set the options of a new connection: small frames leave at once, and a dead machine is noticed some day."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return cast("asyncio.Transport", transport)


def reason(error: OSError) -> str:
    """Why a connection failed, the same on every loop; a dial that was given up has no reason of its own."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or "no answer"


class State(Enum):
    """What a link is doing."""

    IDLE = "idle"
    DIALLING = "dialling"
    OPEN = "open"
    RESTING = "resting"
    CLOSED = "closed"


class Link:
    """The way to one peer.

    `unreached` is told, from the loop and never within `send`, what was not delivered; `refused` is told the text with
    which a peer refuses the connection.
    """

    def __init__(
        self,
        peer: str,
        address: Address,
        greeting: Callable[[], bytes],
        unreached: Callable[[str, PeerMessage], None],
        refused: Callable[[str], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.peer = peer
        self.address = address
        self.dropped = 0
        self._greeting = greeting
        self._unreached = unreached
        self._refused = refused
        self._loop = loop
        self._state = State.IDLE
        self._queue: deque[tuple[PeerMessage, bytes]] = deque()
        self._queued_bytes = 0
        self._connection: _Connection | None = None
        self._dial: asyncio.Task[None] | None = None
        self._complaint = ""
        self._failures = 0

    @property
    def sending(self) -> int:
        """How many messages wait; bytes that the kernel has not taken count as one."""
        unwritten = self._connection is not None and self._connection.outbox.unwritten > 0
        return len(self._queue) + unwritten

    def send(self, message: PeerMessage, frame: bytes) -> None:
        """Send a frame, or queue it while there is no connection yet."""
        if self._connection is not None:
            self._connection.send(message, frame)
        elif self._state is State.RESTING:
            self._loop.call_soon(self._unreached, self.peer, message)
        elif self._state is not State.CLOSED:
            self._enqueue(message, frame)
            if self._state is State.IDLE:
                self._state = State.DIALLING
                self._dial = self._loop.create_task(self._dialled())

    def redial(self) -> None:
        """Drop the connection; the next message dials anew."""
        if self._connection is not None:
            self._connection.transport.abort()
            self._leave()

    def close(self, *, abort: bool) -> None:
        """Let go for good, writing what is collected unless aborted; what waits for a connection is unreached."""
        if self._dial is not None:
            self._dial.cancel()
        if self._connection is not None and abort:
            self._connection.transport.abort()
        elif self._connection is not None:
            self._connection.outbox.flush()
            self._connection.transport.close()
        self._state = State.CLOSED
        for message, _ in self._emptied():
            self._loop.call_soon(self._unreached, self.peer, message)

    def opened(self, connection: _Connection) -> None:
        """The dialled connection stands: greet, and send what has queued up."""
        if self._state is not State.DIALLING:
            connection.transport.abort()
            return
        self._state, self._connection, self._complaint = State.OPEN, connection, ""
        self._failures = 0
        connection.outbox.add(self._greeting())
        for message, frame in self._emptied():
            connection.send(message, frame)

    def lost(self, connection: _Connection, refusal: str | None, undelivered: list[PeerMessage]) -> None:
        """The connection is gone; a refusal says why, and what certainly had no effect."""
        if self._connection is connection:
            self._leave()
            if refusal is not None:
                self._failures = 1
                self._rest(f"{self.peer} refuses the connection: {refusal}")
                self._refused(refusal)
        for message in undelivered:
            self._unreached(self.peer, message)

    def _leave(self) -> None:
        self._connection = None
        if self._state is not State.CLOSED:
            self._state = State.IDLE

    def _enqueue(self, message: PeerMessage, frame: bytes) -> None:
        self._queue.append((message, frame))
        self._queued_bytes += len(frame)
        while len(self._queue) > QUEUED_MAX or self._queued_bytes > UNWRITTEN_BYTES_MAX:
            self._queued_bytes -= len(self._queue.popleft()[1])
            self.dropped += 1

    def _emptied(self) -> deque[tuple[PeerMessage, bytes]]:
        queue, self._queue, self._queued_bytes = self._queue, deque(), 0
        return queue

    async def _dialled(self) -> None:
        try:
            sock = await connected(self.address, DIAL_S)
            await self._loop.create_connection(lambda: _Connection(self, self._loop), sock=sock)
        except OSError as error:
            self._rest(f"cannot reach {self.peer} at {shown(self.address)}: {reason(error)}")
            for message, _ in self._emptied():
                self._unreached(self.peer, message)
        finally:
            self._dial = None

    def _rest(self, complaint: str) -> None:
        """Dial no more for a moment, and say why if that is news."""
        if complaint != self._complaint:
            log.warning(complaint, extra={"event": "peer-unreached", "peer": self.peer})
        self._complaint = complaint
        if self._state is State.CLOSED:
            return
        self._failures += 1
        if self._failures == 1:
            self._state = State.IDLE  # perhaps it was only just being started: the next message may try again at once
            return
        self._state = State.RESTING
        self._loop.call_later(REST_S, self._rested)

    def _rested(self) -> None:
        if self._state is State.RESTING:
            self._state = State.IDLE


class _Connection(asyncio.Protocol):
    """One connection of a link.

    The peer says nothing on it but why it refuses it. When it took nothing at all, everything sent was undelivered;
    messages are kept for as long as that can still come out.
    """

    def __init__(self, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._loop = loop
        self._framer = Framer()
        self._sent: list[PeerMessage] | None = []
        self._refusal: str | None = None
        self.transport: asyncio.Transport
        self.outbox: Outbox

    def send(self, message: PeerMessage, frame: bytes) -> None:
        """Send a frame."""
        self.outbox.add(frame)
        if self._sent is not None:
            self._sent.append(message)
            if len(self._sent) > QUEUED_MAX:
                self._sent = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = prepared(transport)
        self.outbox = Outbox(self._loop, self.transport)
        self._loop.call_later(2 * DIAL_S, self._trust)
        self._link.opened(self)

    def data_received(self, data: bytes) -> None:
        """Hear why the peer refuses."""
        try:
            for frame in self._framer.feed(data):
                self._refusal = wire.error_text(frame) if frame.kind is Kind.ERROR else "it says what it may not"
                if frame.number or frame.kind is not Kind.ERROR:
                    self._sent = None
                self.transport.abort()
        except WireError as error:
            self._refusal, self._sent = str(error), None
            self.transport.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        """End; without a refusal nobody knows what was delivered."""
        undelivered = self._sent if self._refusal is not None else None
        self._link.lost(self, self._refusal, undelivered or [])

    def _trust(self) -> None:
        self._sent = None
