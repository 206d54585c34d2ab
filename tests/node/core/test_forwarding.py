"""A put that reaches a node outside of the key's top N goes to the first of them, and one hop only (Dynamo, 4.5)."""

from __future__ import annotations

from node.core.calls import TAKEN_UP_MAX, TakenUp
from node.core.facts import DrainAsked
from node.core.messages import Ack, Declined, Forward, Forwarded, Refused, Replicate
from tests.node.core.cluster import MS, Cluster

KEY = b"key"


def test_a_node_outside_of_the_top_n_forwards_to_the_first_of_it() -> None:
    """“The node [...] will not coordinate it if the node is not in the top N of the requested key's preference list;
    instead, that node will forward the request to the first among the top N nodes.”
    """
    cluster = Cluster()
    a, *_, e = cluster.preference(KEY)
    asker = cluster.put(e, KEY, b"value")
    assert [letter.to for letter in cluster.sent(Forward)] == [a]

    cluster.settle()

    written = cluster.written(asker)
    assert written.coordinator == a
    assert written.dot.startswith(f"{a}.")
    assert cluster.held(a, KEY) == [b"value"]
    assert cluster.hints() == []


def test_any_node_of_the_top_n_coordinates_itself() -> None:
    """“Any of the top N nodes in the preference list” may (Dynamo, 5)."""
    cluster = Cluster()
    for name in cluster.preference(KEY)[:3]:
        asker = cluster.put(name, KEY, b"value")
        cluster.settle()
        assert cluster.written(asker).coordinator == name


def test_a_forwarded_put_is_never_forwarded_again() -> None:
    """Two nodes that disagree about who is up do not play ball with it (hazard H11): a fallback that gets it writes
    it, as a hint, although it believes all primaries to be up.
    """
    cluster = Cluster()
    a, b, c, d, e = cluster.preference(KEY)
    for name in (a, b, c):
        cluster.node(e).detector.missed(name)
    asker = cluster.put(e, KEY, b"value")
    (letter,) = cluster.sent(Forward)
    assert letter.to == d
    cluster.deliver(letter)
    assert cluster.sent(Forward) == []

    cluster.settle()
    assert cluster.written(asker).coordinator == d
    assert cluster.written(asker).acks[0] == Ack(d, hint_for=a)
    assert cluster.held(a, KEY) == cluster.held(b, KEY) == cluster.held(c, KEY) == [b"value"]


def test_a_node_that_believes_everybody_before_it_to_be_down_coordinates_itself() -> None:
    """Standing in for the first of them."""
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    for name in (a, b, c):
        cluster.node(d).detector.missed(name)
    asker = cluster.put(d, KEY, b"value")
    cluster.settle()
    assert cluster.written(asker).coordinator == d
    assert cluster.written(asker).acks[0] == Ack(d, hint_for=a)


def test_what_was_certainly_not_sent_goes_to_the_next() -> None:
    """It cannot have happened twice."""
    cluster = Cluster()
    a, b, *_, e = cluster.preference(KEY)
    asker = cluster.put(e, KEY, b"value")
    cluster.bounce(*cluster.sent(Forward, to=a))
    assert [letter.to for letter in cluster.sent(Forward)] == [b]
    cluster.settle()
    assert cluster.written(asker).coordinator == b


def test_what_was_sent_and_not_answered_goes_to_nobody_else() -> None:
    """It may have happened; a second coordinator would make a sibling of one client's put (hazard H11)."""
    cluster = Cluster()
    a, *_, e = cluster.preference(KEY)
    cluster.cut = [(e, a)]
    asker = cluster.put(e, KEY, b"value")
    cluster.settle()
    cluster.elapse(1000)
    refused = cluster.refused(asker)
    assert (refused.code, refused.definite) == ("timeout", False)
    assert cluster.sent(Forward) == []
    assert a in cluster.status(e).suspected


def test_a_coordinator_that_declines_is_one_that_was_asked() -> None:
    """Whatever it means by that, the put may have happened."""
    cluster = Cluster()
    a, *_, e = cluster.preference(KEY)
    asker = cluster.put(e, KEY, b"value")
    (letter,) = cluster.sent(Forward, to=a)
    assert isinstance(letter.message, Forward)
    cluster.say(a, e, Declined(letter.message.call, "no"))
    assert not cluster.refused(asker).definite
    assert cluster.sent(Forward) == [letter], "nobody else is asked"


def test_a_coordinator_that_is_leaving_is_passed_over() -> None:
    """It says that it did nothing, so the next one may be asked."""
    cluster = Cluster()
    a, b, *_, e = cluster.preference(KEY)
    busy = cluster.put(a, b"another key", b"value")
    cluster.feed(a, DrainAsked())
    asker = cluster.put(e, KEY, b"value")
    cluster.deliver(*cluster.sent(Forward, to=a))
    cluster.settle()
    assert cluster.written(asker).coordinator == b
    cluster.written(busy)


