"""Seats move while clients read and write, and letters and commits come in any order: nothing acknowledged is ever out
of sight (Dynamo, 4.9; hazard H10).

Nobody is ever late here and nobody fails unless a test says so. So no quorum is sloppy, and there is no excuse.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from node.core.admin_messages import Commit, PlanQuery
from node.core.changes import DOWN, JOIN, LEAVE, REPLACE, Member
from node.core.messages import Got, Refused, Written
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import MEMBERS, Cluster

FAILING: dict[str, Any] = {
    "partitions": 8,
    "gossip_ms": 200,
    "hint_retry_ms": 100,
    "anti_entropy_ms": 500,
    "anti_entropy_settle_ms": 100,
}
"""With anti-entropy: nobody else sees to the third copy of a write whose coordinator died after the second."""
KEYS = [b"key %d" % number for number in range(12)]
Order = tuple[str, str]


class Load:
    """Clients of a cluster, and what they may rely on: what was acknowledged before they began to read."""

    def __init__(self, cluster: Cluster, rng: Random, *, strict: bool = True) -> None:
        self.cluster = cluster
        self.strict = strict
        self.rng = rng
        self.acknowledged: dict[bytes, set[bytes]] = {key: set() for key in KEYS}
        self.reads = 0
        self.refused: list[Refused] = []
        self._puts: dict[int, tuple[bytes, bytes]] = {}
        self._gets: dict[int, tuple[bytes, set[bytes]]] = {}
        self._asked_at: dict[int, str] = {}
        self._number = 0

    def begin(self) -> None:
        """Begin a request at some node that is up."""
        at, key = self.rng.choice(self.cluster.up), self.rng.choice(KEYS)
        if self.rng.random() < 0.5:
            self._number += 1
            value = b"%d" % self._number
            asker = self.cluster.put(at, key, value)
            self._puts[asker] = key, value
        else:
            asker = self.cluster.get(at, key)
            self._gets[asker] = key, set(self.acknowledged[key])
        self._asked_at[asker] = at

    def heed(self) -> None:
        """Take the replies that have come; where quorums are strict, hold what was read against what was written."""
        for asker in [asker for asker in self._puts if asker in self.cluster.replies]:
            key, value = self._puts.pop(asker)
            reply = self.cluster.replies[asker]
            if isinstance(reply, Written):
                self.acknowledged[key].add(value)
                assert not self.strict or all(ack.hint_for is None for ack in reply.acks), "somebody was late"
            else:
                self._refuse(reply)
        for asker in [asker for asker in self._gets if asker in self.cluster.replies]:
            key, known = self._gets.pop(asker)
            reply = self.cluster.replies[asker]
            if isinstance(reply, Got):
                self.reads += 1
                missing = known - {version.value for version in reply.versions}
                assert not self.strict or not missing, f"{key!r} was read at {reply.coordinator} without {missing}"
            else:
                self._refuse(reply)

    def _refuse(self, reply: object) -> None:
        assert isinstance(reply, Refused), reply
        self.refused.append(reply)

    def crash(self, name: str = "") -> None:
        """End a node, or else some node, at once; whoever asked it will never be answered."""
        name = name or self.rng.choice(self.cluster.up)
        self.cluster.crash(name)
        for asker in [asker for asker, at in self._asked_at.items() if at == name]:
            self._puts.pop(asker, None)
            self._gets.pop(asker, None)

    def order(self, operation: str, node: str, by: str = "", *, at: str = "") -> None:
        """Have an operator give an order at some founder that is up; whoever comes is started with an empty disk."""
        comes = node if operation == JOIN else by
        if comes:
            self.cluster.start(comes, MemoryStore())
        at = at or self.rng.choice([name for name in self.cluster.up if name in MEMBERS])
        membership = self.cluster.node(at).membership
        membership.stage(operation, node, Member(comes) if comes else None, "")
        self.cluster.ask(at, PlanQuery("p"))
        self.cluster.ask(at, Commit("c", membership.planned, 1))

    def rest(self) -> None:
        """Let everything come to an end."""
        for _ in range(40_000):
            self.heed()
            if not self._puts and not self._gets and self.cluster.at_rest() and not self._astray():
                return
            self.cluster.happen(self.rng)
        raise AssertionError((self.cluster.now_ns, self._puts, self._gets, self._astray(), self.cluster.at_rest()))

    def _astray(self) -> list[tuple[str, bytes]]:
        """What lies where it does not belong, hints among it, and what is missing where it does."""
        ring = self.cluster.node("n1").ring
        wrong = [(name, b"a hint") for name, _ in self.cluster.hints()]
        for name in self.cluster.up:
            for key in KEYS:
                held, keeps = self.cluster.held(name, key), name in ring.at(key).seats
                if (held and not keeps) or (keeps and not self.acknowledged[key] <= set(held)):
                    wrong.append((name, key))
        return wrong


def _run(seed: int, orders: list[Order], *, strategy: int = 3) -> Load:
    """Give the orders in the middle of everything."""
    cluster = Cluster(partitions=8, strategy=strategy, tokens=2, gossip_ms=200, hint_retry_ms=100)
    load = Load(cluster, Random(f"{seed}:{orders}"))
    for step in range(1500):
        if step % 10 == 0:
            load.begin()
        if orders and step and step % 200 == 0:
            load.order(*orders.pop(0))
        cluster.happen(load.rng)
        load.heed()
    return load


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "orders",
    [
        [(JOIN, "x1")],
        [(LEAVE, "n2")],
        [(JOIN, "x1"), (JOIN, "x2")],
        [(JOIN, "x1"), (LEAVE, "n1"), (JOIN, "x2"), (LEAVE, "n3")],
        [(JOIN, "x1"), (LEAVE, "x1"), (JOIN, "x3")],
    ],
    ids=lambda orders: "-".join(f"{operation}-{node}" for operation, node in orders),
)
def test_what_was_acknowledged_is_read_by_everybody_at_any_time(seed: int, orders: list[Order]) -> None:
    """Before, while and after seats move, at any node; and when all is done it lies on all N, and nowhere else."""
    load = _run(seed, list(orders))
    load.rest()
    assert load.reads > 20
    assert load.refused == []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("strategy", [1, 2])
def test_so_it_is_in_the_other_strategies(seed: int, strategy: int) -> None:
    """Where ranges are cut while they move, and tokens are drawn."""
    load = _run(seed, [(JOIN, "x1"), (JOIN, "x2"), (LEAVE, "n4")], strategy=strategy)
    load.rest()
    assert load.refused == []


@pytest.mark.parametrize("seed", range(10))
def test_nothing_acknowledged_is_lost_when_nodes_crash_while_seats_move(seed: int) -> None:
    """A giver, a taker or somebody else goes down in the middle and comes back with its disk: quorums may be sloppy
    meanwhile, but in the end everything that was acknowledged lies on all N.
    """
    cluster = Cluster(**FAILING)
    load = Load(cluster, Random(f"{seed}:crashes"), strict=False)
    orders = [(JOIN, "x1"), (LEAVE, "n2"), (JOIN, "x2")]
    for step in range(3000):
        if step % 10 == 0:
            load.begin()
        if orders and step % 500 == 100:
            load.order(*orders.pop(0))
        if step % 300 == 250 and not cluster.down:
            load.crash()
        if step % 300 == 299:
            for name in cluster.down[:]:
                cluster.restart(name)
        cluster.happen(load.rng)
        load.heed()
    for name in cluster.down[:]:
        cluster.restart(name)
    load.rest()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "orders", [[(REPLACE, "n2", "x1")], [(DOWN, "n2"), (LEAVE, "n2")]], ids=["replaced", "removed"]
)
def test_nothing_acknowledged_is_lost_with_a_node_that_never_comes_back(
    seed: int, orders: list[tuple[str, ...]]
) -> None:
    """Others crash and come back meanwhile, and the ring changes in other places too: each acknowledged write has a
    second copy, and whoever takes the dead one's seats waits for it.
    """
    cluster = Cluster(**FAILING)
    load = Load(cluster, Random(f"{seed}:{orders}"), strict=False)
    plan = [*orders, (JOIN, "x2"), (LEAVE, "n4")]
    for step in range(3000):
        if step % 10 == 0:
            load.begin()
        if step == 200:
            load.crash("n2")
        if plan and step > 300 and step % 250 == 0:
            load.order(*plan.pop(0))
        if step % 300 == 250:
            load.crash()
        if step % 300 == 299:
            for name in [name for name in cluster.down if name != "n2"]:
                cluster.restart(name)
        cluster.happen(load.rng)
        load.heed()
    for name in [name for name in cluster.down if name != "n2"]:
        cluster.restart(name)
    load.rest()
    assert "n2" not in cluster.node("n1").ring.keeping


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "orders", [[(REPLACE, "n2", "x1")], [(DOWN, "n2"), (LEAVE, "n2")]], ids=["replaced", "removed"]
)
def test_nothing_acknowledged_is_lost_with_a_node_that_was_taken_for_dead(
    seed: int, orders: list[tuple[str, ...]]
) -> None:
    """It was cut off, and is asked by clients all the while; when the cut heals it gives back whatever only it knows,
    and keeps nothing.
    """
    cluster = Cluster(**FAILING)
    load = Load(cluster, Random(f"{seed}:{orders}"), strict=False)
    plan = [*orders, (JOIN, "x2")]
    everybody = (*MEMBERS, "x1", "x2")
    for step in range(3000):
        if step % 10 == 0:
            load.begin()
        if step == 200:
            cluster.cut = [pair for name in everybody for pair in (("n2", name), (name, "n2"))]
        if plan and step > 300 and step % 250 == 0:
            load.order(*plan.pop(0), at="n1")
        if step == 1500:
            cluster.cut = []
        cluster.happen(load.rng)
        load.heed()
    load.rest()
    assert "n2" not in cluster.node("n1").ring.keeping
