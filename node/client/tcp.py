"""A channel over TCP: one connection, and requests that find their answers by number.

This file knows frames and one connection. What an answer means is the client's.
"""

from __future__ import annotations

import asyncio

from node.client.client import ChannelError
from node.core.config import ConfigError
from node.runtime import wire
from node.runtime.addresses import Address, parsed, shown
from node.runtime.dialling import connected
from node.runtime.links import Outbox, prepared, reason
from node.runtime.ports import AnyRequest, AnyResponse
from node.runtime.wire import Framer, Hello, Kind, Role, WireError

_NUMBERS = 1 << 32


async def dial(address: Address, node: str, name: str, role: Role = "client", timeout_s: float = 1.0) -> TcpChannel:
    """Connect to a node's normal port as `client`, or to its debug port as `debug`; raises `ChannelError`.

    A client that does not know which node it will find there gives no `node`.
    """
    loop = asyncio.get_running_loop()
    hello = Hello(role, name, node)
    who = node or f"the node at {shown(address)}"
    try:
        sock = await connected(address, timeout_s)
        _, channel = await loop.create_connection(lambda: TcpChannel(loop, hello, who), sock=sock)
    except OSError as error:
        where = f"{node} at {shown(address)}" if node else shown(address)
        raise ChannelError(f"cannot reach {where}: {reason(error)}", sent=False) from error
    return channel


async def dial_at(address: str) -> TcpChannel:
    """Connect as an operator to whichever node listens at host:port; raises `ChannelError`."""
    try:
        return await dial(parsed(address), "", "operator")
    except ConfigError as error:
        raise ChannelError(str(error), sent=False) from error


class TcpChannel(asyncio.Protocol):
    """A connection to one node, for any number of requests at a time; made by `dial`. `who` is for messages."""

    def __init__(self, loop: asyncio.AbstractEventLoop, hello: Hello, who: str) -> None:
        self._loop = loop
        self._hello = hello
        self._who = who
        self._framer = Framer()
        self._number = 0
        self._waiting: dict[int, asyncio.Future[AnyResponse]] = {}
        self._closing = False
        self._end: ChannelError | None = None
        self._transport: asyncio.Transport
        self._outbox: Outbox

    async def request(self, message: AnyRequest) -> AnyResponse:
        """Ask and wait for the answer; an answer that comes after the asker has gone is ignored."""
        if self._end is not None or self._closing:
            raise ChannelError(f"the connection to {self._who} is closed", sent=False)
        number = self._number = (self._number + 1) % _NUMBERS
        try:
            frame = wire.pack(Kind.REQUEST, number, message)
        except WireError as error:
            raise ChannelError(str(error), sent=False, code="too-large") from error
        answer: asyncio.Future[AnyResponse] = self._loop.create_future()
        self._waiting[number] = answer
        self._outbox.add(frame)
        try:
            return await answer
        finally:
            del self._waiting[number]
            self._close_if_idle()

    async def close(self) -> None:
        """Ask nothing more; close as soon as nobody waits for an answer."""
        self._closing = True
        self._close_if_idle()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who is calling whom."""
        self._transport = prepared(transport)
        self._outbox = Outbox(self._loop, self._transport)
        self._outbox.add(wire.pack(Kind.HELLO, 0, self._hello))

    def data_received(self, data: bytes) -> None:
        """Hand answers to those who wait for them."""
        try:
            for frame in self._framer.feed(data):
                self._take(frame)
        except WireError as error:
            self._fail(ChannelError(f"{self._who} sent something unreadable: {error}", sent=True))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody will be answered any more."""
        why = f": {exc}" if exc is not None else ""
        self._fail(ChannelError(f"the connection to {self._who} was lost{why}", sent=True))

    def _take(self, frame: wire.Frame) -> None:
        if frame.kind is Kind.ERROR:
            self._fail(ChannelError(wire.error_text(frame), sent=frame.number > 0))
        elif frame.kind is not Kind.RESPONSE:
            raise WireError(f"a node sends no {frame.kind.name} frames to a {self._hello.role}")
        elif (answer := self._waiting.get(frame.number)) is not None and not answer.done():
            read = wire.debug_response if self._hello.role == "debug" else wire.response
            answer.set_result(read(frame))

    def _fail(self, error: ChannelError) -> None:
        if self._end is None:
            self._end = error
            self._transport.abort()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ChannelError(str(error), sent=error.sent, code=error.code))

    def _close_if_idle(self) -> None:
        if self._closing and not self._waiting and self._end is None:
            self._outbox.flush()
            self._transport.close()
