"""The operator of the reference cluster: its orders and what its nodes tell of the ring, as the harness words them.

This file knows the node's side of membership. It does not know when anybody is ordered to do what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from checkers.history import Place, RingTold, Sent
from harness.spec import RunSpec
from nemesis.powers import OrderRefusedError, PowerError, Standing
from node.client.admin import Admin
from node.client.client import Dial, OutcomeUnknownError, RequestFailedError
from node.core.admin_messages import Commit, Done, NodeReport, RingReport, TransferReport
from node.core.changes import Member

T = TypeVar("T")

TIMEOUT_MS = 2000
UNREACHED = ("unreachable", "timeout", "lost", "shutting-down")
"""The codes of answers that are none; every other failure is a refusal."""

COMES_WITH = ("join", "replace")


class _Admin(Admin):
    """An operator whose clock is the run's."""

    async def commit(self, at: str, token: str) -> Done:
        """Make the staged orders changes of the ring."""
        issued_ms = round(asyncio.get_running_loop().time() * 1000)
        return await self._ask(at, Commit(self._new_name(), token, issued_ms), Done, effect=True)


class DynamoOperator:
    """Gives orders, one at a time at each node, and asks how the ring stands; `address` says where to dial a node."""

    def __init__(self, spec: RunSpec, dial: Dial, address: Callable[[str], str]) -> None:
        self._admin = _Admin(dial, "operator", TIMEOUT_MS)
        self._spec = spec
        self._address = address
        self._desks: dict[str, asyncio.Lock] = {}

    async def order(self, at: str, operation: str, node: str, other: str = "") -> None:
        """Stage an order, and nothing else, look at the plan, and commit it."""
        async with self._desks.setdefault(at, asyncio.Lock()):
            await self.unstage(at)
            await self.stage(at, operation, node, other)
            await self.commit(at, await self.plan(at))

    async def stage(self, at: str, operation: str, node: str, other: str = "") -> int:
        """Only stage an order; whoever comes with it stands where the spec says."""
        comes = (other or node) if operation in COMES_WITH else ""
        member, address = (self._member(comes), self._address(comes)) if comes else (None, "")
        return len(await _answered(self._admin.stage(at, operation, node, member, address)))

    async def unstage(self, at: str) -> None:
        """Let the node forget everything that is staged there."""
        await _answered(self._admin.unstage(at))

    async def plan(self, at: str) -> str:
        """What a commit of all that is staged there now has to name."""
        return (await _answered(self._admin.plan(at))).token

    async def commit(self, at: str, token: str) -> None:
        """Commit what is staged there."""
        await _answered(self._admin.commit(at, token))

    async def standing(self, at: str) -> Standing:
        """The ring as the node tells it, in short."""
        told = await _answered(self._admin.ring(at))
        return Standing(_states(told), len(told.moves), told.ring)

    async def ring(self, at: str, round_name: str, now_ns: int) -> RingTold | None:
        """The ring as the node tells it, and what it did for it, as a record."""
        with suppress(PowerError):
            told, own = await _answered(self._admin.ring(at)), await _answered(self._admin.node(at))
            return _record(told, own, round_name, now_ns)
        return None

    async def close(self) -> None:
        """Let go of connections."""
        await self._admin.close()

    def _member(self, node: str) -> Member:
        dc, rack = self._spec.place_of(node)
        return Member(node, dc=dc, rack=rack)


async def _answered(question: Awaitable[T]) -> T:
    """The answer; a refusal and a silence are the nemesis' errors."""
    try:
        return await question
    except RequestFailedError as error:
        if error.code in UNREACHED:
            raise PowerError(str(error)) from error
        raise OrderRefusedError(error.text) from error
    except OutcomeUnknownError as error:
        raise PowerError(str(error)) from error


def _states(told: RingReport) -> dict[str, str]:
    return {each.member.node: each.state for each in told.members}


def _record(told: RingReport, own: NodeReport, round_name: str, now_ns: int) -> RingTold:
    places = {
        each.member.node: Place(machine=each.member.machine, rack=each.member.rack, dc=each.member.dc)
        for each in told.members
    }
    return RingTold(
        at=now_ns,
        round=round_name,
        node=told.node,
        ring=told.ring,
        n=told.n,
        states=_states(told),
        places=places,
        seats=tuple(seats.nodes for seats in told.seats),
        moves=len(told.moves),
        transfers=tuple(map(_sent, own.transfers)),
        exchanges=own.anti_entropy,
    )


def _sent(transfer: TransferReport) -> Sent:
    move = transfer.move
    seat = f"{move.end:x}/{move.seat}/{move.version}"
    return Sent(
        seat=seat,
        giver=move.giver,
        taker=move.taker,
        state=transfer.state,
        keys=transfer.keys,
        sent=transfer.sent,
        bounds=(move.start, move.end),
    )
