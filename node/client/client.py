"""Put and get through any node of the cluster: server-driven coordination (Dynamo, 6.4).

Any node takes any request. What went wrong is one of two things: it certainly had no effect, or nobody knows. The
second is not an error of the first kind with another name: a put of unknown outcome may turn up later.

This file knows requests and outcomes. It does not know how a node is reached: that is a `Channel`, which somebody
dials. It asks the running loop for time and for nothing else, so it runs under any loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

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
from node.runtime.ports import AnyRequest, AnyResponse

TIMEOUT_MS = 1000


class ChannelError(Exception):
    """No answer came back. `sent` is False when the other side certainly had no part in it; `code` says what failed."""

    def __init__(self, text: str, *, sent: bool, code: str = "") -> None:
        super().__init__(text)
        self.sent = sent
        self.code = code or ("lost" if sent else "unreachable")


class Channel(Protocol):
    """A way to one node, for any number of requests at a time."""

    async def request(self, message: AnyRequest) -> AnyResponse:
        """Ask and wait for the answer, however long it takes; raises `ChannelError`. May be cancelled at any time."""

    async def close(self) -> None:
        """Ask nothing more; let go as soon as nobody waits for an answer, without waiting for that."""


Dial = Callable[[str], Awaitable[Channel]]
"""Makes a channel to a node; raises `ChannelError` with `sent` False when it cannot be reached."""


class RequestError(Exception):
    """A request without success: a code for programs, a text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class RequestFailedError(RequestError):
    """The request had no effect, and will have none."""


class OutcomeUnknownError(RequestError):
    """The request may have had an effect, or may still get one."""


class Channels:
    """One channel to each node, by whatever name `dial` knows it, dialled when it is needed."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._channels: dict[str, Channel] = {}
        self._dialling: dict[str, asyncio.Lock] = {}

    async def request(self, node: str, message: Callable[[], AnyRequest]) -> AnyResponse:
        """Ask a node; the message is made when there is a channel. One that has gone stale is dialled anew, once."""
        channel = self._channels.get(node)
        if channel is not None:
            try:
                return await self._ask(node, channel, message())
            except ChannelError as error:
                if error.sent or error.code != "unreachable":
                    raise
        return await self._ask(node, await self._dialled(node), message())

    async def close(self) -> None:
        """Let go of all of them."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()

    async def _ask(self, node: str, channel: Channel, message: AnyRequest) -> AnyResponse:
        answered = False
        try:
            response = await channel.request(message)
            answered = True
            return response
        finally:
            # A channel that gave no answer is not asked again: a connection that was cut stays silent long after.
            if not answered and self._channels.get(node) is channel:
                del self._channels[node]
                await channel.close()

    async def _dialled(self, node: str) -> Channel:
        async with self._dialling.setdefault(node, asyncio.Lock()):
            if node not in self._channels:
                self._channels[node] = await self._dial(node)
            return self._channels[node]


