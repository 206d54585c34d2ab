"""The write conversation: what W counts, what happens to primaries that cannot be reached, and when it ends."""

from __future__ import annotations

import pytest

from node.core.conversations import Kind
from node.core.messages import Ack, Fetch, Replicate, Stored
from tests.node.core.cluster import MS, Cluster

KEY = b"key"


def test_the_coordinators_own_write_counts_as_one_of_w() -> None:
    """“If at least W-1 nodes respond then the write is considered successful” (Dynamo, 4.5)."""
    cluster = Cluster()
    a, b, c, *_ = cluster.preference(KEY)
    asker = cluster.put(a, KEY, b"value")
    assert [(letter.sender, letter.to) for letter in cluster.letters] == []

    cluster.commit(a)
    to_b, to_c = cluster.sent(Replicate)
    assert (to_b.to, to_c.to) == (b, c)
    cluster.deliver(to_b)
    cluster.commit(b)
    assert asker not in cluster.replies
    cluster.deliver(*cluster.sent(Stored))

    written = cluster.written(asker)
    assert written.acks == (Ack(a), Ack(b))
    assert written.coordinator == a
    assert cluster.held(a, KEY) == cluster.held(b, KEY) == [b"value"]
    assert cluster.held(c, KEY) == []


def test_every_ack_says_whether_its_node_keeps_what_it_has() -> None:
    """One whose store is gone with its process is no proof that the write survives a crash."""
    cluster = Cluster()
    a, b, c, *_ = cluster.preference(KEY)
    cluster.node(b).durable = False
    asker = cluster.put(a, KEY, b"value", w=3)
    cluster.settle()
    assert set(cluster.written(asker).acks) == {Ack(a), Ack(b, durable=False), Ack(c)}

    cluster.node(a).durable = False
    asker = cluster.put(a, KEY, b"value", w=1)
    cluster.settle()
    assert cluster.written(asker).acks == (Ack(a, durable=False),)


def test_a_reply_is_held_until_the_write_is_durable_here() -> None:
    """Even with W = 1: the coordinator's own copy counts only when a crash cannot take it back."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    asker = cluster.put(a, KEY, b"value", w=1)
    assert asker not in cluster.replies
    assert cluster.letters == [], "nor does anything else leave"

    cluster.commit(a)
    assert cluster.written(asker).acks == (Ack(a),)


def test_a_replica_confirms_only_what_is_durable() -> None:
    """`Stored` is held back until the commit; what is merged is visible before."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"value")
    cluster.commit(a)
    cluster.deliver(*cluster.sent(Replicate, to=b))
    assert cluster.held(b, KEY) == [b"value"]
    assert cluster.sent(Stored) == []

    cluster.commit(b)
    assert len(cluster.sent(Stored, b, a)) == 1


