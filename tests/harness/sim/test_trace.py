"""A trace is a digest of everything that happened, and, when asked, where two runs part."""

from __future__ import annotations

import pytest

from harness.sim.trace import Trace, first_divergence

EVENTS = [(0, "n1 timer 5"), (5, "n1>n2 Ping"), (5, "n2>n1 Pong")]


def _digest(events: list[tuple[int, str]]) -> str:
    trace = Trace()
    for at_ns, label in events:
        trace.event(at_ns, label)
    assert trace.count == len(events)
    assert trace.kept is None
    return trace.digest


def test_equal_events_have_equal_digests() -> None:
    """Of 32 hexadecimal digits."""
    assert _digest(EVENTS) == _digest(list(EVENTS))
    assert len(_digest(EVENTS)) == 32


def test_every_part_of_every_event_is_in_the_digest() -> None:
    """A time, a label, the order, one event more or less, and where one ends and the next begins."""
    (zero, one, two) = EVENTS
    others = [
        [zero, one],
        [zero, one, two, two],
        [zero, two, one],
        [zero, (6, one[1]), two],
        [zero, (5, "n1>n3 Ping"), two],
        [(0, "n1 timer 5\n5 n1>n2 Ping"), (0, ""), two],
    ]
    digests = [_digest(events) for events in [EVENTS, *others]]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("changed", [0, 4999, 9999])
def test_a_long_trace_forgets_nothing(changed: int) -> None:
    """Whichever of ten thousand events is another one."""
    events = [(number, "n1 timer 5") for number in range(10_000)]
    other = list(events)
    other[changed] = (changed, "n1 timer 6")
    assert _digest(events) != _digest(other)


def test_asking_for_the_digest_does_not_end_the_trace() -> None:
    """It may be asked for at any time."""
    trace = Trace()
    for at_ns, label in EVENTS:
        assert trace.digest != ""
        trace.event(at_ns, label)
    assert trace.digest == _digest(EVENTS)


def test_the_first_divergence_names_the_event_and_both_sides() -> None:
    """In one line, counted from one."""
    one, two = Trace(keep=True), Trace(keep=True)
    for at_ns, label in EVENTS:
        one.event(at_ns, label)
        two.event(at_ns if label != "n1>n2 Ping" else 7, label)
    assert one.kept is not None
    assert two.kept is not None
    assert first_divergence(one.kept, two.kept) == "event 2: '5 n1>n2 Ping' against '7 n1>n2 Ping'"


def test_a_trace_that_ends_early_diverges_at_its_end() -> None:
    """And two equal ones nowhere."""
    assert first_divergence(["a"], ["a", "b"]) == "event 2: 'no more events' against 'b'"
    assert first_divergence(["a", "b"], ["a"]) == "event 2: 'b' against 'no more events'"
    assert first_divergence(["a", "b"], ["a", "b"]) is None
