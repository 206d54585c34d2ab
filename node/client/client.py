"""The client library, server-driven: any node takes any request, and outcomes admit what is not known.

Three things can become of a request: an answer, a failure that certainly had no effect (`RequestFailedError`), and an
outcome that nobody here can know (`OutcomeUnknownError`): a time-out, a connection lost after sending, a quorum that
was not reached. The last one may have happened, or may still happen.

This file knows requests and outcomes. It does not know sockets: a `dial` function opens channels, over TCP or
otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from node.core.messages import (
    DebugRequest,
    DumpPage,
    DumpQuery,
    Get,
    Got,
    HeldKey,
    Put,
    Refused,
    Request,
    Status,
    StatusQuery,
    Written,
)

TIMEOUT_MS = 1000


class ChannelError(Exception):
    """A request got no answer over this channel; `sent` says whether the node may have received it."""

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class RequestFailedError(Exception):
    """The request certainly had no effect; `code` is for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class OutcomeUnknownError(Exception):
    """The request may have taken effect, or may still do; `code` is for programs, the text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Channel(Protocol):
    """A connection to one node, for any number of requests at a time."""

    async def request(self, message: Request | DebugRequest) -> Any:
        """Send a request and return its answer; raises `ChannelError` when there will be none."""

    async def close(self) -> None:
        """Let go of the connection."""


Dial = Callable[[str], Awaitable[Channel]]
"""Opens a channel to the node of that id; raises `ChannelError` when nobody is there."""


class Channels:
    """One open channel to each node, dialled when it is first needed and again after it broke."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._open: dict[str, Channel] = {}

    async def request(self, node: str, message: Request | DebugRequest, timeout_ms: int) -> Any:
        """Ask a node; raises `ChannelError`, or `TimeoutError` after the time."""
        async with asyncio.timeout(timeout_ms / 1000):
            channel = self._open.get(node)
            if channel is None:
                channel = self._open[node] = await self._dial(node)
            try:
                return await channel.request(message)
            except ChannelError:
                if self._open.get(node) is channel:
                    del self._open[node]
                await channel.close()
                raise

    async def close(self) -> None:
        """Close all channels."""
        channels, self._open = list(self._open.values()), {}
        for channel in channels:
            await channel.close()


class Client:
    """A client of the cluster. `name` begins its request ids and must be its own."""

    def __init__(self, dial: Dial, nodes: Sequence[str], name: str) -> None:
        self._channels = Channels(dial)
        self._nodes = tuple(nodes)
        self._name = name
        self._requests = 0
        self._turn = 0

    async def get(
        self, key: bytes, *, node: str | None = None, r: int | None = None, timeout_ms: int = TIMEOUT_MS
    ) -> Got:
        """Read all versions of a key, and one context for them; `r` overrides the cluster's R."""
        request = Get(self._next_id(), key, timeout_ms * 1_000_000, r)
        got = await self._ask(request, node, timeout_ms)
        assert isinstance(got, Got), f"a get was answered with {type(got).__name__}"
        return got

    async def put(
        self,
        key: bytes,
        value: bytes,
        *,
        context: bytes = b"",
        node: str | None = None,
        w: int | None = None,
        timeout_ms: int = TIMEOUT_MS,
    ) -> Written:
        """Write a version that replaces what the context covers; `w` overrides the cluster's W."""
        request = Put(self._next_id(), key, value, context, timeout_ms * 1_000_000, w)
        written = await self._ask(request, node, timeout_ms)
        assert isinstance(written, Written), f"a put was answered with {type(written).__name__}"
        return written

    async def close(self) -> None:
        """Close all channels."""
        await self._channels.close()

    async def _ask(self, request: Request, node: str | None, timeout_ms: int) -> Got | Written:
        """Ask the node, or any that can be reached: what was certainly not sent may be tried elsewhere."""
        targets = [node] if node is not None else self._in_turn()
        for target in targets[:-1]:
            try:
                return _succeeded(await self._try(request, target, timeout_ms))
            except ChannelError:
                continue
        try:
            return _succeeded(await self._try(request, targets[-1], timeout_ms))
        except ChannelError as error:
            raise RequestFailedError("unreachable", str(error)) from error

    async def _try(self, request: Request, node: str, timeout_ms: int) -> Any:
        try:
            return await self._channels.request(node, request, timeout_ms)
        except TimeoutError as error:
            raise OutcomeUnknownError("timeout", f"{node} did not answer within {timeout_ms} ms") from error
        except ChannelError as error:
            if error.sent:
                raise OutcomeUnknownError("lost", str(error)) from error
            raise

    def _in_turn(self) -> list[str]:
        self._turn = (self._turn + 1) % len(self._nodes)
        return list(self._nodes[self._turn :] + self._nodes[: self._turn])

    def _next_id(self) -> str:
        self._requests += 1
        return f"{self._name}-{self._requests}"


def _succeeded(response: Got | Written | Refused) -> Got | Written:
    if isinstance(response, Refused):
        raise (RequestFailedError if response.definite else OutcomeUnknownError)(response.code, response.text)
    return response


class DebugClient:
    """The view through the nodes' debug ports: what is under way, and everything that is held."""

    def __init__(self, dial: Dial, timeout_ms: int = TIMEOUT_MS) -> None:
        self._channels = Channels(dial)
        self._timeout_ms = timeout_ms

    async def status(self, node: str) -> Status:
        """What is under way on a node; raises `RequestFailedError` when it does not answer."""
        status: Status = await self._ask(node, StatusQuery())
        return status

    async def dump(self, node: str) -> tuple[HeldKey, ...]:
        """Everything that a node holds; raises `RequestFailedError` when it does not answer."""
        held: list[HeldKey] = []
        after = b""
        while True:
            page: DumpPage = await self._ask(node, DumpQuery(after))
            held += page.held
            if not page.next:
                return tuple(held)
            after = page.next

    async def close(self) -> None:
        """Close all channels."""
        await self._channels.close()

    async def _ask(self, node: str, query: DebugRequest) -> Any:
        try:
            return await self._channels.request(node, query, self._timeout_ms)
        except (TimeoutError, ChannelError) as error:
            raise RequestFailedError("unreachable", f"the debug port of {node}: {error or 'no answer'}") from error