class Client:
    """A client of the cluster by name. `timeout_ms` is what a request gets unless it says otherwise.

    Methods raise `RequestFailedError` when there certainly was no effect, else `OutcomeUnknownError`.
    """

    def __init__(self, dial: Dial, nodes: Sequence[str], name: str, timeout_ms: int = TIMEOUT_MS) -> None:
        self._channels = Channels(dial)
        self._nodes = tuple(nodes)
        self._name = name
        self._timeout_ms = timeout_ms
        self._requests = 0
        self._turn = 0

    async def get(
        self, key: bytes, *, node: str | None = None, r: int | None = None, timeout_ms: int | None = None
    ) -> Got:
        """Read all versions of a key, and the context to replace them with."""
        name = self._new_name()
        response = await self._request(node, timeout_ms, lambda remaining_ns: Get(name, key, remaining_ns, r))
        assert isinstance(response, Got), f"a get was answered with {type(response).__name__}"
        return response

    async def put(
        self,
        key: bytes,
        value: bytes,
        *,
        context: bytes = b"",
        node: str | None = None,
        w: int | None = None,
        timeout_ms: int | None = None,
    ) -> Written:
        """Write a version that replaces what the context covers."""
        name = self._new_name()
        response = await self._request(
            node, timeout_ms, lambda remaining_ns: Put(name, key, value, context, remaining_ns, w)
        )
        assert isinstance(response, Written), f"a put was answered with {type(response).__name__}"
        return response

    async def close(self) -> None:
        """Let go of all connections as soon as nobody waits for an answer on them."""
        await self._channels.close()

    def _new_name(self) -> str:
        self._requests += 1
        return f"{self._name}-{self._requests}"

    def _in_turn(self) -> list[str]:
        """All nodes, beginning with the one whose turn it is."""
        first = self._turn % len(self._nodes)
        self._turn += 1
        return [*self._nodes[first:], *self._nodes[:first]]

    async def _request(
        self, node: str | None, timeout_ms: int | None, message: Callable[[int], Request]
    ) -> AnyResponse:
        """Ask the node, or each in turn until one can be reached; sort what comes back by what is certain."""
        loop = asyncio.get_running_loop()
        milliseconds = self._timeout_ms if timeout_ms is None else timeout_ms
        deadline = loop.time() + milliseconds / 1000
        asked: list[str] = []

        def told() -> Request:
            # The node gets less time than there is, so that its own answer, also a refusal, still arrives.
            asked.append(candidate)
            return message(max(1, int((deadline - loop.time()) * 900_000_000)))

        unreached: list[ChannelError] = []
        for candidate in self._in_turn() if node is None else [node]:
            asked.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    return _accepted(await self._channels.request(candidate, told))
            except TimeoutError as error:
                raise _timed_out(candidate, milliseconds, sent=bool(asked)) from error
            except ChannelError as error:
                if error.sent:
                    raise OutcomeUnknownError(error.code, str(error)) from error
                if error.code != "unreachable":
                    raise RequestFailedError(error.code, str(error)) from error
                unreached.append(error)
        raise RequestFailedError("unreachable", "; ".join(str(error) for error in unreached)) from unreached[-1]


def _accepted(response: AnyResponse) -> AnyResponse:
    if isinstance(response, Refused):
        refusal = RequestFailedError if response.definite else OutcomeUnknownError
        raise refusal(response.code, response.text)
    return response


def _timed_out(node: str, milliseconds: int, *, sent: bool) -> RequestError:
    if sent:
        return OutcomeUnknownError("timeout", f"{node} did not answer within {milliseconds} ms")
    return RequestFailedError("unreachable", f"{node} could not be reached within {milliseconds} ms")


class DebugClient:
    """Asks debug ports what is under way and what is held; `dial` dials those. Raises `RequestFailedError` only."""

    def __init__(self, dial: Dial, timeout_ms: int = TIMEOUT_MS) -> None:
        self._channels = Channels(dial)
        self._timeout_ms = timeout_ms

    async def status(self, node: str) -> Status:
        """What is under way in a node."""
        response = await self._request(node, StatusQuery())
        assert isinstance(response, Status), f"a status query was answered with {type(response).__name__}"
        return response

    async def dump(self, node: str) -> tuple[HeldKey, ...]:
        """Everything that a node holds, page by page."""
        held: list[HeldKey] = []
        query: DumpQuery | None = DumpQuery()
        while query is not None:
            page = await self._request(node, query)
            assert isinstance(page, DumpPage), f"a dump query was answered with {type(page).__name__}"
            held += page.held
            query = DumpQuery(page.next) if page.next else None
        return tuple(held)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._channels.close()

    async def _request(self, node: str, query: DebugRequest) -> AnyResponse:
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                return await self._channels.request(node, lambda: query)
        except ChannelError as error:
            raise RequestFailedError(error.code, str(error)) from error
        except TimeoutError as error:
            text = f"the debug port of {node} did not answer within {self._timeout_ms} ms"
            raise RequestFailedError("timeout", text) from error
