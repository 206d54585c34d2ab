"""Be the operator of a ring: give orders to nodes that answer, and look at what has come of them.

A node that refuses may take the same order a moment later, because it did not know enough, and one that gives no answer
may have carried it out. So an order is given again, to one node after the other, until a node tells that it has been
carried out, or time is up. This file knows orders and how a ring stands; it does not know how nodes are asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nemesis.powers import Effect, Membership, OrderRefusedError, PowerError, Standing

ORDER_S = 15.0
"""How long an order may take to be carried out, with all refusals and silences."""
MOVES_S = 20.0
"""How long seats may take to move once nothing is in their way."""
POLL_S = 0.1

MEMBER = ("valid", "joining", "leaving", "down")
"""The states of a node that the ring reckons with."""

Wanted = Callable[[Standing], bool]


def is_member(standing: Standing, node: str) -> bool:
    """Whether the ring reckons with a node."""
    return standing.states.get(node) in MEMBER


def carried_out(operation: str, node: str, other: str = "") -> Wanted:
    """What a ring looks like in which that order has been given."""

    def wanted(standing: Standing) -> bool:
        state = standing.states.get(node, "left")
        match operation:
            case "join":
                return state in ("joining", "valid")
            case "replace":
                return is_member(standing, other) and state in ("leaving", "left")
            case "leave":
                return state in ("leaving", "left")
            case _:
                return state == operation

    return wanted


def gone(node: str) -> Wanted:
    """What a ring looks like that does without a node."""
    return lambda told: not is_member(told, node)


async def standing(membership: Membership, *but: str) -> Standing | None:
    """The ring as the first node that answers tells it, other than these; none where nobody does."""
    for at in _running(membership, but):
        try:
            return await membership.standing(at)
        except PowerError:
            continue
    return None


async def order(membership: Membership, operation: str, node: str, other: str = "", *, first: int = 0) -> None:
    """Have an order carried out, asking the running nodes in turn from the `first` on.

    Raises `OrderRefusedError` with the last refusal when nobody takes it in time, `PowerError` when nobody answers.
    """
    wanted = carried_out(operation, node, other)
    trouble: PowerError = PowerError(f"{operation} {node}: no node runs that could be asked")
    turn, until = first, _now() + ORDER_S
    while _now() < until:
        running = _running(membership, (node, other))
        if running:
            at = running[turn % len(running)]
            turn += 1
            try:
                await membership.order(at, operation, node, other)
                return
            except OrderRefusedError as error:
                trouble = OrderRefusedError(f"{operation} {node}, asked of {at}: {error}")
            except PowerError as error:
                trouble = error if not isinstance(trouble, OrderRefusedError) else trouble
            if await _holds(membership, wanted, (node, other)):
                return
        await asyncio.sleep(POLL_S)
    raise trouble


async def until(membership: Membership, wanted: Wanted, within_s: float, *but: str) -> bool:
    """Wait until a node tells of a ring that is as wanted; whether one did."""
    deadline = _now() + within_s
    while not await _holds(membership, wanted, but):
        if _now() >= deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


async def seen(membership: Membership, operation: str, node: str, other: str = "") -> bool:
    """Whether another node than those that it is about comes to know that an order has been carried out."""
    return await until(membership, carried_out(operation, node, other), ORDER_S, node, other)


async def settled(membership: Membership, effect: Effect, within_s: float = MOVES_S) -> None:
    """Wait until no seat has to move any more, and write down whether that was seen.

    It is no failure if it was not: who gives or takes a seat may be down, for longer than this fault lasts.
    """
    rested = await until(membership, _at_rest, within_s)
    for told in effect.observed.values():
        told["settled"] = rested


async def evicted(membership: Membership, node: str, first: int) -> bool:
    """Have a node that does not answer marked down and ordered out; whether another one comes to know of that."""
    await order(membership, "down", node, first=first)
    await order(membership, "leave", node, first=first)
    return await seen(membership, "leave", node)


def asked(membership: Membership, *but: str, first: int) -> str:
    """A running node to ask, other than these; raises `PowerError` where none runs."""
    running = _running(membership, but)
    if not running:
        raise PowerError(f"besides {', '.join(but)} no node runs that could be asked")
    return running[first % len(running)]


async def revived_member(membership: Membership, node: str) -> bool:
    """Start a node that is down, unless the ring does without it; whether it runs."""
    told = await standing(membership, node)
    if not membership.running(node) and (told is None or is_member(told, node)):
        await membership.start(node)
    return membership.running(node)


def _at_rest(told: Standing) -> bool:
    return told.moves == 0


async def _holds(membership: Membership, wanted: Wanted, but: tuple[str, ...]) -> bool:
    told = await standing(membership, *but)
    return told is not None and wanted(told)


def _running(membership: Membership, but: tuple[str, ...]) -> list[str]:
    every = dict.fromkeys((*membership.nodes, *membership.spares))
    return [node for node in every if node not in but and membership.running(node)]


def _now() -> float:
    return asyncio.get_running_loop().time()
