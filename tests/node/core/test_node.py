"""The node itself: what it refuses at the door, how it leaves, and that an older life's answers mean nothing to it."""

from __future__ import annotations

import pytest

from node.core.clocks import Actor, Clock, Dot
from node.core.config import KEY_BYTES_MAX
from node.core.facts import DrainAsked
from node.core.messages import Fetch, Fetched, Forward, Get, Put, Refused, Replicate, Stored
from node.core.versions import NOTHING, Versions
from tests.node.core.cluster import MS, Cluster

KEY = b"key"


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        (Get("q", b"", MS), "bad-request", "the key has 0 bytes; it can have 1 to 4096"),
        (Put("q", b"x" * 4097, b"", b"", MS), "bad-request", "the key has 4097 bytes"),
        (Get("q", KEY, 0), "expired", "had run out before it was begun"),
        (Put("q", KEY, b"", b"", -5), "expired", "had run out"),
        (Get("q", KEY, MS, 0), "bad-request", "r is 0; with n = 3 it can be 1 to 3"),
        (Get("q", KEY, MS, 4), "bad-request", "r is 4"),
        (Put("q", KEY, b"", b"", MS, 0), "bad-request", "w is 0; with n = 3 it can be 1 to 3"),
        (Put("q", KEY, b"", b"", MS, 4), "bad-request", "w is 4"),
        (Put("q", KEY, b"x" * 101, b"", MS), "too-large", "has 101 bytes; this cluster takes up to 100"),
    ],
)
def test_what_cannot_be_served_is_refused_definitely(request_: Get | Put, code: str, says: str) -> None:
    """At once, naming the value and what would have been right; a forwarded put is looked at like any other."""
    cluster = Cluster(object_bytes_max=100)
    refused = cluster.refused(cluster.ask("n1", request_))
    assert (refused.request, refused.code, refused.definite) == ("q", code, True)
    assert says in refused.text
    assert cluster.letters == []
    assert cluster.status("n1").work["requests"] == 0

    if isinstance(request_, Put):
        cluster.say("n2", "n1", Forward(7, request_))
        (answer,) = cluster.letters
        response = answer.message.response  # type: ignore[union-attr]
        assert isinstance(response, Refused)
        assert (response.code, response.definite) == (code, True)


@pytest.mark.parametrize("request_", [Get("q", b"x" * KEY_BYTES_MAX, MS, 3), Put("q", KEY, b"x" * 100, b"", MS, 1)])
def test_the_largest_that_is_allowed_is_served(request_: Get | Put) -> None:
    """A bound is a bound from both sides."""
    cluster = Cluster(object_bytes_max=100)
    asker = cluster.ask("n1", request_)
    cluster.settle()
    assert not isinstance(cluster.replies[asker], Refused)


def test_an_answer_from_an_older_life_fits_no_call() -> None:
    """Call numbers begin at a random place in every life, so a late answer to the former self is not taken for ours."""
    cluster = Cluster()
    a, b, c, *_ = cluster.preference(KEY)
    cluster.get(a, KEY)
    cluster.deliver(*cluster.sent(Fetch, to=b))
    old = cluster.sent(Fetched, b, a)
    cluster.drop(*cluster.sent(Fetch, to=c))
    cluster.crash(a)
    cluster.restart(a)
    cluster.commit(a)

    asker = cluster.get(a, KEY)
    cluster.deliver(*old)

    assert asker not in cluster.replies
    cluster.settle()
    cluster.got(asker)


def test_nothing_leaves_a_new_life_before_its_incarnation_is_durable() -> None:
    """Otherwise two lives could write under one name."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    cluster.crash(a)
    cluster.restart(a)
    asker = cluster.get(a, KEY)
    assert cluster.letters == []
    cluster.say(b, a, Fetch(1, KEY, MS))
    assert cluster.letters == []

    cluster.commit(a)
    assert len(cluster.sent(Fetch, sender=a)) == 2
    assert len(cluster.sent(Fetched, sender=a)) == 1
    cluster.settle()
    cluster.got(asker)


def test_an_answer_that_could_not_be_delivered_is_nobodys_business() -> None:
    """Only a request that comes back ends a call; and no suspicion follows from it."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    cluster.get(a, KEY)
    cluster.deliver(*cluster.sent(Fetch, to=b))
    cluster.bounce(*cluster.sent(Fetched, b, a))
    assert cluster.status(b).suspected == ()


def test_a_node_that_left_in_good_order_goes_on_counting() -> None:
    """Its next life must not name a second write by a dot of the last one (hazard H03)."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    before = cluster.put(a, KEY, b"before")
    cluster.settle()
    cluster.feed(a, DrainAsked())
    cluster.settle()
    assert cluster.left == [a]
    cluster.crash(a)
    cluster.restart(a)
    after = cluster.put(a, KEY, b"after")
    cluster.settle()
    assert cluster.written(before).dot != cluster.written(after).dot
    assert sorted(cluster.held(b, KEY)) == [b"after", b"before"]


def test_a_node_goes_on_counting_however_many_have_written_since() -> None:
    """Its entry in a clock makes room for nobody's: a clock is never cut (hazards H02 and H03)."""
    cluster = Cluster(n=5)
    dots: list[str] = []
    for name in cluster.preference(KEY) * 2:
        read = cluster.get(name, KEY)
        cluster.settle()
        asker = cluster.put(name, KEY, b"value", context=cluster.got(read).context)
        cluster.settle()
        dots.append(cluster.written(asker).dot)
    assert len(set(dots)) == len(dots)


