"""Hinted handoff: a hint is delivered, and deleted only when it is still what was delivered (Dynamo, 4.6)."""

from __future__ import annotations

from node.core.clocks import Clock
from node.core.handoff import WINDOW
from node.core.messages import Replicate, Stored
from node.core.store import Space
from tests.node.core.cluster import Cluster

KEY = b"key"
FIRST = b"%05d" % 4
"""The first key that the second primary of `KEY` keeps as well."""


def _hinted(keys: int = 1) -> tuple[Cluster, str, str]:
    """A cluster in which the first primary holds committed hints for the second one, which is up; and both names."""
    cluster = Cluster()
    a, b, *_ = cluster.preference(KEY)
    for key in cluster.kept_by(b, keys):
        cluster.node(a).replica.write(key, Clock(), b"value", hint_for=b)
    cluster.get(a, KEY)
    cluster.settle()
    cluster.elapse(400)
    return cluster, a, b


def _work(cluster: Cluster, name: str) -> int:
    return cluster.status(name).work["hints"]


def test_a_hint_is_delivered_when_its_time_has_come_and_then_deleted() -> None:
    """As an ordinary replica at the target, and it is no longer there at the holder."""
    cluster, a, b = _hinted()
    assert cluster.sent(Replicate) == []
    assert _work(cluster, a) == 1

    cluster.elapse(100, then=lambda: None)
    (delivery,) = cluster.sent(Replicate, a, b)
    assert isinstance(delivery.message, Replicate)
    assert delivery.message.hint_for is None
    cluster.deliver(delivery)
    cluster.commit(b)
    cluster.deliver(*cluster.sent(Stored, b, a))
    cluster.commit(a)

    assert cluster.held(b, FIRST) == [b"value"]
    assert cluster.hints() == []
    assert _work(cluster, a) == 0
    assert cluster.timers(a) == []


def test_a_hint_is_not_deleted_before_the_target_has_it_durably() -> None:
    """Merging is not enough: the target's `Stored` waits for its commit."""
    cluster, a, b = _hinted()
    cluster.elapse(100, then=lambda: None)
    cluster.deliver(*cluster.sent(Replicate, a, b))
    assert cluster.sent(Stored) == []
    assert cluster.hints() == [(a, b)]

    cluster.crash(b)
    cluster.restart(b)
    assert cluster.held(b, FIRST) == []
    cluster.elapse(2000)
    assert cluster.held(b, FIRST) == [b"value"]
    assert cluster.hints() == []


def test_a_hint_that_changed_meanwhile_is_kept_and_delivered_again() -> None:
    """A newer version came in between the delivery and its confirmation: deleting it would lose it (hazard H08)."""
    cluster, a, b = _hinted()
    cluster.elapse(100, then=lambda: None)
    cluster.deliver(*cluster.sent(Replicate, a, b))
    cluster.commit(b)
    cluster.node(a).replica.write(FIRST, Clock(), b"newer", hint_for=b)
    cluster.deliver(*cluster.sent(Stored, b, a))
    assert list(cluster.node(a).replica.hints) == [b]

    cluster.settle()
    cluster.elapse(1000)
    assert cluster.held(b, FIRST) == [b"value", b"newer"]
    assert cluster.hints() == []


def test_a_delivery_that_gets_lost_is_tried_again() -> None:
    """For as long as it takes, but not while the target is suspected; and twice delivered is once stored."""
    cluster, a, b = _hinted()
    cluster.cut = [(b, a)]
    cluster.elapse(2000)
    assert cluster.hints() == [(a, b)]
    assert cluster.status(a).suspected == (b,)
    assert cluster.held(b, FIRST) == [b"value"], "the confirmation was lost, not the delivery"

    cluster.cut = []
    cluster.elapse(1500)
    assert cluster.hints() == []
    assert cluster.held(b, FIRST) == [b"value"]