def test_the_reply_names_the_dot_and_a_context_for_it_alone() -> None:
    """The context covers the write's own dot and the context given, and not a sibling that it has not seen."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    first = cluster.put(a, KEY, b"unseen")
    cluster.settle()
    second = cluster.put(a, KEY, b"mine")
    cluster.settle()
    third = cluster.put(a, KEY, b"mine again", context=cluster.written(second).context)
    cluster.settle()

    assert len({cluster.written(asker).dot for asker in (first, second, third)}) == 3
    assert cluster.held(a, KEY) == [b"unseen", b"mine again"]


def test_w_is_reached_with_a_fallback_that_holds_a_hint() -> None:
    """A primary is silent; the next healthy node keeps a hint for it, and that copy counts (Dynamo, 4.6)."""
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    cluster.down = [b]
    asker = cluster.put(a, KEY, b"value", w=3)
    cluster.settle()
    assert asker not in cluster.replies

    cluster.elapse(250)

    assert cluster.written(asker).acks == (Ack(a), Ack(c), Ack(d, hint_for=b))
    assert cluster.hinted(d, b, KEY) == [b"value"]
    assert cluster.held(d, KEY) == []


def test_a_suspected_primary_is_not_asked_at_all() -> None:
    """The second put does not wait for the time-out that the first one paid for."""
    cluster = Cluster()
    a, b, _, d, _ = cluster.preference(KEY)
    cluster.down = [b]
    cluster.put(a, KEY, b"first")
    cluster.settle()
    cluster.elapse(250)

    asker = cluster.put(a, KEY, b"second", w=3)
    cluster.settle()

    assert Ack(d, hint_for=b) in cluster.written(asker).acks


def test_a_fallback_that_fails_is_replaced_by_the_next_one() -> None:
    """For the same primary."""
    cluster = Cluster()
    a, b, _, d, e = cluster.preference(KEY)
    cluster.down = [b, d]
    asker = cluster.put(a, KEY, b"value", w=3)
    cluster.settle()
    cluster.elapse(250)
    cluster.elapse(250)
    assert Ack(e, hint_for=b) in cluster.written(asker).acks
    assert cluster.hints() == [(e, b)]


def test_w_not_reached_is_an_indefinite_refusal_and_the_write_is_seen_through() -> None:
    """It may have happened, so it must end up everywhere: the coordinator keeps hints for all primaries that it could
    not reach, and delivers them when they are back.
    """
    cluster = Cluster()
    a, b, c, d, e = cluster.preference(KEY)
    cluster.down = [b, c, d, e]
    asker = cluster.put(a, KEY, b"value")
    cluster.settle()
    cluster.elapse(1000)

    refused = cluster.refused(asker)
    assert (refused.code, refused.definite) == ("unavailable", False)
    assert "1 of W = 2 replicas confirmed" in refused.text
    assert sorted(cluster.hints()) == sorted([(a, b), (a, c)])

    cluster.down = []
    cluster.elapse(3000)
    assert cluster.held(a, KEY) == cluster.held(b, KEY) == cluster.held(c, KEY) == [b"value"]
    assert cluster.hints() == []


def test_hints_beyond_the_quorum_stay_with_the_coordinator_and_do_not_count() -> None:
    """With W = 3, two copies and a hint of the coordinator's own for the third place are not three copies."""
    cluster = Cluster(("n1", "n2", "n3"))
    a, b, c = cluster.preference(KEY)
    cluster.down = [c]
    asker = cluster.put(a, KEY, b"value", w=3)
    cluster.settle()
    cluster.elapse(1000)

    assert not cluster.refused(asker).definite
    assert cluster.held(b, KEY) == [b"value"]
    assert cluster.hints() == [(a, c)]


def test_a_put_that_was_answered_goes_on_until_every_primary_has_a_home() -> None:
    """The answer at W does not end the conversation: the third primary's hint is still to come."""
    cluster = Cluster(("n1", "n2", "n3"))
    a, _, c = cluster.preference(KEY)
    cluster.cut = [(a, c)]
    asker = cluster.put(a, KEY, b"value")
    cluster.settle()
    cluster.written(asker)
    assert cluster.status(a).work["requests"] == 1
    assert cluster.hints() == []

    cluster.elapse(250)
    assert cluster.status(a).work["requests"] == 0
    assert cluster.hints() == [(a, c)]


def test_a_hint_kept_here_is_durable_before_the_put_has_ended() -> None:
    """Whoever drains or looks for quiet waits for it."""
    cluster = Cluster(("n1", "n2", "n3"))
    a, b, c = cluster.preference(KEY)
    cluster.down = [b, c]
    cluster.put(a, KEY, b"value")
    cluster.settle()
    cluster.elapse(250, then=lambda: None)

    assert sorted(cluster.hints()) == sorted([(a, b), (a, c)])
    assert cluster.node(a).release.must_wait()
    assert cluster.node(a).conversations.open[Kind.REQUEST] == 1
    cluster.commit(a)
    assert cluster.node(a).conversations.open[Kind.REQUEST] == 0


def test_a_late_confirmation_revives_the_peer_and_is_not_counted() -> None:
    """Its call had ended: the place is taken by a fallback, and only the belief is mended."""
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    cluster.down = [c]
    asker = cluster.put(a, KEY, b"value", w=3)
    cluster.commit(a)
    cluster.deliver(*cluster.sent(Replicate, to=b))
    cluster.commit(b)
    late = cluster.sent(Stored, b, a)
    cluster.drop(*cluster.sent(Replicate, to=c))

    cluster.elapse(250, then=lambda: None)
    assert sorted(cluster.status(a).suspected) == sorted([b, c])
    cluster.deliver(*late)

    assert cluster.status(a).suspected == (c,)
    assert asker not in cluster.replies
    cluster.deliver(*cluster.sent(Replicate, to=d))
    cluster.commit(d)
    cluster.deliver(*cluster.sent(Stored, d, a))
    assert asker not in cluster.replies, "two copies that count, and W is three"


