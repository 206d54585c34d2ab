"""The read conversation: ask N, answer at R with everything that is causally unrelated, then repair who was behind."""

from __future__ import annotations

from node.core.clocks import Clock
from node.core.messages import Ack, Fetch, Fetched, Replicate, Stored
from tests.node.core.cluster import MS, Cluster

KEY = b"key"


def _settled_put(cluster: Cluster, at: str, value: bytes, context: bytes = b"") -> bytes:
    """Put and let everything happen; returns the context of the reply."""
    asker = cluster.put(at, KEY, value, context=context)
    cluster.settle()
    return cluster.written(asker).context


def _diverged(*values: bytes) -> tuple[Cluster, tuple[str, ...]]:
    """A cluster without fallbacks whose primaries hold one blind write each, and do not know of the others'."""
    cluster = Cluster(("n1", "n2", "n3"), hint_retry_ms=60_000)
    primaries = cluster.preference(KEY)
    everybody = [(one, two) for one in primaries for two in primaries]
    for name, value in zip(primaries, values, strict=False):
        cluster.cut = everybody
        cluster.put(name, KEY, value)
        cluster.settle()
        cluster.elapse(1000)
        cluster.cut = []
        cluster.elapse(600)
    assert [cluster.held(name, KEY) for name in primaries] == [[value] for value in values] + [[]] * (3 - len(values))
    return cluster, primaries


def test_a_key_that_was_never_written_is_an_empty_answer() -> None:
    """No versions and no context, said by R replicas."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    asker = cluster.get(a, KEY)
    cluster.settle()
    got = cluster.got(asker)
    assert (got.versions, got.context) == ((), b"")
    assert len(got.acks) == 2


def test_a_get_asks_n_and_answers_at_r() -> None:
    """The coordinator answers itself; with R = 2 the first other answer is enough (Dynamo, 4.5)."""
    cluster = Cluster()
    a, b, c, *_ = cluster.preference(KEY)
    _settled_put(cluster, a, b"value")
    asker = cluster.get(a, KEY)
    assert [letter.to for letter in cluster.sent(Fetch)] == [b, c]

    cluster.deliver(*cluster.sent(Fetch, to=c))
    assert asker not in cluster.replies
    cluster.deliver(*cluster.sent(Fetched))

    got = cluster.got(asker)
    assert [version.value for version in got.versions] == [b"value"]
    assert got.acks == (Ack(a), Ack(c))


def test_every_ack_says_whether_its_node_keeps_what_it_has() -> None:
    """The coordinator's own, and those of others."""
    cluster = Cluster()
    a, b, c, *_ = cluster.preference(KEY)
    cluster.node(a).durable = cluster.node(c).durable = False
    asker = cluster.get(a, KEY, r=3)
    cluster.settle()
    assert cluster.got(asker).acks == (Ack(a, durable=False), Ack(b), Ack(c, durable=False))


def test_any_node_may_coordinate_a_read() -> None:
    """One that is no replica of the key asks those that are, and answers nothing from itself."""
    cluster = Cluster()
    a, *_, e = cluster.preference(KEY)
    _settled_put(cluster, a, b"value")
    asker = cluster.get(e, KEY)
    cluster.settle()
    got = cluster.got(asker)
    assert got.coordinator == e
    assert e not in [ack.node for ack in got.acks]
    assert [version.value for version in got.versions] == [b"value"]


def test_siblings_come_together_under_one_context_that_replaces_them_all() -> None:
    """“The context of a multi-version get collapses all of them into one” (Dynamo, 4.4)."""
    cluster, (a, b, c) = _diverged(b"one", b"two")
    asker = cluster.get(c, KEY, r=3)
    cluster.settle()
    got = cluster.got(asker)
    assert sorted(version.value for version in got.versions) == [b"one", b"two"]

    _settled_put(cluster, a, b"both", got.context)
    assert cluster.held(a, KEY) == cluster.held(b, KEY) == cluster.held(c, KEY) == [b"both"]