def test_a_quorum_that_was_missed_leaves_no_mark() -> None:
    """The next put is taken as if nothing had been: "always writeable" (Dynamo, 2.3)."""
    cluster = Cluster()
    a, *others = cluster.preference(KEY)
    cluster.down = others
    missed = cluster.put(a, KEY, b"missed")
    cluster.elapse(1100)
    assert cluster.refused(missed).code == "unavailable"

    cluster.down = []
    cluster.elapse(500)
    asker = cluster.put(a, KEY, b"taken")
    cluster.settle()
    cluster.written(asker)


# --- leaving ---


def test_an_idle_node_leaves_at_once() -> None:
    """There is nothing to wait for."""
    cluster = Cluster()
    cluster.feed("n1", DrainAsked())
    assert cluster.left == ["n1"]


def test_what_is_staged_is_durable_before_a_node_leaves() -> None:
    """It may be a peer's write, which has been promised to nobody, but a disk is left in good order."""
    cluster = Cluster()
    cluster.say("n2", "n1", Replicate(1, KEY, Versions(Clock().including(Dot(Actor("n2", "1", 1), 1))), None, MS))
    cluster.feed("n1", DrainAsked())
    assert cluster.left == []
    cluster.commit("n1")
    assert cluster.left == ["n1"]
    assert len(cluster.sent(Stored, "n1", "n2")) == 1


@pytest.mark.parametrize("in_good_order", [True, False])
def test_every_start_is_another_incarnation(in_good_order: bool) -> None:
    """However the last life ended: who restores a copy of this disk, or runs on it a second time, mints no dot again
    (hazards H03 and H22).
    """
    cluster = Cluster()
    before = cluster.node("n1").replica.incarnation
    if in_good_order:
        cluster.feed("n1", DrainAsked())
    cluster.crash("n1")
    cluster.restart("n1")
    assert cluster.node("n1").replica.incarnation != before


def test_a_draining_node_finishes_what_it_has_begun_and_takes_nothing_new() -> None:
    """The put under way is answered and seen through; the next one is refused, definitely."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    begun = cluster.put(a, KEY, b"value")
    cluster.feed(a, DrainAsked())
    refused = cluster.put(a, KEY, b"too late")
    assert cluster.left == []

    cluster.say(b, a, Replicate(1, b"other", NOTHING, None, MS))
    cluster.say(b, a, Fetch(2, KEY, MS))
    cluster.settle()

    cluster.written(begun)
    assert (cluster.refused(refused).code, cluster.refused(refused).definite) == ("shutting-down", True)
    assert cluster.left == [a]
    assert cluster.node(a).release.held == 0


def test_a_draining_node_stages_the_hints_of_its_last_put_before_it_leaves() -> None:
    """It goes when they are durable, and hands them off in its next life."""
    cluster = Cluster(("n1", "n2", "n3"))
    a, b, c = cluster.preference(KEY)
    cluster.down = [c]
    cluster.put(a, KEY, b"value")
    cluster.feed(a, DrainAsked())
    cluster.settle()
    assert cluster.left == []

    cluster.elapse(250, then=lambda: None)
    assert cluster.hints() == [(a, c)]
    assert cluster.left == [], "staged is not durable"
    cluster.settle()
    assert cluster.left == [a]

    cluster.crash(a)
    cluster.restart(a)
    cluster.down = []
    cluster.elapse(2000)
    assert cluster.held(c, KEY) == cluster.held(b, KEY) == [b"value"]


def test_a_draining_node_waits_for_its_repairs() -> None:
    """A get is not over with its answer."""
    cluster = Cluster()
    a, b, c, *_ = cluster.preference(KEY)
    cluster.get(a, KEY)
    cluster.deliver(*cluster.sent(Fetch, to=b))
    cluster.deliver(*cluster.sent(Fetched))
    cluster.feed(a, DrainAsked())
    assert cluster.status(a).work["requests"] == 1

    cluster.deliver(*cluster.sent(Fetch, to=c))
    cluster.deliver(*cluster.sent(Fetched))
    assert cluster.left == [a]


def test_a_node_that_has_left_hears_nothing_more() -> None:
    """Its process is about to end: what it took now, nobody would see through."""
    cluster = Cluster()
    cluster.feed("n1", DrainAsked())
    cluster.say("n2", "n1", Replicate(1, KEY, NOTHING, None, MS))
    assert cluster.get("n1", KEY) not in cluster.replies
    assert cluster.sent(Stored) == []
    assert cluster.left == ["n1"]
    assert cluster.store("n1").seal() == []


def test_being_asked_to_drain_twice_is_leaving_once() -> None:
    """An operator may be impatient."""
    cluster = Cluster()
    cluster.feed("n1", DrainAsked())
    cluster.feed("n1", DrainAsked())
    assert cluster.left == ["n1"]
