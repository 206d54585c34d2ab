"""What this node knows of the ring and of who is in it, and what operators have told it to do about it.

Orders are staged, looked at as a plan, and committed: only then are they changes, which every node will hear of. What
is staged binds nobody and is forgotten at a restart.

This file knows one node's knowledge and its staging. It does not know how either travels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from node.core.changes import DOWN, JOIN, LEAVE, REPLACE, UP, Change, History, Life, Member, Move
from node.core.config import CAPACITY_MAX, ClusterConfig
from node.core.ring import Ring, ring_of

HEIGHT_MAX = 1 << 40
"""Higher than any history gets; one that claims more is not a history of this cluster."""


class OrderError(Exception):
    """An order that makes no sense in this ring; says why."""


@dataclass
class Membership:
    """The history that one node knows, the ring that follows from it, and the orders that are staged here.

    `keep` makes a history durable, `meet` says where a peer is dialled, `seeds` are the peers that the node was told of
    at its start, each with its address, which is empty where nobody said it.
    """

    config: ClusterConfig
    seeds: Mapping[str, str]
    keep: Callable[[History], None]
    meet: Callable[[str, str], None]
    life: Life
    staged: list[Change] = field(default_factory=list)
    planned: str = ""
    _issued: int = 0
    _addresses: dict[str, str] = field(default_factory=dict)
    _lives: dict[str, str] = field(default_factory=dict)
    _acquaintances: tuple[str, ...] = ()
    ring: Ring = field(init=False)

    def __post_init__(self) -> None:
        self.ring = self.follow(History())
        self._addresses.update((peer, address) for peer, address in self.seeds.items() if address)

    # --- what is known ---

    @property
    def history(self) -> History:
        """All that is known."""
        return self.ring.history

    def follow(self, history: History) -> Ring:
        """The ring that follows from a history."""
        return ring_of(self.config, history)

    def begin(self, life: Life, history: History) -> None:
        """Begin a life with what was kept of the last one."""
        self.life = life
        self._know(self.follow(history))

    def learn(self, other: History) -> bool:
        """Take what somebody else knows; returns whether anything of it was new."""
        if any(change.height > HEIGHT_MAX for change in other.changes):
            return False
        merged = self.history.merged(other)
        if merged is self.history:
            return False
        ring = self.follow(merged)
        self.keep(merged)
        self._know(ring)
        return True

    def met(self, life: Life) -> None:
        """A peer says where it is dialled."""
        if life.address and self._addresses.get(life.node) != life.address:
            self._addresses[life.node] = life.address
            self.meet(life.node, life.address)

    def is_plausible(self, life: Life, *, contested: bool) -> bool:
        """Whether a life of a peer may be taken for that peer without asking: the one known, or its successor.

        A successor is where the peer was, which two processes cannot be. While the old life is connected too it has
        to be asked all the same, because an address is no more than a claim.
        """
        if self._lives.get(life.node) == life.incarnation:
            return True
        return not contested and self.address(life.node) in ("", life.address)

    def admit(self, life: Life) -> None:
        """From now on, take this life for the peer."""
        self._lives[life.node] = life.incarnation
        self.met(life)

    @property
    def acquaintances(self) -> tuple[str, ...]:
        """Everybody to gossip with: the members, and the seeds."""
        return self._acquaintances

    def address(self, node: str) -> str:
        """Where a node is dialled, as far as this one was told; empty when it was not."""
        return self.life.address if node == self.life.node else self._addresses.get(node, "")

    def _know(self, ring: Ring) -> None:
        self.ring = ring
        everybody = dict.fromkeys((*ring.members, *ring.keeping, *self.seeds))
        self._acquaintances = tuple(name for name in everybody if name != self.life.node)
        for change in ring.history.changes:
            newcomer = "" if change.member is None else change.member.node
            if change.address and newcomer not in ("", self.life.node) and newcomer not in self._addresses:
                self.met(Life(newcomer, "", 0, change.address))

    # --- changes ---

    def switched(self, move: Move) -> History:
        """The history in which this move has been done."""
        return self.history.with_switch(move.switch)

    def up(self) -> History | None:
        """The history in which this node is no longer marked down, or None when it is not."""
        if self.life.node not in self.ring.down or not self.ring.is_member(self.life.node):
            return None
        self._issued += 1
        order = Change(0, "", UP, self.life.node, None, "", self.life.node, 0, "")
        return self._issued_on(self.history, order, self._issued)

    def _issued_on(self, history: History, order: Change, number: int) -> History:
        name = f"{self.life.node}.{self.life.incarnation}.{number}"
        return history.with_change(replace(order, height=history.height, id=name, on=history.of_changes))

    # --- orders ---

    def stage(self, operation: str, node: str, member: Member | None, address: str) -> None:
        """Stage an order; raises `OrderError` when it makes no sense after those that are staged already."""
        ring = self.planned_ring()
        self._check(ring, operation, node, member)
        self.staged.append(Change(0, "", operation, node, member, address, self.life.node, 0, ""))
        self.planned = ""

    def unstage(self) -> None:
        """Forget all orders."""
        self.staged.clear()
        self.planned = ""

    def planned_ring(self) -> Ring:
        """The ring that would follow from the orders."""
        return self.follow(self._with_orders(0))

    @property
    def token(self) -> str:
        """A name for exactly these orders to exactly this ring."""
        content = msgspec.msgpack.encode((self.history.digest, self.staged))
        return hashlib.md5(content, usedforsecurity=False).hexdigest()[:12]

    def commit(self, token: str, issued_ms: int) -> History:
        """The history with the orders in it; raises `OrderError` unless they are what was planned under this token."""
        if not self.staged:
            raise OrderError("nothing is staged here")
        if not self.planned:
            raise OrderError("what is staged was not looked at: ask for the plan first")
        if token != self.planned or token != self.token:
            raise OrderError(f"plan {token} is not what is staged now, or the ring has changed: look at the plan again")
        history = self._with_orders(issued_ms)
        self._issued += len(self.staged)
        self.unstage()
        return history

    def _with_orders(self, issued_ms: int) -> History:
        history = self.history
        for number, order in enumerate(self.staged, start=self._issued + 1):
            history = self._issued_on(history, replace(order, issued_ms=issued_ms), number)
        return history

    def _check(self, ring: Ring, operation: str, node: str, member: Member | None) -> None:
        members = ", ".join(ring.members)
        if member is not None and not 1 <= member.capacity <= CAPACITY_MAX:
            raise OrderError(f"the capacity of {member.node} is {member.capacity}; it can be 1 to {CAPACITY_MAX}")
        if member is not None and "\0" in member.node:
            raise OrderError(f"{operation} {member.node!r}: a node id has no NUL in it")
        if member is not None:
            _check_place(ring, operation, member)
        if operation == JOIN:
            if member is None or member.node != node or not node:
                raise OrderError(f"join {node!r}: give the node that comes")
            if ring.is_member(node):
                raise OrderError(f"join {node}: it is a member already; there is {members}")
            return
        if operation not in (LEAVE, REPLACE, DOWN):
            raise OrderError(f"{operation!r} is no order; there is join, leave, replace, down")
        if not ring.is_member(node):
            raise OrderError(f"{operation} {node}: it is no member; there is {members}")
        if operation == LEAVE and len(ring.members) <= self.config.n:
            left = len(ring.members) - 1
            raise OrderError(f"leave {node}: {left} members would be left, and each key needs n = {self.config.n}")
        if operation == REPLACE and (member is None or not member.node or ring.is_member(member.node)):
            raise OrderError(f"replace {node}: give a node to take its place that is no member; there is {members}")
        if operation == DOWN and node in ring.down:
            raise OrderError(f"down {node}: it is marked down already")


def _check_place(ring: Ring, operation: str, member: Member) -> None:
    """Who stands nowhere in particular would be a rack of its own, and get a replica of everything."""
    others = ring.target.members.values()
    for level, name in (("dc", "data centre"), ("rack", "rack")):
        if not getattr(member, level) and all(getattr(other, level) for other in others):
            raise OrderError(f"{operation} {member.node}: give its {name}, as all other members have one")
