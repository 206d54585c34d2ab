"""A suspected peer is asked from time to time whether it is back (Dynamo, 4.8.3), and over a new connection."""

from __future__ import annotations

from node.core.conversations import Kind
from node.core.messages import Fetch, Ping, Pong
from tests.node.core.cluster import Cluster

KEY = b"key"


def _suspecting() -> tuple[Cluster, str, str]:
    """A cluster in which the first primary has just come to suspect the second one; and both names."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    cluster.get(a, KEY, ms=200)
    cluster.bounce(*cluster.sent(Fetch, to=b))
    cluster.settle()
    assert cluster.status(a).suspected == (b,)
    return cluster, a, b


def test_a_probe_is_sent_after_the_interval_and_its_answer_ends_the_suspicion() -> None:
    """One ping, not sooner than 250 ms after the peer was missed."""
    cluster, a, b = _suspecting()
    cluster.elapse(249)
    assert cluster.sent(Ping) == []
    cluster.elapse(1, then=lambda: None)
    assert [(letter.sender, letter.to) for letter in cluster.letters] == [(a, b)]

    cluster.settle()
    assert cluster.status(a).suspected == ()
    assert cluster.node(a).conversations.open[Kind.PROBE] == 0
    assert cluster.redialled == []
    assert cluster.timers(a) == []


def test_a_probe_that_is_not_answered_redials_and_is_repeated() -> None:
    """A connection that was cut for seconds stays silent for as long again; a new one does not."""
    cluster, a, b = _suspecting()
    cluster.down = [b]
    cluster.elapse(500)
    assert cluster.redialled == [(a, b)]
    cluster.elapse(500)
    assert cluster.redialled == [(a, b)] * 2

    cluster.down = []
    cluster.elapse(250)
    assert cluster.status(a).suspected == ()
    assert cluster.redialled == [(a, b)] * 2


def test_a_probe_that_cannot_be_sent_redials_too() -> None:
    """Nobody was there."""
    cluster, a, b = _suspecting()
    cluster.elapse(250, then=lambda: None)
    cluster.bounce(*cluster.sent(Ping))
    assert cluster.redialled == [(a, b)]
    assert cluster.status(a).suspected == (b,)


def test_an_answer_to_anything_else_ends_the_probing() -> None:
    """Without another ping."""
    cluster, a, b = _suspecting()
    cluster.node(a).detector.heard(b)
    cluster.elapse(250)
    assert cluster.sent(Ping) == []
    assert cluster.node(a).conversations.open[Kind.PROBE] == 0


def test_what_a_suspect_says_by_itself_proves_nothing() -> None:
    """The link may work one way only: only an answer to us counts (Dynamo, 4.8.3)."""
    cluster, a, b = _suspecting()
    cluster.get(b, KEY)
    cluster.deliver(*cluster.sent(Fetch, b, a))
    assert cluster.status(a).suspected == (b,)


def test_a_late_pong_counts() -> None:
    """Its call has ended, and its sender is alive."""
    cluster, a, b = _suspecting()
    cluster.elapse(250, then=lambda: None)
    cluster.deliver(*cluster.sent(Ping))
    (late,) = cluster.sent(Pong)
    cluster.elapse(260, then=lambda: None)
    assert cluster.status(a).suspected == (b,)
    cluster.deliver(late)
    assert cluster.status(a).suspected == ()


def test_a_peer_that_flaps_is_probed_by_one_conversation() -> None:
    """Answers that come late make a peer up and down in turn; each miss is news, and none begins a second probe while
    the first one is at it.
    """
    cluster, a, b = _suspecting()
    for _ in range(10):
        cluster.node(a).detector.heard(b)
        cluster.get(a, KEY, ms=200)
        cluster.bounce(*cluster.sent(Fetch, to=b))
        cluster.settle()
        assert cluster.status(a).suspected == (b,)
    assert cluster.node(a).conversations.open[Kind.PROBE] == 1

    cluster.elapse(250)
    assert cluster.node(a).conversations.open[Kind.PROBE] == 0
    cluster.get(a, KEY, ms=200)
    cluster.bounce(*cluster.sent(Fetch, to=b))
    assert cluster.node(a).conversations.open[Kind.PROBE] == 1, "and the next suspicion begins one again"
