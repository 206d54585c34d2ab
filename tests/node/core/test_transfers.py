"""Seats on their way: offered, confirmed, and handed over once, whatever happens meanwhile (Dynamo, 4.9)."""

from __future__ import annotations

from typing import Any

import pytest

from node.core import transfers
from node.core.changes import JOIN, LEAVE, Member
from node.core.messages import Accepted, Batch, Offer, Put
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import MEMBERS, MS, Cluster, Letter

Sent = tuple[str, str, bytes]

KEYS = [b"%05d" % number for number in range(40)]


def loaded(keys: list[bytes] = KEYS, **settings: Any) -> Cluster:
    """A cluster of few partitions whose primaries all hold these keys; what moves is told quickly."""
    few: dict[str, Any] = {"partitions": 8, "gossip_ms": 200, **settings}
    cluster = Cluster(**few)
    for key in keys:
        cluster.put(cluster.preference(key)[0], key, key)
    cluster.settle()
    return cluster


def sent(letters: list[Letter]) -> list[Sent]:
    """Each key in all batches that arrived: who gave it to whom."""
    batches = [(letter, letter.message) for letter in letters if isinstance(letter.message, Batch)]
    return [(letter.sender, letter.to, entry.key) for letter, message in batches for entry in message.entries]


def where(cluster: Cluster, key: bytes) -> set[str]:
    """Who holds a key as a replica."""
    return {name for name in cluster.up if cluster.held(name, key)}


def in_place(cluster: Cluster, keys: list[bytes] = KEYS) -> bool:
    """Whether each key lies on exactly those who sit there."""
    ring = cluster.node(cluster.up[0]).ring
    return all(where(cluster, key) == set(ring.at(key).seats) for key in keys)


def half_way(monkeypatch: pytest.MonkeyPatch, operation: str, node: str, **settings: Any) -> Cluster:
    """A cluster in which some of a seat's keys have been sent, one at a time, and others have not."""
    monkeypatch.setattr(transfers, "BATCH_KEYS", 1)
    cluster = loaded(**settings)
    if operation == JOIN:
        cluster.join(node, "n1")
    else:
        cluster.order("n1", operation, node)
    cluster.until(lambda: any(giving.left and giving.sent for giving in givings(cluster)))
    return cluster


def givings(cluster: Cluster) -> list[transfers.Giving]:
    """The seats that are being given away just now."""
    return [giving for name in cluster.up for giving in cluster.node(name).seats.giving.values()]


@pytest.mark.parametrize("strategy", [1, 2, 3])
@pytest.mark.parametrize(("operation", "node"), [(JOIN, "x1"), (LEAVE, "n2")])
def test_a_ring_changes_and_every_key_follows(strategy: int, operation: str, node: str) -> None:
    """In all strategies: in the end each key is on those who sit there, and on nobody else."""
    cluster = loaded(strategy=strategy, tokens=2)
    cluster.join(node, "n1") if operation == JOIN else cluster.order("n1", operation, node)
    cluster.moved()
    cluster.elapse(5000)
    assert in_place(cluster)
    assert givings(cluster) == []
    assert all(cluster.status(name).work["transfers"] == 0 for name in cluster.up)


def test_a_seat_is_offered_first_and_every_key_is_sent_once() -> None:
    """“The confirmation round makes sure that the destination node does not receive any duplicate transfers” (4.9)."""
    cluster = loaded()
    cluster.join("x1", "n1")
    cluster.moved()
    batches = sent(cluster.delivered)
    taken = [key for key in KEYS if "x1" in cluster.node("n1").ring.at(key).seats]
    assert sorted(key for _, to, key in batches if to == "x1") == sorted(taken)
    accepted = [letter.sender for letter in cluster.delivered if isinstance(letter.message, Accepted)]
    assert accepted == ["x1"] * cluster.node("n1").ring.keeping["x1"]
    first = next(at for at, letter in enumerate(cluster.delivered) if isinstance(letter.message, Batch))
    assert any(isinstance(letter.message, Accepted) for letter in cluster.delivered[:first])


def test_a_taker_that_knows_nothing_of_it_declines() -> None:
    """An offer that is not due there, under the same ring, is none; nothing is sent."""
    cluster = loaded()
    cluster.join("x1", "n1")
    move = cluster.node("n1").ring.moves[0] if cluster.node("n1").ring.moves else None
    cluster.moved()
    assert move is not None
    cluster.say(move.giver, move.taker, Offer(1, move))
    assert [type(letter.message).__name__ for letter in cluster.letters if letter.sender == move.taker] == ["Declined"]


def test_writes_during_a_transfer_arrive_at_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Giver and taker: nobody knows yet which of them will be asked (hazard H10)."""
    cluster = half_way(monkeypatch, JOIN, "x1")
    move = givings(cluster)[0].move
    key = next(key for key in KEYS if cluster.node("n1").ring.at(key).end == move.end)
    asker = cluster.put(next(name for name in MEMBERS if name != move.giver), key, b"meanwhile")
    cluster.settle()
    cluster.written(asker)
    assert b"meanwhile" in cluster.held(move.giver, key)
    assert b"meanwhile" in cluster.held(move.taker, key)


def test_what_changes_after_its_batch_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The taker did not get the write itself; before the seat passes on it has it from the giver."""
    cluster = half_way(monkeypatch, JOIN, "x1", hint_retry_ms=60_000)
    giving = givings(cluster)[0]
    move, place = giving.move, cluster.node("n1").ring.ending(giving.move.end)
    assert place is not None
    here = [key for key in KEYS if cluster.node("n1").ring.at(key) == place]
    key = next(key for _, to, key in sent(cluster.delivered) if to == "x1" and key in here)
    assert key not in giving.left
    at = next(name for name in place.seats if name != move.giver)
    cluster.cut = [(at, "x1")]
    cluster.put(at, key, b"later")
    cluster.settle()
    assert cluster.held("x1", key) == [key]
    assert key in giving.left
    cluster.until(lambda: giving.state == "done")
    assert b"later" in cluster.held("x1", key)
    assert sent(cluster.delivered).count((move.giver, "x1", key)) == 2