def test_any_other_refusal_is_passed_on() -> None:
    """As it was said, definite or not."""
    cluster = Cluster()
    a, *_, e = cluster.preference(KEY)
    asker = cluster.put(e, KEY, b"value", context=b"garbage")
    cluster.settle()
    assert (cluster.refused(asker).code, cluster.refused(asker).definite) == ("bad-context", True)

    cluster.cut = [(a, name) for name in cluster.config.members]
    cluster.cut.remove((a, e))
    asker = cluster.put(e, KEY, b"value", w=3)
    cluster.settle()
    cluster.elapse(800)
    assert (cluster.refused(asker).code, cluster.refused(asker).definite) == ("unavailable", False)
    assert f"confirmed to {a}" in cluster.refused(asker).text


def test_the_coordinator_gets_less_time_than_there_is() -> None:
    """So that its refusal still arrives in time where the client waits."""
    cluster = Cluster()
    *_, e = cluster.preference(KEY)
    cluster.put(e, KEY, b"value", ms=1000)
    (letter,) = cluster.sent(Forward)
    assert isinstance(letter.message, Forward)
    assert letter.message.put.remaining_ns == 800 * MS


def test_time_spent_on_a_coordinator_that_could_not_be_reached_is_spent() -> None:
    """Dialling takes time: the next one gets a share of what is left, and nobody begins a put whose time is over."""
    cluster = Cluster()
    a, b, c, *_, e = cluster.preference(KEY)
    asker = cluster.put(e, KEY, b"value", ms=1000)
    cluster.now_ns += 600 * MS
    cluster.bounce(*cluster.sent(Forward, to=a))
    (second,) = cluster.sent(Forward, to=b)
    assert isinstance(second.message, Forward)
    assert second.message.put.remaining_ns == 320 * MS

    cluster.now_ns += 400 * MS
    cluster.bounce(second)
    assert (cluster.refused(asker).code, cluster.refused(asker).definite) == ("expired", True)
    assert cluster.sent(Forward, to=c) == []
    assert cluster.sent(Replicate) == []


def test_a_put_coordinated_here_after_all_ends_at_the_clients_deadline() -> None:
    """When nobody before this node could be reached, it has the time that is left and not all of it again."""
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    asker = cluster.put(d, KEY, b"value", ms=1000, w=3)
    cluster.now_ns += 900 * MS
    for name in (a, b, c):
        cluster.bounce(*cluster.sent(Forward, to=name))
    cluster.commit(d)
    cluster.elapse(100, then=lambda: None)
    assert not cluster.refused(asker).definite


def test_the_answer_to_a_forward_is_held_until_it_is_durable() -> None:
    """Here as everywhere: with W = 1 the coordinator's own commit is all there is."""
    cluster = Cluster()
    a, *_, e = cluster.preference(KEY)
    asker = cluster.put(e, KEY, b"value", w=1)
    cluster.deliver(*cluster.sent(Forward))
    assert cluster.sent(Forwarded) == []
    cluster.commit(a)
    cluster.deliver(*cluster.sent(Forwarded))
    assert cluster.written(asker).acks == (Ack(a),)


def test_an_expired_forward_is_refused() -> None:
    """Definitely: nothing was begun."""
    cluster = Cluster()
    *_, e = cluster.preference(KEY)
    cluster.put(e, KEY, b"value", ms=1000)
    (letter,) = cluster.sent(Forward)
    assert isinstance(letter.message, Forward)
    put = letter.message.put
    letter.message = Forward(letter.message.call, type(put)(put.request, put.key, put.value, put.context, 0, put.w))
    cluster.deliver(letter)
    (answer,) = cluster.sent(Forwarded)
    assert isinstance(answer.message, Forwarded)
    assert isinstance(answer.message.response, Refused)
    assert (answer.message.response.code, answer.message.response.definite) == ("expired", True)


def test_a_forward_that_comes_twice_is_coordinated_once() -> None:
    """A link may bring a message twice; one put must not get two dots (hazard H11)."""
    cluster = Cluster()
    a, *_, e = cluster.preference(KEY)
    asker = cluster.put(e, KEY, b"value")
    (letter,) = cluster.sent(Forward)
    cluster.deliver(letter)
    cluster.say(e, a, letter.message)
    cluster.settle()
    cluster.say(e, a, letter.message)
    cluster.settle()
    assert cluster.held(a, KEY) == [b"value"]
    assert cluster.written(asker).coordinator == a


def test_what_is_remembered_of_forwards_is_bounded() -> None:
    """The latest calls only; another peer's call under the same number is another call."""
    known = TakenUp()
    assert known.is_new("n1", 1)
    assert known.is_new("n2", 1)
    assert not known.is_new("n1", 1)
    assert all(known.is_new("n1", call) for call in range(2, TAKEN_UP_MAX + 2))
    assert known.is_new("n1", 1)
