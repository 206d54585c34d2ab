"""A peer is down for us when it does not answer us (Dynamo, 4.8.3)."""

from __future__ import annotations

from node.core.detector import Detector


def test_without_traffic_everybody_is_up() -> None:
    """Nobody needs to know about a node that nobody talks to."""
    assert Detector().is_up("anybody")


def test_the_first_missed_answer_is_news_and_the_second_is_not() -> None:
    """So that only one probe is begun."""
    detector = Detector()
    assert detector.missed("a")
    assert not detector.missed("a")
    assert not detector.is_up("a")
    assert detector.is_up("b")


def test_an_answer_ends_all_suspicion_at_once() -> None:
    """There is no ban to sit out; and the next miss is news again."""
    detector = Detector()
    detector.missed("a")
    detector.heard("a")
    assert detector.is_up("a")
    assert detector.missed("a")


def test_suspects_stand_in_the_order_of_their_first_miss() -> None:
    """What is iterated has an order that is the same in every process."""
    detector = Detector()
    for peer in ("c", "a", "b", "c"):
        detector.missed(peer)
    assert list(detector.suspected) == ["c", "a", "b"]
