"""One life of a node: frozen, slow, and dead, it keeps to what a process can and cannot do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from harness.sim.clock import SimClock
from harness.sim.life import Life
from harness.sim.loop import SimLoop, run, virtual
from harness.sim.network import SimNetwork
from nemesis.powers import Skew, Traffic

MS = 1_000_000


class Script:
    """A host that writes down what it is told, and breaks when it is told to."""

    def __init__(self, life: Life, loop: SimLoop) -> None:
        self.heard: list[Any] = []
        self.times: list[int] = []
        self._life = life
        self._loop = loop

    def take(self, what: Any) -> None:
        """Write it down."""
        if what == "break":
            raise KeyError("it broke")
        self.heard.append(what)
        self.times.append(self._loop.now_ns)

    def start(self) -> None:
        """Begin."""

    def drain(self) -> None:
        """Leave at once."""
        self._life.leave()

    def peer_said(self, source: str, message: Any, ring: str) -> None:
        """Write it down."""
        self.take(message)

    def peer_unreached(self, peer: str, message: Any) -> None:
        """Write it down."""
        self.take(("unreached", peer, message))

    def asked(self, asker: int, request: Any) -> None:
        """Write it down, and answer."""
        self.take(request)
        self._life.reply(asker, request)


class Bench:
    """One life, `n1`, on a loop of its own; `deaths` are what it died of."""

    def __init__(self) -> None:
        self.loop = virtual()
        self.links = SimNetwork(self.loop, ("n1", "n2"), 1)
        self.clock = SimClock(self.loop)
        self.deaths: list[str] = []
        self.life: Any = Life("n1", self.loop, self.links, self.clock, self._died)
        self.host = self.life.host = Script(self.life, self.loop)

    def _died(self, life: Life, error: str) -> None:
        self.deaths.append(error)
        life.fence()

    def run(self, script: Callable[[], Awaitable[None]]) -> None:
        """Run a script, and one more second."""

        async def main() -> None:
            await script()
            await asyncio.sleep(1)

        run(main(), self.loop)


def test_a_frozen_node_does_nothing_and_misses_nothing() -> None:
    """Messages, requests and timers all wait."""
    bench = Bench()
    answers: list[Any] = []

    async def script() -> None:
        bench.life.after(50 * MS, lambda: bench.host.take("timer"))
        bench.life.freeze()
        bench.life.hear("n2", "message", "ring")
        bench.life.ask("request", answers.append)
        await asyncio.sleep(0.1)
        assert (bench.host.heard, answers) == ([], [])
        assert bench.life.thaw(Random("1")) == 3

    bench.run(script)
    assert sorted(bench.host.heard) == ["message", "request", "timer"]
    assert answers == ["request"]


def test_after_a_pause_all_three_orders_occur() -> None:
    """Overdue timers first, messages first, or everything as it came; within each kind the order is kept."""
    seen = set()
    for seed in range(30):
        bench = Bench()

        async def script(bench: Bench = bench, seed: int = seed) -> None:
            bench.life.freeze()
            for number in range(2):
                bench.life.hear("n2", f"m{number}", "ring")
                bench.life.after(0, lambda number=number: bench.host.take(f"t{number}"))
                await asyncio.sleep(0.001)
            bench.life.thaw(Random(f"{seed}"))

        bench.run(script)
        seen.add(tuple(bench.host.heard))
    assert seen == {("m0", "m1", "t0", "t1"), ("t0", "t1", "m0", "m1"), ("m0", "t0", "m1", "t1")}


def test_what_comes_while_it_catches_up_stands_in_line() -> None:
    """No message overtakes those that have waited."""
    bench = Bench()

    async def script() -> None:
        bench.life.freeze()
        for number in range(3):
            bench.life.hear("n2", number, "ring")
        bench.life.thaw(Random("1"))
        bench.life.hear("n2", 3, "ring")

    bench.run(script)
    assert bench.host.heard == [0, 1, 2, 3]


def test_a_timer_that_is_overdue_can_still_be_cancelled() -> None:
    """What came first after the pause may have cancelled it, as on any event loop."""
    for seed in range(10):
        bench = Bench()

        async def script(bench: Bench = bench, seed: int = seed) -> None:
            timer = bench.life.after(MS, lambda: bench.host.take("timer"))
            bench.life.freeze()
            bench.life.act(timer.cancel)
            await asyncio.sleep(0.1)
            bench.life.thaw(Random(f"{seed}"))

        bench.run(script)
        assert bench.host.heard in ([], ["timer"]), "it ran before it was cancelled, or not at all"
        assert bench.deaths == []


def test_a_slow_node_takes_one_step_after_the_other() -> None:
    """Each begins when the one before is done; the count is of steps, and of those that had to wait."""
    bench = Bench()
    steps = Traffic()

    async def script() -> None:
        bench.life.busy = 10 * MS, steps
        for number in range(5):
            bench.life.hear("n2", number, "ring")
        await asyncio.sleep(0.2)
        bench.life.hear("n2", 5, "ring")

    bench.run(script)
    assert bench.host.heard == list(range(6))
    assert [later - sooner for sooner, later in pairwise(bench.host.times[:5])] == [10 * MS] * 4
    assert bench.host.times[5] == 200 * MS, "who comes when nothing is done does not wait"
    assert (steps.seen, steps.dropped) == (6, 4)


def test_a_node_that_is_fast_again_keeps_the_order() -> None:
    """What had to wait is done first, and then at once."""
    bench = Bench()

    async def script() -> None:
        bench.life.busy = 10 * MS, Traffic()
        for number in range(3):
            bench.life.hear("n2", number, "ring")
        await asyncio.sleep(0.001)
        bench.life.busy = None
        bench.life.hear("n2", 3, "ring")

    bench.run(script)
    assert bench.host.heard == [0, 1, 2, 3]
    assert bench.host.times == [0, 10 * MS, 10 * MS, 10 * MS]


def test_a_slow_node_that_is_frozen_keeps_the_order() -> None:
    """What waited before the pause is not overtaken by what came in it."""
    bench = Bench()

    async def script() -> None:
        bench.life.busy = 10 * MS, Traffic()
        for number in range(3):
            bench.life.hear("n2", number, "ring")
        await asyncio.sleep(0.005)
        bench.life.freeze()
        bench.life.hear("n2", 3, "ring")
        await asyncio.sleep(0.1)
        assert bench.host.heard == [0]
        bench.life.thaw(Random("1"))

    bench.run(script)
    assert bench.host.heard == [0, 1, 2, 3]


@pytest.mark.parametrize("frozen", [True, False])
def test_a_node_that_dies_while_it_waits_does_nothing_more(frozen: bool) -> None:
    """Frozen or slow: nothing is heard, nothing fires, and whoever asked learns that there is no answer."""
    bench = Bench()
    answers: list[Any] = []

    async def script() -> None:
        bench.life.freeze() if frozen else None
        bench.life.busy = None if frozen else (10 * MS, Traffic())
        bench.life.hear("n2", 0, "ring")
        await asyncio.sleep(0)
        bench.host.heard.clear()
        bench.life.ask("request", answers.append)
        bench.life.after(MS, lambda: bench.host.take("timer"))
        bench.life.fence()
        bench.life.thaw(Random("1"))
        bench.life.hear("n2", 1, "ring")

    bench.run(script)
    assert bench.host.heard == []
    assert answers == [None]


def test_an_error_ends_it_once_and_what_waits_with_it() -> None:
    """An exception is the end of a process, also of one that is just catching up."""
    bench = Bench()

    async def script() -> None:
        bench.life.freeze()
        for message in ("before", "break", "after", "break"):
            bench.life.hear("n2", message, "ring")
        bench.life.thaw(Random("1"))

    bench.run(script)
    assert bench.deaths == ["KeyError: 'it broke'"]
    assert bench.host.heard == ["before"]


@pytest.mark.parametrize(("ppm", "fires_ms"), [(100_000, 909.1), (-100_000, 1111.1), (0, 1000.0)])
def test_a_clock_that_drifts_scales_timers_and_time(ppm: float, fires_ms: float) -> None:
    """A fast clock is at its second before a second has gone by, and that is when its timer fires."""
    bench = Bench()
    fired: list[tuple[int, int]] = []

    async def script() -> None:
        bench.clock.skew(Skew(drift_ppm=ppm))
        bench.life.after(1000 * MS, lambda: fired.append((bench.loop.now_ns, bench.life.now_ns())))
        await asyncio.sleep(2)

    bench.run(script)
    at_ns, read_ns = fired[0]
    assert at_ns / MS == pytest.approx(fires_ms, abs=0.1)
    assert read_ns / MS == pytest.approx(1000, abs=0.001)