def test_a_context_does_not_cover_a_hint_that_was_not_read() -> None:
    """Whoever writes with a context erases what it covers: it must not claim what was not shown (hazard H17)."""
    cluster = Cluster()
    _, b, _, d, _ = cluster.preference(KEY)
    cluster.node(d).replica.write(KEY, Clock(), b"kept for b", hint_for=b)
    asker = cluster.get(d, KEY)
    cluster.settle()
    assert (cluster.got(asker).versions, cluster.got(asker).context) == ((), b"")


def test_r_not_reached_has_definitely_failed() -> None:
    """A read has no effect; the text says who answered."""
    cluster = Cluster(("n1", "n2", "n3"))
    a, b, c = cluster.preference(KEY)
    cluster.down = [b, c]
    asker = cluster.get(a, KEY)
    cluster.settle()
    cluster.elapse(250)
    refused = cluster.refused(asker)
    assert (refused.code, refused.definite) == ("unavailable", True)
    assert refused.text == f"1 of R = 2 replicas answered {a} in time: {a}"
    assert cluster.status(a).work["requests"] == 0
    assert cluster.timers(a) == [250, 250], "two probes, and no deadline of a get that is over"


def test_a_fallback_answers_in_place_of_a_silent_primary() -> None:
    """With the hints that it holds (Dynamo, 4.6), and the reply says for whom it stood in."""
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    cluster.down = [b, c]
    cluster.put(a, KEY, b"value")
    cluster.settle()
    cluster.elapse(250)

    asker = cluster.get(a, KEY)
    cluster.settle()

    got = cluster.got(asker)
    assert got.acks == (Ack(a), Ack(d, hint_for=b))
    assert [version.value for version in got.versions] == [b"value"]


def test_an_answer_after_the_deadline_is_not_counted() -> None:
    """The refusal stands; the peer is up."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    asker = cluster.get(a, KEY, ms=100)
    cluster.deliver(*cluster.sent(Fetch, to=b))
    cluster.elapse(100, then=lambda: None)
    cluster.refused(asker)
    cluster.deliver(*cluster.sent(Fetched))
    cluster.refused(asker)
    assert cluster.status(a).work["requests"] == 0


def test_an_expired_fetch_is_declined() -> None:
    """Whoever asked is not waiting any more."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    cluster.get(a, KEY)
    (letter,) = cluster.sent(Fetch, to=b)
    assert isinstance(letter.message, Fetch)
    assert letter.message.remaining_ns == 1000 * MS
    letter.message = Fetch(letter.message.call, KEY, 0)
    cluster.deliver(letter)
    assert [type(answer.message).__name__ for answer in cluster.letters if answer.sender == b] == ["Declined"]


# --- what is staged and not durable ---


def test_a_get_does_not_release_a_staged_version() -> None:
    """The read sees what another conversation staged, and its reply waits for that one's barrier: otherwise a crash
    could take back what a client has seen.
    """
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"staged")
    asker = cluster.get(a, KEY, r=1)
    assert asker not in cluster.replies

    cluster.commit(a)
    assert [version.value for version in cluster.got(asker).versions] == [b"staged"]


