"""Gossip: whoever knows different things tells them, and both know all of it (Dynamo, 4.8.1 and 4.8.2)."""

from __future__ import annotations

from typing import Any

from node.core.changes import DOWN, JOIN, LEAVE
from node.core.facts import PeerSaid
from node.core.messages import Differs, Fetch, Gossip, Stored
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import MEMBERS, MS, Cluster

KEY = b"key"
EVERYBODY = [(one, two) for one in (*MEMBERS, "x1", "x2") for two in (*MEMBERS, "x1", "x2")]


def _digests(cluster: Cluster, *names: str) -> set[str]:
    """The rings that these nodes know, or else all that are up."""
    return {cluster.node(name).ring.digest for name in names or cluster.up}


def _apart(**settings: Any) -> Cluster:
    """A cluster in which n1 knows of the newcomer x1 and n2 of x2, and nobody has been able to tell anybody."""
    cluster = Cluster(**settings)
    for name in ("x1", "x2"):
        cluster.start(name, MemoryStore())
    cluster.settle()
    cluster.cut = EVERYBODY
    cluster.order("n1", JOIN, "x1")
    cluster.order("n2", JOIN, "x2")
    cluster.cut = []
    assert len(_digests(cluster)) == 3
    return cluster


def _gossip(cluster: Cluster, one: str, two: str) -> list[Gossip]:
    """Let one begin to gossip with another, and nothing else happen; returns what was said after the beginning."""
    node = cluster.node(one)
    cluster.feed(two, PeerSaid(one, Gossip(node.membership.life), node.ring.digest))
    said: list[Gossip] = []
    for _ in range(100):
        for name in (one, two):
            if cluster.node(name).release.must_wait():
                cluster.commit(name)
        letters = cluster.sent(Gossip, one, two) + cluster.sent(Gossip, two, one)
        if not letters:
            return said
        said += [letter.message for letter in letters if isinstance(letter.message, Gossip)]
        cluster.deliver(*letters)
    raise AssertionError("they never agree")


def test_two_who_know_different_things_agree_after_one_exchange() -> None:
    """Who is asked tells what it knows, who asked tells what was missing; nobody repeats what both know."""
    cluster = _apart()
    said = _gossip(cluster, "n1", "n2")
    assert [bool(message.history) for message in said] == [True, True]
    assert len(_digests(cluster, "n1", "n2")) == 1
    assert {"x1", "x2"} <= {*cluster.node("n1").ring.members}


def test_who_knows_less_is_told_and_has_nothing_to_tell() -> None:
    """In either direction."""
    for asks, answers, messages in (("n3", "n1", 1), ("n1", "n3", 2)):
        cluster = _apart()
        assert len(_gossip(cluster, asks, answers)) == messages
        assert len(_digests(cluster, "n1", "n3")) == 1
        assert cluster.node("n3").ring.is_member("x1")


def test_two_who_know_the_same_say_no_more() -> None:
    """The digest that goes with the question is the answer."""
    cluster = Cluster()
    assert _gossip(cluster, "n1", "n2") == []


def test_every_second_one_peer_is_told() -> None:
    """“Each node contacts a peer chosen at random every second” (4.8.1), and all are chosen in time."""
    cluster = Cluster(gossip_ms=1000)
    said = len(cluster.delivered)
    cluster.elapse(60_000)
    beginnings = [letter for letter in cluster.delivered[said:] if isinstance(letter.message, Gossip)]
    assert len(beginnings) == 60 * len(MEMBERS)
    told = {letter.to for letter in beginnings if letter.sender == "n1"}
    assert told == {*MEMBERS} - {"n1"}


def test_two_joins_at_nodes_that_do_not_know_of_each_other_make_one_ring() -> None:
    """Nobody has to agree beforehand: changes are united as they are heard of (hazard H09)."""
    cluster = _apart(gossip_ms=1000)
    cluster.moved()
    assert {"x1", "x2"} <= {*cluster.node("n5").ring.members}
    assert cluster.node("n5").ring.keeping["x1"] > 0


