"""Reads and writes of a key whose seats are passing on: both sides of a quorum, and rings that change in between."""

from __future__ import annotations

from node.core.calls import CORRECTIONS
from node.core.changes import DOWN, LEAVE, History
from node.core.facts import PeerSaid
from node.core.messages import Ack, Differs, Fetch, Fetched, Forward, Gossip, Offer, Replicate, Stored
from node.core.ring import Place
from tests.node.core.cluster import MEMBERS, MS, Cluster
from tests.node.core.histories import ordered

KEYS = [b"%05d" % number for number in range(100)]


def tell(cluster: Cluster, name: str, history: History) -> None:
    """Let a node hear of a history, and keep it; what it says to that is lost."""
    before = cluster.letters[:]
    cluster.say("n1", name, Gossip(cluster.node("n1").membership.life, history))
    if cluster.node(name).release.must_wait():
        cluster.commit(name)
    cluster.drop(*(letter for letter in cluster.letters[:] if letter not in before))


def moving() -> tuple[Cluster, bytes, Place]:
    """A cluster in which everybody knows of a move that nobody begins; a key that it is about, and its place."""
    cluster = Cluster(partitions=8, hint_retry_ms=60_000)
    for name in MEMBERS:
        cluster.node(name).trees.ready = False
    cluster.join("x1", "n1")
    for name in (*MEMBERS[1:], "x1"):
        tell(cluster, name, cluster.node("n1").ring.history)
    assert not cluster.sent(Offer)
    ring = cluster.node("n1").ring
    key = next(key for key in KEYS if ring.at(key).move is not None)
    return cluster, key, ring.at(key)


def split(place: Place) -> tuple[str, str, str, str]:
    """Two who sit there before and after, the giver, and the taker."""
    assert place.move is not None
    one, two = (name for name in place.seats if name != place.move.giver)
    return one, two, place.move.giver, place.move.taker


def switched(cluster: Cluster, place: Place) -> History:
    """The history in which the seat has passed on."""
    assert place.move is not None
    return cluster.node("n1").ring.history.with_switch(place.move.switch)


def confirm(cluster: Cluster, by: str, to: str) -> None:
    """Let one node store what it was sent, and say so."""
    cluster.deliver(*cluster.sent(Replicate, to, by))
    if cluster.node(by).release.must_wait():
        cluster.commit(by)
    cluster.deliver(*cluster.sent(Stored, by, to))


# --- writes ---


def test_a_write_goes_to_all_who_sit_there_and_to_who_is_about_to() -> None:
    """N and one more."""
    cluster, key, place = moving()
    one, two, giver, taker = split(place)
    cluster.put(one, key, b"value")
    cluster.commit(one)
    assert {letter.to for letter in cluster.sent(Replicate, one)} == {two, giver, taker}


def test_w_is_needed_of_those_before_and_of_those_after() -> None:
    """The giver's copy alone makes no quorum of those after; with the taker's it is one of both."""
    cluster, key, place = moving()
    one, _, giver, taker = split(place)
    asker = cluster.put(one, key, b"value")
    cluster.commit(one)
    confirm(cluster, giver, one)
    assert asker not in cluster.replies
    confirm(cluster, taker, one)
    assert cluster.written(asker).acks == (Ack(one), Ack(giver), Ack(taker))


def test_two_who_stay_are_a_quorum_of_both() -> None:
    """They sit there before and after."""
    cluster, key, place = moving()
    one, two, *_ = split(place)
    asker = cluster.put(one, key, b"value")
    cluster.commit(one)
    confirm(cluster, two, one)
    assert cluster.written(asker).acks == (Ack(one), Ack(two))


def test_a_giver_that_has_given_counts_no_more() -> None:
    """The seat passes on while its confirmation is on its way: only those who sit there now count."""
    cluster, key, place = moving()
    one, _, giver, taker = split(place)
    asker = cluster.put(one, key, b"value")
    cluster.commit(one)
    cluster.deliver(*cluster.sent(Replicate, one, giver))
    cluster.commit(giver)
    tell(cluster, one, switched(cluster, place))
    cluster.deliver(*cluster.sent(Stored, giver, one))
    assert asker not in cluster.replies
    confirm(cluster, taker, one)
    assert asker in cluster.replies


def test_who_has_come_meanwhile_must_confirm_too() -> None:
    """The change is heard of after the copies were sent: the taker is asked as well, and waited for."""
    cluster = Cluster(partitions=8, hint_retry_ms=60_000)
    history = ordered(History(), LEAVE, "n2")
    ring = cluster.node("n1").membership.follow(history)
    key = next(key for key in KEYS if ring.at(key).move is not None)
    one, two, giver, taker = split(ring.at(key))
    asker = cluster.put(one, key, b"value", w=3)
    cluster.commit(one)
    cluster.say(two, one, Gossip(cluster.node(two).membership.life, history))
    cluster.commit(one)
    confirm(cluster, two, one)
    assert cluster.sent(Replicate, one, taker) != []
    confirm(cluster, giver, one)
    assert asker not in cluster.replies, "three before, two after"
    tell(cluster, taker, history)
    confirm(cluster, taker, one)
    assert asker in cluster.replies