def test_a_peer_does_not_hear_of_a_staged_version_either() -> None:
    """`Fetched` is held back like a reply."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"staged")
    cluster.get(b, KEY)
    cluster.deliver(*cluster.sent(Fetch, b, a))
    assert cluster.sent(Fetched, a, b) == []

    cluster.commit(a)
    (fetched,) = cluster.sent(Fetched, a, b)
    assert isinstance(fetched.message, Fetched)
    assert len(fetched.message.versions.siblings) == 1


# --- read repair ---


def test_only_the_primaries_that_are_behind_are_repaired_with_the_merged_set() -> None:
    """“The process updates those nodes with the latest version” (Dynamo, 5): all siblings, and nobody who has them."""
    cluster, (a, b, c) = _diverged(b"one", b"two")
    cluster.get(c, KEY, r=3)
    cluster.deliver(*cluster.sent(Fetch))
    cluster.deliver(*cluster.sent(Fetched))
    assert sorted(cluster.held(c, KEY)) == [b"one", b"two"], "the coordinator repairs itself"
    cluster.commit(c)
    repairs = cluster.sent(Replicate, c)
    assert [repair.to for repair in repairs] == [name for name in (a, b, c) if name != c]
    assert all(isinstance(r.message, Replicate) and r.message.hint_for is None for r in repairs)
    cluster.settle()
    assert cluster.held(a, KEY) == cluster.held(b, KEY) == cluster.held(c, KEY)

    cluster.get(c, KEY, r=3)
    cluster.deliver(*cluster.sent(Fetch))
    cluster.deliver(*cluster.sent(Fetched))
    assert cluster.sent(Replicate) == [], "nobody is behind any more"


def test_repair_waits_a_small_period_for_the_answers_still_out() -> None:
    """A replica whose answer comes after the reply, but within the window, is repaired as well."""
    cluster, (a, b, c) = _diverged(b"one")
    cluster.get(a, KEY)
    cluster.deliver(*cluster.sent(Fetch))
    from_b, from_c = cluster.sent(Fetched)
    cluster.deliver(from_b)
    assert cluster.sent(Replicate) == []

    cluster.deliver(from_c)
    assert [repair.to for repair in cluster.sent(Replicate, a)] == [b, c]
    cluster.settle()
    assert cluster.held(c, KEY) == [b"one"]


def test_a_replica_that_stays_silent_is_not_repaired_and_not_waited_for() -> None:
    """The window is 50 ms, and its end is the end of the waiting."""
    cluster, (a, b, c) = _diverged(b"one")
    asker = cluster.get(a, KEY)
    cluster.deliver(*cluster.sent(Fetch, to=b))
    cluster.deliver(*cluster.sent(Fetched, b))
    cluster.got(asker)
    cluster.elapse(49, then=lambda: None)
    assert cluster.sent(Replicate) == []

    cluster.elapse(1, then=lambda: None)
    assert [repair.to for repair in cluster.sent(Replicate, a)] == [b]
    assert cluster.held(c, KEY) == []


def test_nobody_else_is_asked_while_repair_waits() -> None:
    """The reply has been given: an answer that fails to come now is not made up for by a fallback."""
    cluster = Cluster()
    a, b, c, *_ = cluster.preference(KEY)
    asker = cluster.get(a, KEY)
    cluster.deliver(*cluster.sent(Fetch, to=b))
    cluster.deliver(*cluster.sent(Fetched))
    cluster.got(asker)
    cluster.bounce(*cluster.sent(Fetch, to=c))
    assert cluster.letters == []
    assert cluster.status(a).work["requests"] == 0


def test_a_fallback_is_not_repaired() -> None:
    """It holds hints on behalf of others, and is not behind when it holds none."""
    cluster = Cluster()
    a, b, _, d, _ = cluster.preference(KEY)
    _settled_put(cluster, a, b"value")
    cluster.down = [b]
    asker = cluster.get(a, KEY, r=3)
    cluster.settle()
    cluster.elapse(250)
    assert Ack(d, hint_for=b) in cluster.got(asker).acks
    assert cluster.held(d, KEY) == []
    assert cluster.hints() == []


def test_a_repair_whose_target_has_died_ends_all_the_same() -> None:
    """The reply was right without it (scenario S49); the conversation ends with the peer's time-out."""
    cluster, (a, b, c) = _diverged(b"one")
    asker = cluster.get(a, KEY, r=3)
    cluster.deliver(*cluster.sent(Fetch))
    cluster.deliver(*cluster.sent(Fetched))
    cluster.got(asker)
    cluster.drop(*cluster.sent(Replicate))
    assert cluster.status(a).work["requests"] == 1

    cluster.elapse(250, then=lambda: None)
    assert cluster.status(a).work["requests"] == 0
    assert sorted(cluster.status(a).suspected) == sorted([b, c])
    assert cluster.sent(Stored) == []


def test_no_timer_is_left_when_all_is_said() -> None:
    """Neither of a get that repaired nor of one that was refused."""
    cluster, (a, *_) = _diverged(b"one")
    before = cluster.timers(a)
    cluster.get(a, KEY, r=3)
    cluster.settle()
    assert cluster.timers(a) == before, "the next try at the hints"

    cluster.get(a, KEY, r=3, ms=100)
    cluster.drop(*cluster.sent(Fetch))
    cluster.elapse(100, then=lambda: None)
    assert len(cluster.timers(a)) == len(before) + 1, "the silence of two peers is still to be noticed"
