"""Many timers on one alarm: each rings once, at its time and in order, and the clock is asked for little."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from node.runtime.alarms import FORGOTTEN_MAX, Alarms


class _Alarm:
    def __init__(self, at_ns: int, callback: Callable[[], None]) -> None:
        self.at_ns = at_ns
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """Forget it."""
        self.cancelled = True


class _Bench:
    """A clock that is moved by hand, and what rang when, with what is done `then`; `early_ns` is how early it is."""

    def __init__(self, early_ns: int = 0) -> None:
        self.at_ns = 0
        self.asked: list[_Alarm] = []
        self.rang: list[tuple[int, int]] = []
        self.then: Callable[[], None] = lambda: None
        self._early_ns = early_ns
        self.alarms = Alarms(self, self.ring)

    def now_ns(self) -> int:
        """The time."""
        return self.at_ns

    def offset_ns(self) -> int:
        """Nobody set it off."""
        return 0

    def after(self, delay_ns: int, callback: Callable[[], None]) -> _Alarm:
        """Take an alarm down."""
        assert delay_ns > 0
        early_ns = self._early_ns if delay_ns > self._early_ns else 0
        self.asked.append(_Alarm(self.at_ns + delay_ns - early_ns, callback))
        return self.asked[-1]

    def ring(self, timer: int) -> None:
        """A timer rings."""
        self.rang.append((self.at_ns, timer))
        self.then()

    def set(self, *timers: tuple[int, int]) -> None:
        """Set timers in one step, each with its time."""
        for timer, at_ns in timers:
            self.alarms.set(timer, at_ns)
        self.alarms.see_to_it()

    def elapse(self, until_ns: int) -> None:
        """Let time pass."""
        while waiting := [alarm for alarm in self.asked if not alarm.cancelled and alarm.at_ns <= until_ns]:
            alarm = min(waiting, key=lambda alarm: alarm.at_ns)
            alarm.cancelled, self.at_ns = True, max(self.at_ns, alarm.at_ns)
            alarm.callback()
        self.at_ns = until_ns


def test_the_clock_is_asked_for_the_earliest_only() -> None:
    """Once a step, and again when an earlier one comes in."""
    bench = _Bench()
    bench.set((1, 500), (2, 300), (3, 400))
    assert [alarm.at_ns for alarm in bench.asked] == [300]

    bench.set((4, 600))
    assert len(bench.asked) == 1

    bench.set((5, 100))
    assert [(alarm.at_ns, alarm.cancelled) for alarm in bench.asked] == [(300, True), (100, False)]


def test_each_rings_once_at_its_time_and_those_of_one_time_in_the_order_of_their_numbers() -> None:
    """As if each had an alarm of its own."""
    bench = _Bench()
    bench.set((1, 500), (2, 300), (3, 500))
    bench.elapse(1000)
    assert bench.rang == [(300, 2), (500, 1), (500, 3)]


def test_a_cancelled_timer_costs_the_clock_nothing_and_does_not_ring() -> None:
    """Nor is anything asked for when nothing is wanted any more."""
    bench = _Bench()
    bench.set((1, 300), (2, 500))
    bench.alarms.cancel(1)
    bench.alarms.cancel(2)
    bench.elapse(1000)
    assert bench.rang == []
    assert len(bench.asked) == 1


def test_one_that_is_cancelled_by_another_that_rings_first_does_not_ring() -> None:
    """Though both are due."""
    bench = _Bench()
    bench.then = lambda: bench.alarms.cancel(2)
    bench.set((1, 300), (2, 300))
    bench.elapse(1000)
    assert bench.rang == [(300, 1)]


def test_what_is_set_by_a_timer_that_rings_waits_for_the_others_that_are_due() -> None:
    """The clock is asked once for all of it, when everything has rung."""
    bench = _Bench()
    bench.then = lambda: bench.set((10 + len(bench.rang), bench.at_ns + 100)) if len(bench.rang) <= 2 else None
    bench.set((1, 300), (2, 300))
    bench.elapse(1000)
    assert bench.rang == [(300, 1), (300, 2), (400, 11), (400, 12)]
    assert [alarm.at_ns for alarm in bench.asked] == [300, 400]


def test_an_alarm_that_comes_too_early_is_asked_for_again() -> None:
    """A clock may have been set slower meanwhile, and timers run by the clock."""
    bench = _Bench(early_ns=7)
    bench.set((1, 300))
    bench.elapse(1000)
    assert bench.rang == [(300, 1)]


def test_cancelled_timers_do_not_pile_up() -> None:
    """However far away their time is, and although the earliest is still wanted."""
    bench = _Bench()
    bench.set((0, 1))
    for timer in range(1, 10 * FORGOTTEN_MAX):
        bench.set((timer, 1_000_000))
        bench.alarms.cancel(timer)
    assert len(bench.alarms) <= 2 * FORGOTTEN_MAX
    bench.elapse(10)
    assert bench.rang == [(1, 0)]


def test_any_order_of_setting_and_cancelling_rings_what_was_not_cancelled() -> None:
    """A thousand steps of chance, against a plain table."""
    rng, bench = Random("alarms"), _Bench()
    due: dict[int, int] = {}
    expected: list[tuple[int, int]] = []
    for timer in range(1000):
        bench.set((timer, at_ns := bench.at_ns + rng.randint(1, 50)))
        due[timer] = at_ns
        if rng.random() < 0.6:
            gone = rng.choice(sorted(due))
            bench.alarms.cancel(gone)
            del due[gone]
        bench.elapse(bench.at_ns + rng.randint(0, 5))
        rings = sorted((at_ns, timer) for timer, at_ns in due.items() if at_ns <= bench.at_ns)
        expected += rings
        for _, rung in rings:
            del due[rung]
    assert bench.rang == expected