def test_gossip_that_gets_lost_is_made_up_for() -> None:
    """By the next; the second half of an exchange may be lost as well as the first."""
    cluster = _apart(gossip_ms=1000)
    cluster.cut = [pair for pair in EVERYBODY if pair != ("n2", "n1")]
    cluster.elapse(20_000)
    assert not cluster.node("n2").ring.is_member("x1"), "nothing has reached it"
    cluster.cut = []
    cluster.elapse(20_000)
    assert cluster.node("n2").ring.is_member("x1")
    assert len(_digests(cluster)) == 1


def test_an_outsider_learns_from_the_seeds_at_its_start() -> None:
    """It tells everybody that it knows of that it is there, and hears what the ring is (4.8.2)."""
    cluster = Cluster(("n1", "n2", "n3", "n4"))
    cluster.crash("n4")
    cluster.order("n1", DOWN, "n4")
    cluster.start("x1", MemoryStore(), seeds=("n1",))
    cluster.settle()
    assert cluster.node("x1").ring.digest == cluster.node("n1").ring.digest
    assert not cluster.node("x1").ring.is_member("x1")


def test_two_newcomers_hear_of_each_other_through_a_seed() -> None:
    """“To prevent logical partitions, some nodes play the role of seeds” (4.8.2)."""
    cluster = Cluster(gossip_ms=1000)
    cluster.cut = [("x1", "x2"), ("x2", "x1")]
    for name, seed in (("x1", "n1"), ("x2", "n2")):
        cluster.join(name, seed, seeds=(seed,))
    cluster.cut = []
    cluster.moved()
    assert cluster.node("x1").ring.is_member("x2")
    assert cluster.node("x2").ring.is_member("x1")


def test_a_node_whose_disk_was_lost_learns_the_ring_again() -> None:
    """It begins with the founders, whom it was told of at its start."""
    cluster = Cluster(gossip_ms=1000)
    cluster.join("x1", "n1")
    cluster.moved()
    for wiped in ("n3", "x1"):
        cluster.crash(wiped)
        cluster.start(wiped, MemoryStore())
        assert not cluster.node(wiped).ring.is_member("x1")
        cluster.settle()
        assert len(_digests(cluster)) == 1


def test_what_was_learnt_is_durable_before_anything_is_said_in_its_name() -> None:
    """A digest that goes with a message says what its sender knows, also after a crash."""
    cluster = _apart()
    history = cluster.node("n1").ring.history
    cluster.feed("n3", PeerSaid("n1", Gossip(cluster.node("n1").membership.life, history), history.digest))
    cluster.get("n3", KEY)
    assert cluster.letters == []
    cluster.commit("n3")
    assert {letter.ring for letter in cluster.letters} == {history.digest}
    cluster.crash("n3")
    cluster.restart("n3")
    assert cluster.node("n3").ring.digest == history.digest


def test_the_digest_goes_with_every_message() -> None:
    """Whatever is said, and under whichever ring."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"value")
    cluster.settle()
    cluster.join("x1", "n1")
    cluster.get(a, KEY)
    cluster.settle()
    assert all(letter.ring for letter in cluster.delivered)
    assert len({letter.ring for letter in cluster.delivered if isinstance(letter.message, Stored | Fetch)}) > 1


def test_who_asks_under_another_ring_is_told_and_both_know_the_same() -> None:
    """Nothing is done for it; what it did not know comes with the refusal, what it knew more comes after."""
    cluster = _apart()
    cluster.feed("n2", PeerSaid("n1", Fetch(1, KEY, MS), cluster.node("n1").ring.digest))
    (differs,) = cluster.sent(Differs, "n2", "n1")
    cluster.deliver(differs)
    cluster.settle()
    assert len(_digests(cluster, "n1", "n2")) == 1
    assert {"x1", "x2"} <= {*cluster.node("n1").ring.members}


def test_who_leaves_is_told_until_it_has_handed_over() -> None:
    """So that it knows what it has to do; afterwards nobody has anything to say to it, except a founder's peers."""
    cluster = Cluster(gossip_ms=1000)
    cluster.join("x1", "n1")
    cluster.moved()
    cluster.order("n1", LEAVE, "x1")
    cluster.moved()
    assert "x1" not in cluster.node("n3").ring.keeping
    heard = len(cluster.delivered)
    cluster.elapse(30_000)
    assert [letter for letter in cluster.delivered[heard:] if letter.to == "x1"] == []
    assert [letter for letter in cluster.delivered[heard:] if letter.sender == "x1"], "it would hear of a new ring"