def test_a_confirmation_that_arrives_twice_counts_once() -> None:
    """A network may repeat itself."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    asker = cluster.put(a, KEY, b"value", w=3)
    cluster.commit(a)
    cluster.deliver(*cluster.sent(Replicate, to=b))
    cluster.commit(b)
    (stored,) = cluster.sent(Stored, b, a)
    cluster.letters.append(stored)
    cluster.deliver(stored, stored)
    assert asker not in cluster.replies


def test_what_is_sent_carries_the_time_that_is_left() -> None:
    """A fallback that is asked late gets less of it."""
    cluster = Cluster()
    a, b, _, d, _ = cluster.preference(KEY)
    cluster.cut = [(a, b)]
    cluster.put(a, KEY, b"value", w=3, ms=600)
    cluster.settle()
    cluster.elapse(250, then=lambda: None)
    (late,) = cluster.sent(Replicate, a, d)
    assert isinstance(late.message, Replicate)
    assert late.message.remaining_ns == 350 * MS


def test_a_put_at_its_deadline_keeps_hints_for_whoever_has_not_answered() -> None:
    """Its time may be shorter than any peer's time-out."""
    cluster = Cluster()
    a, b, c, *_ = cluster.preference(KEY)
    asker = cluster.put(a, KEY, b"value", ms=20)
    cluster.commit(a)
    cluster.elapse(20, then=lambda: None)
    cluster.commit(a)
    assert not cluster.refused(asker).definite
    assert sorted(cluster.hints()) == sorted([(a, b), (a, c)])
    assert cluster.status(a).suspected == (), "nobody was given the time to be late"


def test_an_expired_replicate_is_declined_and_changes_nothing() -> None:
    """Expired work is refused, so that a run can become quiet."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"value")
    cluster.commit(a)
    (letter,) = cluster.sent(Replicate, a, b)
    assert isinstance(letter.message, Replicate)
    letter.message = Replicate(letter.message.call, KEY, letter.message.versions, None, 0)
    cluster.deliver(letter)
    assert cluster.held(b, KEY) == []
    assert [type(answer.message).__name__ for answer in cluster.letters if answer.sender == b] == ["Declined"]


@pytest.mark.parametrize("context", [b"garbage", b"x" * 40])
def test_a_foreign_context_is_refused_before_anything_is_written(context: bytes) -> None:
    """Definitely without effect: it is never taken for “no context” (hazard H17)."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    asker = cluster.put(a, KEY, b"value", context=context)
    refused = cluster.refused(asker)
    assert (refused.code, refused.definite) == ("bad-context", True)
    assert cluster.letters == []
    assert cluster.held(a, KEY) == []
    assert cluster.status(a).work["requests"] == 0


def test_another_keys_context_is_foreign() -> None:
    """It covers events of another key."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    read = cluster.put(a, KEY, b"value")
    cluster.settle()
    asker = cluster.put(a, b"another key", b"value", context=cluster.written(read).context)
    cluster.settle()
    assert cluster.refused(asker).code == "bad-context"


def test_no_timer_is_left_when_all_is_said() -> None:
    """Neither of a put that went well nor of one that did not."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"value")
    cluster.settle()
    assert cluster.timers(a) == []

    cluster.down = [b]
    cluster.put(a, KEY, b"value", w=3)
    cluster.settle()
    cluster.elapse(250)
    cluster.down = []
    cluster.elapse(3000)
    assert [cluster.timers(name) for name in cluster.config.members] == [[]] * 5
    assert not cluster.sent(Fetch)


def test_a_slow_disk_here_is_no_silence_of_the_peers() -> None:
    """A peer's time runs from when the request leaves, and it does not leave before the commit here."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"value")
    assert cluster.timers(a) == [1000]

    cluster.commit(a)
    assert cluster.timers(a) == [250, 1000], "one timer watches for the silence of both"
    assert cluster.sent(Replicate, sender=a) != []


def test_nobody_has_more_time_than_the_cluster_gives() -> None:
    """A client that asks for an hour gets the request time-out: it must not keep a node from becoming quiet."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"value", ms=3_600_000)

    assert cluster.timers(a) == [1000]
