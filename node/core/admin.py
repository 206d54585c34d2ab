"""Do what an operator asks of this node: stage orders, plan and commit them, and tell what there is to see.

This file knows questions and answers. What an order may be is `Membership`'s, what follows from it the ring's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from node.core.admin_messages import (
    AdminRequest,
    AdminResponse,
    Archive,
    Archived,
    Commit,
    Done,
    Locate,
    Located,
    MemberReport,
    NodeQuery,
    NodeReport,
    Plan,
    PlanQuery,
    Restore,
    Restored,
    RingQuery,
    RingReport,
    Seats,
    Share,
    Stage,
    Staged,
    TransferReport,
    Transfers,
    Unstage,
)
from node.core.changes import DOWN, REPLACE, Change, Member
from node.core.config import KEY_BYTES_MAX
from node.core.conversations import Kind
from node.core.membership import OrderError
from node.core.messages import Ping, Pong, Refused
from node.core.transfers import BATCH_KEYS, batch

if TYPE_CHECKING:
    from node.core.node import Node
    from node.core.ring import Place, Ring
    from node.core.transfers import Giving

RESTORED_MAX = 1024
"""How many keys one message may restore: more would keep the node from everything else."""

Respond = Callable[[AdminResponse], None]


def administer(node: Node, request: AdminRequest, respond: Respond) -> None:
    """Answer an operator; an order that makes no sense is refused in a sentence."""
    try:
        if type(request) is Stage and request.operation in (DOWN, REPLACE):
            node.conversations.begin(Kind.BACKGROUND, _stage_if_silent(node, request, respond))
        elif type(request) is Stage:
            respond(_staged(node, request))
        elif type(request) is Unstage:
            node.membership.unstage()
            respond(Staged(request.request, ()))
        elif type(request) is Commit:
            respond(_committed(node, request))
        elif type(request) is PlanQuery:
            respond(_planned(node, request))
        elif type(request) is RingQuery:
            respond(_ring(node, request))
        elif type(request) is NodeQuery:
            respond(_self(node, request))
        elif type(request) is Locate:
            respond(_located(node, request))
        elif type(request) is Archive:
            respond(_archived(node, request))
        elif type(request) is Restore:
            respond(_restored(node, request))
    except OrderError as error:
        respond(Refused(request.request, "bad-order", str(error), definite=True))


async def _stage_if_silent(node: Node, request: Stage, respond: Respond) -> None:
    """Stage an order that is for dead nodes only, when the node does not answer."""
    if request.node != node.id and request.node not in node.ring.down:
        calls = node.calls(node.peer_timeout_ns * 2)
        calls.ask(request.node, Ping)
        answer = await calls.next()
        calls.close()
        alive = answer is not None and isinstance(answer.message, Pong)
    else:
        alive = request.node == node.id
    if alive:
        text = f"{request.operation} {request.node}: it answers; this is for nodes that do not, so let it leave instead"
        respond(Refused(request.request, "bad-order", text, definite=True))
        return
    try:
        respond(_staged(node, request))
    except OrderError as error:
        respond(Refused(request.request, "bad-order", str(error), definite=True))


# --- orders ----------------------------------------------------------------------------------------------------------


def _staged(node: Node, request: Stage) -> Staged:
    node.membership.stage(request.operation, request.node, request.member, request.address)
    return Staged(request.request, _orders(node))


def _orders(node: Node) -> tuple[str, ...]:
    return tuple(_in_words(order) for order in node.membership.staged)


def _in_words(order: Change) -> str:
    """An order as its operator would say it."""
    if order.operation == REPLACE and order.member is not None:
        return f"replace {order.node} by {order.member.node}"
    return f"{order.operation} {order.node}"


def _committed(node: Node, request: Commit) -> Done:
    before = node.membership.history.changes
    node.learn(node.membership.commit(request.token, request.issued_ms))
    made = tuple(change for change in node.membership.history.changes if change not in before)
    return Done(request.request, made, node.ring.digest)


def _planned(node: Node, request: PlanQuery) -> Plan:
    """What the orders would do, compared with what is decided already."""
    now, then = node.ring, node.membership.planned_ring()
    node.membership.planned = node.membership.token if node.membership.staged else ""
    pairs = Counter(pair for place in then.places for pair in _pairs(place))
    everybody = sorted(dict.fromkeys((*now.members, *then.members, *now.keeping)))
    shares = tuple(
        Share(
            name,
            now.target.tokens_of(name) if now.is_member(name) else 0,
            then.target.tokens_of(name) if then.is_member(name) else 0,
            now.keeping.get(name, 0),
            then.to_keep.get(name, 0),
        )
        for name in everybody
    )
    transfers = tuple(Transfers(giver, taker, count) for (giver, taker), count in sorted(pairs.items()))
    warnings = (*then.target.warnings(node.config.n), *_silent(node, then, pairs))
    return Plan(request.request, node.membership.planned, _orders(node), shares, transfers, warnings)


def _pairs(place: Place) -> list[tuple[str, str]]:
    """Who gives a seat of a partition to whom, until everybody sits where he is to sit."""
    going = [name for name in place.seats if name not in place.wanted]
    return list(zip(going, [name for name in place.wanted if name not in place.seats], strict=False))


def _silent(node: Node, ring: Ring, pairs: Counter[tuple[str, str]]) -> list[str]:
    """Who has to give seats, and does not answer."""
    givers = sorted({giver: None for giver, _ in pairs})
    silent = [name for name in givers if name not in ring.down and not node.detector.is_up(name)]
    return [f"{name} is to give seats and does not answer; they wait for it, or for `down {name}`" for name in silent]


# --- archives --------------------------------------------------------------------------------------------------------


def _archived(node: Node, request: Archive) -> Archived:
    """A page of one partition; raises `OrderError` where this node cannot say what it keeps of it."""
    if request.end not in node.trees:
        raise OrderError(f"no partition ends at {request.end}")
    if not node.trees.ready:
        raise OrderError(f"{node.id} has just started and still reads what it keeps; ask again")
    keys = list(node.trees.keys_of(request.end))
    first = bisect_right(keys, request.after)
    return Archived(request.request, batch(node, keys[first : first + BATCH_KEYS]))


def _restored(node: Node, request: Restore) -> Restored:
    """Merge what is this node's to keep, and keep the rest as hints for those whose it is.

    Raises `OrderError` for more than a node can do at once, and for what is no key.
    """
    if len(request.entries) > RESTORED_MAX:
        raise OrderError(f"{len(request.entries)} keys are to be restored at once; it can be up to {RESTORED_MAX}")
    strange = next((entry.key for entry in request.entries if not 0 < len(entry.key) <= KEY_BYTES_MAX), None)
    if strange is not None:
        raise OrderError(f"a key to be restored has {len(strange)} bytes; it can have 1 to {KEY_BYTES_MAX}")
    for entry in request.entries:
        for keeper in node.ring.at(entry.key).keepers:
            node.replica.merge(entry.key, entry.versions, hint_for=None if keeper == node.id else keeper)
    return Restored(request.request, len(request.entries))


# --- what there is to see --------------------------------------------------------------------------------------------


def _ring(node: Node, request: RingQuery) -> RingReport:
    ring = node.ring
    seats = tuple(_seats(place) for place in ring.places)
    return RingReport(
        request.request,
        node.id,
        ring.digest,
        node.config.strategy,
        node.config.n,
        tuple(_members(node, ring)),
        seats,
        ring.moves,
        ring.history.changes,
    )


def _members(node: Node, ring: Ring) -> list[MemberReport]:
    """Everybody who is, was or will be part of the ring."""
    known = {member.node: member for member in node.config.founders}
    known |= {change.member.node: change.member for change in ring.history.changes if change.member is not None}
    known |= ring.target.members
    now, then = ring.keeping, ring.to_keep
    return [
        MemberReport(
            known.get(name, Member(name)),
            node.membership.address(name),
            _state(ring, name, now, then),
            ring.target.tokens_of(name) if ring.is_member(name) else 0,
            now.get(name, 0),
            then.get(name, 0),
        )
        for name in sorted(known)
    ]


def _state(ring: Ring, name: str, now: dict[str, int], then: dict[str, int]) -> str:
    if name in ring.down and (ring.is_member(name) or name in now):
        return "down"
    if not ring.is_member(name):
        return "leaving" if name in now else "left"
    return "joining" if name not in now and name in then else "valid"


def _seats(place: Place) -> Seats:
    return Seats(place.start, place.end, place.seats)


def _self(node: Node, request: NodeQuery) -> NodeReport:
    hints = {target: len(keys) for target, keys in node.replica.hints.items()}
    transfers = tuple(_transfer(giving) for giving in (*node.seats.given, *node.seats.giving.values()))
    return NodeReport(
        request.request,
        node.membership.life,
        node.ring.digest,
        tuple(node.detector.suspected),
        hints,
        transfers,
        node.background.report(),
        dict(node.exchanges.counts),
        sum(map(node.trees.count, node.trees.partitions_held())),
    )


def _transfer(giving: Giving) -> TransferReport:
    return TransferReport(giving.move, giving.state, giving.keys, giving.sent)


def _located(node: Node, request: Locate) -> Located:
    place = node.ring.at(request.key)
    fallbacks = tuple(name for name in place.preference if name not in place.keepers)
    return Located(request.request, node.ring.digest, _seats(place), place.wanted, fallbacks)