@pytest.mark.parametrize("victim", ["giver", "taker"])
def test_after_a_crash_a_transfer_goes_on_with_what_lacks(monkeypatch: pytest.MonkeyPatch, victim: str) -> None:
    """What the taker has confirmed is not sent again, whichever of the two was restarted."""
    cluster = half_way(monkeypatch, JOIN, "x1")
    move = givings(cluster)[0].move
    confirmed = set(sent(cluster.delivered))
    cluster.crash(getattr(move, victim))
    cluster.elapse(2000)
    cluster.restart(getattr(move, victim))
    cluster.moved()
    again = [each for each in sent(cluster.delivered) if each in confirmed]
    assert len(again) == len(confirmed), "each of them once, before"
    cluster.elapse(5000)
    assert in_place(cluster)


def test_a_transfer_that_ends_early_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The giver forgets what it was about, so that a change is not kept for nobody; and begins anew later."""
    cluster = half_way(monkeypatch, JOIN, "x1")
    giver = givings(cluster)[0].move.giver
    cluster.crash("x1")
    cluster.elapse(1000)
    assert cluster.node(giver).seats.giving == {}
    cluster.elapse(3000)
    assert cluster.node(giver).seats.giving == {}
    cluster.restart("x1")
    cluster.moved()
    cluster.elapse(3000)
    assert in_place(cluster)


def test_a_node_gives_and_takes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that joined a moment ago is to leave again, and others come and go meanwhile."""
    cluster = half_way(monkeypatch, JOIN, "x1")
    cluster.join("x2", "n3")
    cluster.order("n2", LEAVE, "x1")
    cluster.elapse(300)
    cluster.order("n4", LEAVE, "n5")
    cluster.moved(200_000)
    cluster.elapse(10_000)
    assert in_place(cluster)
    assert [key for key in KEYS if where(cluster, key) & {"x1", "n5"}] == []


def test_the_giver_is_read_until_the_seat_has_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The taker is not asked for what it may not have yet; and nobody reads less than was acknowledged (hazard H10)."""
    cluster = half_way(monkeypatch, JOIN, "x1")
    for _ in range(1000):
        if not cluster.node("n1").ring.moves:
            break
        for key in KEYS[::7]:
            asker = cluster.get("n1", key, r=3)
            cluster.settle()
            got = cluster.got(asker)
            assert {ack.node for ack in got.acks} == set(cluster.node("n1").ring.at(key).seats)
            assert [version.value for version in got.versions] == [key]
        cluster.elapse(50)
    assert any("x1" in cluster.node("n1").ring.at(key).seats for key in KEYS[::7])


def test_an_outsider_serves_as_a_proxy() -> None:
    """It keeps nothing, and asks those who do."""
    cluster = loaded([])
    cluster.start("x1", MemoryStore())
    cluster.settle()
    cluster.join("x2", "n1")
    cluster.moved()
    asker = cluster.ask("x1", Put("q", KEYS[0], b"value", b"", 1000 * MS))
    cluster.settle()
    written = cluster.written(asker)
    assert written.coordinator in cluster.node("n1").ring.at(KEYS[0]).seats
    read = cluster.get("x1", KEYS[0])
    cluster.settle()
    assert [version.value for version in cluster.got(read).versions] == [b"value"]
    assert cluster.got(read).coordinator == "x1"
    assert cluster.held("x1", KEYS[0]) == []


def test_a_write_during_a_transfer_sends_nothing_else_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the taker has confirmed is not sent a second time because something else has changed (hazard H09)."""
    cluster = half_way(monkeypatch, JOIN, "x1")
    giving = givings(cluster)[0]
    move, ring = giving.move, cluster.node("n1").ring
    here = [key for key in KEYS if ring.at(key).end == move.end]
    confirmed = [key for key in here if key not in giving.left]
    before = len(sent(cluster.delivered))
    cluster.put(move.giver, next(iter(giving.left)), b"meanwhile")
    cluster.until(lambda: giving.state == "done")
    after = [key for giver, to, key in sent(cluster.delivered)[before:] if (giver, to) == (move.giver, move.taker)]
    assert confirmed
    assert not {*after} & {*confirmed}


def test_who_joins_or_leaves_replicas_stay_in_different_racks() -> None:
    """Three replicas of each partition, in each of three racks one (Dynamo, 4.6; hazard H21)."""
    racks = {name: f"r{number % 3}" for number, name in enumerate(("n1", "n2", "n3", "n4", "n5", "n6"))}
    places = tuple(Member(name, rack=rack) for name, rack in racks.items())
    cluster = Cluster(members=tuple(racks), places=places, partitions=8, gossip_ms=200)
    assert all(len({racks[name] for name in place.seats}) == 3 for place in cluster.node("n1").ring.places)
    cluster.order("n1", "leave", "n4")
    cluster.moved()
    assert all(len({racks[name] for name in place.seats}) == 3 for place in cluster.node("n1").ring.places)