def test_a_coordinator_that_is_to_sit_there_itself_does_not_write_to_itself() -> None:
    """A fallback coordinates while its peers are out of reach, and becomes a taker: its copy is its own now."""
    cluster = Cluster(("n1", "n2", "n3", "n4"), partitions=8, hint_retry_ms=60_000)
    history = ordered(History(), LEAVE, "n1")
    ring = cluster.node("n2").membership.follow(history)
    key = next(key for key in KEYS if ring.at(key).move is not None)
    one, two, giver, taker = split(ring.at(key))
    for name in (one, two, giver):
        cluster.node(taker).detector.missed(name)
    asker = cluster.put(taker, key, b"value")
    cluster.commit(taker)
    assert cluster.hinted(taker, cluster.preference(key)[0], key) == [b"value"]
    asked = cluster.sent(Replicate, taker)[0].to
    cluster.say(one, taker, Gossip(cluster.node(one).membership.life, history))
    cluster.commit(taker)
    confirm(cluster, asked, taker)
    assert cluster.held(taker, key) == [b"value"]
    assert cluster.sent(Replicate, taker, taker) == []
    cluster.settle()
    assert cluster.written(asker).coordinator == taker


def test_a_forward_that_comes_twice_around_a_change_of_the_ring_is_coordinated_once() -> None:
    """The copy would be refused for the ring, and the put forwarded again: one put with two dots (hazard H11)."""
    cluster = Cluster()
    key = KEYS[0]
    a, *_, e = cluster.preference(key)
    cluster.put(e, key, b"value")
    (letter,) = cluster.sent(Forward)
    copy = PeerSaid(e, letter.message, letter.ring)
    cluster.deliver(letter)
    tell(cluster, a, ordered(History(), DOWN, "nobody"))
    cluster.feed(a, copy)
    assert cluster.sent(Differs) == []
    cluster.settle()
    assert cluster.held(a, key) == [b"value"]


def test_a_forward_that_was_refused_for_the_ring_is_not_taken_up_late() -> None:
    """Its copy arrives when both know the same again, and the put has been forwarded under another number."""
    cluster = Cluster()
    key = KEYS[0]
    a, *_, e = cluster.preference(key)
    tell(cluster, a, ordered(History(), DOWN, "nobody"))
    asker = cluster.put(e, key, b"value")
    (letter,) = cluster.sent(Forward)
    cluster.settle()
    assert cluster.node(e).ring.digest == cluster.node(a).ring.digest
    cluster.feed(a, PeerSaid(e, letter.message, cluster.node(a).ring.digest))
    cluster.settle()
    assert cluster.written(asker).coordinator == a
    assert cluster.held(a, key) == [b"value"]


# --- reads ---


def test_who_is_about_to_sit_there_is_not_read() -> None:
    """It may not have everything yet."""
    cluster, key, place = moving()
    one, two, giver, _ = split(place)
    cluster.get(one, key)
    assert {letter.to for letter in cluster.sent(Fetch)} == {two, giver}


def test_a_read_begins_again_when_the_seat_has_passed_on() -> None:
    """What was answered before may be the past: those who sit there now are asked, all of them."""
    cluster, key, place = moving()
    one, two, _, taker = split(place)
    asker = cluster.get(one, key)
    first = cluster.sent(Fetch)
    cluster.deliver(first[0])
    tell(cluster, one, switched(cluster, place))
    cluster.deliver(*cluster.sent(Fetched))
    assert asker not in cluster.replies
    assert {letter.to for letter in cluster.sent(Fetch, one) if letter not in first} == {two, taker}
    cluster.settle()
    assert asker in cluster.replies


def test_a_giver_that_has_given_says_so_and_the_reader_asks_the_taker() -> None:
    """The giver knows first that a seat has passed on, and is asked by everybody who does not know it yet."""
    cluster, key, place = moving()
    one, _, giver, taker = split(place)
    tell(cluster, giver, switched(cluster, place))
    asker = cluster.get(one, key, r=3)
    cluster.settle()
    assert taker in [ack.node for ack in cluster.got(asker).acks]
    assert giver not in [ack.node for ack in cluster.got(asker).acks]


def test_a_peer_that_knows_another_ring_is_asked_again_and_no_fallback_for_it() -> None:
    """It is up: nobody should stand in for it, as often as rings change; but there is an end to it."""
    cluster = Cluster()
    key = KEYS[0]
    a, b, _, d, _ = cluster.preference(key)
    asker = cluster.get(a, key, r=3)
    for _ in range(CORRECTIONS):
        (question,) = cluster.sent(Fetch, a, b)
        assert isinstance(question.message, Fetch)
        cluster.drop(question)
        cluster.say(b, a, Differs(question.message.call, History()))
        assert cluster.sent(Fetch, a, d) == []
    (question,) = cluster.sent(Fetch, a, b)
    assert isinstance(question.message, Fetch)
    cluster.drop(question)
    cluster.say(b, a, Differs(question.message.call, History()))
    assert len(cluster.sent(Fetch, a, d)) == 1
    cluster.settle()
    assert Ack(d, b) in cluster.got(asker).acks


def test_nothing_is_done_for_who_knows_another_ring() -> None:
    """Neither read, nor written, nor given, nor compared."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEYS[0])
    cluster.put(a, KEYS[0], b"value")
    cluster.commit(a)
    replicate = next(letter.message for letter in cluster.sent(Replicate, a, b))
    for message in (replicate, Fetch(1, KEYS[0], MS)):
        cluster.feed(b, PeerSaid(a, message, "another"))
    assert [type(letter.message) for letter in cluster.letters if letter.sender == b] == [Differs, Differs]
    assert cluster.held(b, KEYS[0]) == []
