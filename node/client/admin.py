"""Ask nodes as an operator does: orders that are staged, planned and committed; and what a node knows (Dynamo, 4.8.1).

Every node takes every order. This file knows orders and their answers. It does not know how a node is reached, nor how
answers are shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from node.client.client import ChannelError, Channels, Dial, OutcomeUnknownError, RequestFailedError
from node.core.admin_messages import (
    AdminRequest,
    Archive,
    Archived,
    Commit,
    Done,
    Locate,
    Located,
    NodeQuery,
    NodeReport,
    Plan,
    PlanQuery,
    Restore,
    Restored,
    RingQuery,
    RingReport,
    Stage,
    Staged,
    Unstage,
)
from node.core.changes import Member
from node.core.messages import Entry, Refused

R = TypeVar("R", Staged, Plan, Done, RingReport, NodeReport, Located, Archived, Restored)

TIMEOUT_MS = 5000


class RefusedError(RequestFailedError):
    """The node was asked, and said no."""


class Admin:
    """An operator. Nodes are named as `dial` knows them: by id, or by host:port.

    Methods raise `RefusedError` with the node's own text, another `RequestFailedError` when the node could not be
    asked, `OutcomeUnknownError` when an order was sent and nobody knows what became of it.
    """

    def __init__(self, dial: Dial, name: str, timeout_ms: int = TIMEOUT_MS) -> None:
        self._channels = Channels(dial)
        self._name = name
        self._timeout_ms = timeout_ms
        self._requests = 0

    async def stage(
        self, at: str, operation: str, node: str, member: Member | None = None, address: str = ""
    ) -> tuple[str, ...]:
        """Stage an order at a node; returns all that is staged there now. See `Stage` and `changes.OPERATIONS`."""
        request = Stage(self._new_name(), operation, node, member, address)
        return (await self._ask(at, request, Staged, effect=True)).orders

    async def unstage(self, at: str) -> None:
        """Forget everything that is staged at a node."""
        await self._ask(at, Unstage(self._new_name()), Staged, effect=True)

    async def plan(self, at: str) -> Plan:
        """What the orders staged at a node would do."""
        return await self._ask(at, PlanQuery(self._new_name()), Plan)

    async def commit(self, at: str, token: str) -> Done:
        """Make the orders staged at a node changes of the ring, if the plan with this token still is what they do."""
        issued_ms = time.time_ns() // 1_000_000
        return await self._ask(at, Commit(self._new_name(), token, issued_ms), Done, effect=True)

    async def ring(self, at: str) -> RingReport:
        """The ring as a node knows it."""
        return await self._ask(at, RingQuery(self._new_name()), RingReport)

    async def node(self, at: str) -> NodeReport:
        """What a node says of itself."""
        return await self._ask(at, NodeQuery(self._new_name()), NodeReport)

    async def locate(self, at: str, key: bytes) -> Located:
        """Who is responsible for a key."""
        return await self._ask(at, Locate(self._new_name(), key), Located)

    async def archive(self, at: str, end: int, after: bytes = b"") -> tuple[Entry, ...]:
        """A page of what a node keeps of the partition that ends at `end`: the keys after `after`; at last none."""
        return (await self._ask(at, Archive(self._new_name(), end, after), Archived)).entries

    async def restore(self, at: str, entries: tuple[Entry, ...]) -> int:
        """Have a node merge these with what all who keep them know; returns how many. It does no harm to repeat it."""
        return (await self._ask(at, Restore(self._new_name(), entries), Restored, effect=True)).keys

    async def close(self) -> None:
        """Let go of all connections."""
        await self._channels.close()

    def _new_name(self) -> str:
        self._requests += 1
        return f"{self._name}-{self._requests}"

    async def _ask(self, at: str, request: AdminRequest, answer: type[R], *, effect: bool = False) -> R:
        """Ask; with `effect` an order that was sent without an answer may have been carried out."""
        sent = False

        def told() -> AdminRequest:
            nonlocal sent
            sent = True
            return request

        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                response = await self._channels.request(at, told)
        except ChannelError as error:
            raise _failure(effect and error.sent)(error.code, str(error)) from error
        except TimeoutError as error:
            text = f"{at} did not answer within {self._timeout_ms} ms"
            raise _failure(effect and sent)("timeout", text) from error
        if isinstance(response, Refused):
            raise (RefusedError if response.definite or not effect else OutcomeUnknownError)(
                response.code, response.text
            )
        if not isinstance(response, answer):
            text = f"{at} answered a {type(request).__name__} with a {type(response).__name__}"
            raise _failure(effect)("unreadable", text)
        return response


def _failure(unknown: bool) -> Callable[[str, str], RequestFailedError | OutcomeUnknownError]:
    return OutcomeUnknownError if unknown else RequestFailedError
