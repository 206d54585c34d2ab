"""Faults that go on by themselves while they are in force: each beat is in the plan, and the proof counts them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from nemesis.catalog import load
from nemesis.powers import CureError, Effect, Link, Plan, PowerError, Skew
from tests.nemesis.clock import run_virtually
from tests.nemesis.fake_links import FakeClocks, FakeConnections, FakeLinks
from tests.nemesis.fakes import NODES, FakeNetwork


async def play(name: str, power: Any, plan: Plan, seconds: float, every_s: float = 0.01) -> Effect:
    """Keep a fault in force for so long, with traffic every few milliseconds."""
    async with load(name).inject(power, plan) as effect:
        for _ in range(round(seconds / every_s)):
            power.use()
            await asyncio.sleep(every_s)
    return effect


def test_a_flapping_cut_opens_and_closes() -> None:
    """Messages pass while it is open, and only then."""
    network, passed = FakeNetwork(), list[bool]()
    plan = Plan(paths=(("n1", "n2"),), how={"cut_ms": 300, "open_ms": 200})

    async def main() -> Effect:
        async with load("partition-flapping").inject(network, plan) as effect:
            await asyncio.sleep(0.05)
            for _ in range(10):
                passed.append(network.send("n1", "n2"))
                await asyncio.sleep(0.1)
        return effect

    effect = run_virtually(main())
    assert passed == [False, False, False, True, True] * 2
    assert effect.observed == {"cuts": 3, "seen": 6, "dropped": 6}, "the third has just begun"
    assert network.whole


def test_no_checker_may_take_a_flapping_cut_for_one_that_holds() -> None:
    """Its plan names paths, and neither cut links nor sides."""
    plan = load("partition-flapping").plan(NODES, Random("1"))
    assert plan.paths
    assert not plan.links
    assert not plan.sides


def test_clogs_come_and_go_each_in_its_own_time() -> None:
    """The first one clogs at once; one that has opened stays open."""
    links = FakeLinks()
    plan = Plan(
        paths=(("n1", "n2"), ("n2", "n1")),
        how={"n1>n2 clogs_ms": 0, "n1>n2 for_ms": 500, "n2>n1 clogs_ms": 200, "n2>n1 for_ms": 900},
    )
    clogged: list[int] = []

    async def main() -> Effect:
        async with load("clog").inject(links, plan) as effect:
            for _ in range(8):
                clogged.append(len(links.bad))
                links.use()
                await asyncio.sleep(0.2)
        return effect

    effect = run_virtually(main())
    assert clogged[0] == 1
    assert max(clogged) == 2
    assert clogged[-1] == 0
    assert effect.observed["n1>n2"]["held"] < effect.observed["n2>n1"]["held"]


def test_a_clog_that_is_healed_early_opens_at_once() -> None:
    """Whatever it had planned."""
    links = FakeLinks()
    plan = load("clog").plan(NODES, Random("4"))
    effect = run_virtually(play("clog", links, plan, 0.05))
    assert links.whole
    assert effect.delivered


def test_connections_are_reset_as_often_as_planned() -> None:
    """And what was lost is added up for each."""
    plan = Plan(paths=(("n1", "n2"), ("n2", "n1")), how={"every_ms": 100})
    effect = run_virtually(play("connection-reset", FakeConnections(), plan, 1.05))
    assert effect.observed == {"n1>n2": {"resets": 11, "lost": 11}, "n2>n1": {"resets": 11, "lost": 11}}


def test_a_reset_that_fails_fails_the_fault() -> None:
    """It happened beside the body, and is told when the fault is healed."""

    class Stubborn(FakeConnections):
        async def reset(self, links: Sequence[Link]) -> dict[Link, int]:
            if self.resets == 3:
                raise PowerError("n1>n2 cannot be reset")
            return dict(await super().reset(links))

    plan = Plan(paths=(("n1", "n2"),), how={"every_ms": 100})
    with pytest.raises(PowerError, match="n1>n2 cannot be reset"):
        run_virtually(play("connection-reset", Stubborn(), plan, 1))


def test_a_strobe_flips_between_two_times() -> None:
    """Each flip that the node has read is counted, and in the end its clock is right."""
    clocks = FakeClocks()
    plan = Plan(nodes=("n2",), how={"ahead_ms": 100.0, "behind_ms": -50.0, "every_ms": 200.0})
    effect = run_virtually(play("clock-strobe", clocks, plan, 1.1))
    settings = [skew.offset_ms for node, skew in clocks.log if node == "n2"]
    assert settings == [100, -50, 100, -50, 100, -50, 0]
    assert effect.observed["n2"]["flips"] == 5
    assert effect.delivered


@pytest.mark.parametrize("name", ["clock-jump", "clock-drift", "clock-strobe"])
def test_a_clock_that_nobody_reads_was_not_set_off(name: str) -> None:
    """What was set is not what was seen."""
    clocks = FakeClocks()
    clocks.silent = NODES
    effect = run_virtually(play(name, clocks, load(name).plan(NODES, Random("1")), 1))
    assert not effect.delivered
    assert clocks.whole


@pytest.mark.parametrize("name", ["clock-jump", "clock-drift", "clock-strobe"])
def test_a_clock_that_stays_off_is_a_failed_cure(name: str) -> None:
    """With the node's name."""
    clocks = FakeClocks()
    clocks.cannot_set_right = True
    with pytest.raises(CureError, match=r"n\d does not take a skew"):
        run_virtually(play(name, clocks, load(name).plan(NODES, Random("1")), 1))


def test_skews_are_what_the_plan_says() -> None:
    """An offset for a jump, a rate for a drift."""
    for name, skew in (("clock-jump", Skew(offset_ms=70.0)), ("clock-drift", Skew(drift_ppm=70.0))):
        clocks = FakeClocks()
        plan = Plan(nodes=("n1", "n3"), how={"offset_ms": 70.0} if name == "clock-jump" else {"drift_ppm": 70.0})
        effect = run_virtually(play(name, clocks, plan, 1))
        assert [set_to for _, set_to in clocks.log] == [skew, skew, Skew(), Skew()]
        assert effect.observed["n3"] == {"offset_ms": skew.offset_ms, "drift_ppm": skew.drift_ppm, "reads": 100}


@pytest.mark.parametrize("name", ["delay", "loss", "duplicate", "reorder", "clog"])
def test_links_that_stay_bad_are_a_failed_cure(name: str) -> None:
    """In the world's own words."""
    links = FakeLinks()
    links.heal_fails = True
    with pytest.raises(CureError, match="the links: rules could not be removed"):
        run_virtually(play(name, links, load(name).plan(NODES, Random("1")), 0.3))