def test_hints_are_not_sent_to_a_target_that_is_down() -> None:
    """A probe finds out when it is back; hints wait for that."""
    cluster, a, b = _hinted()
    cluster.down = [b]
    cluster.elapse(350)
    assert cluster.status(a).suspected == (b,)
    deliveries: list[object] = []

    def look() -> None:
        deliveries.extend(cluster.sent(Replicate, a, b))
        cluster.settle()

    cluster.elapse(5000, then=look)
    assert deliveries == []


def test_a_window_is_delivered_before_the_next_one_is_begun() -> None:
    """So that a target that comes back is not flooded, and what is under way is bounded."""
    cluster, a, b = _hinted(keys=2 * WINDOW + 3)
    cluster.elapse(100, then=lambda: None)
    assert len(cluster.sent(Replicate, a, b)) == WINDOW

    first, *rest = cluster.sent(Replicate, a, b)
    cluster.deliver(*rest)
    cluster.commit(b)
    cluster.deliver(*cluster.sent(Stored))
    assert cluster.sent(Replicate, a, b) == [first], "one of the window is still out"

    cluster.deliver(first)
    cluster.commit(b)
    cluster.deliver(*cluster.sent(Stored))
    cluster.commit(a)
    assert len(cluster.sent(Replicate, a, b)) == WINDOW
    cluster.settle()
    assert cluster.hints() == []
    assert len(cluster.node(b).replica.page(Space.DATA, b"", 1000)) == 2 * WINDOW + 3


def test_hints_found_at_a_restart_are_delivered() -> None:
    """A holder that restarts looks at what it was keeping (hazard H07)."""
    cluster, a, b = _hinted()
    cluster.crash(a)
    cluster.restart(a)
    cluster.settle()
    assert cluster.hints() == [(a, b)]

    cluster.elapse(500)
    assert cluster.held(b, FIRST) == [b"value"]
    assert cluster.hints() == []


def test_a_hint_made_after_the_last_one_was_delivered_is_delivered_too() -> None:
    """The conversation ended with the last hint, and another one begins."""
    cluster, a, b = _hinted()
    cluster.elapse(100)
    assert cluster.hints() == []

    cluster.node(a).replica.write(b"later", Clock(), b"value", hint_for=b)
    cluster.get(a, KEY)
    cluster.settle()
    assert cluster.hints() == [(a, b)]
    cluster.elapse(500)
    assert cluster.hints() == []
    assert cluster.held(b, b"later") == [b"value"]


def test_a_hint_brings_what_its_write_has_replaced() -> None:
    """A hint without its past would set the new value up beside the old one, which nobody wants back (hazard H05)."""
    cluster = Cluster()
    a, _, c, *_ = cluster.preference(KEY)
    old = cluster.put(a, KEY, b"old")
    cluster.settle()
    cluster.down = [c]
    cluster.put(a, KEY, b"new", context=cluster.written(old).context)
    cluster.settle()
    cluster.elapse(300)
    assert cluster.held(c, KEY) == [b"old"]

    cluster.down = []
    cluster.elapse(2000)
    assert cluster.hints() == []
    assert cluster.held(c, KEY) == [b"new"]


def test_a_fallback_that_coordinates_twice_around_a_handoff_loses_nothing() -> None:
    """No disk fails and no process dies: a healthy fallback writes v1, delivers and deletes its hint, and writes v2.
    Without key epochs both would have one dot, and whoever has v1 would drop v2 as already known.
    """
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    for value in (b"v1", b"v2"):
        for name in (a, b, c):
            cluster.node(d).detector.missed(name)
        asker = cluster.put(d, KEY, value)
        cluster.settle()
        assert cluster.written(asker).coordinator == d
        for name in (a, b, c):
            cluster.node(d).detector.heard(name)
        cluster.elapse(1000)
        assert cluster.hints() == []
    assert [sorted(cluster.held(name, KEY)) for name in (a, b, c)] == [[b"v1", b"v2"]] * 3
