"""What every fault promises; a new file in `nemesis/faults/` is tested here without being named anywhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest

from nemesis.catalog import load, names, spares_of
from nemesis.powers import Clocks, Connections, Effect, Fault, Membership, Pauses, Plan, Processes
from tests.nemesis.clock import run_virtually
from tests.nemesis.fakes import NODES, fake_powers, turns
from tests.nemesis.turns import SPARES

FAULTS = names()
LONGEST = 200
LASTS_S = 3


def power_for(fault: Fault) -> Any:
    """A fresh fake of the power that the fault needs."""
    granted = fake_powers()
    assert fault.NEEDS in granted, f"tests/nemesis/fakes.py has no {fault.NEEDS.__name__}"
    return granted[fault.NEEDS]


def planned(name: str, seed: str) -> Plan:
    """What the fault draws, with the spares that the schedule would give it."""
    return replace(load(name).plan(NODES, Random(seed)), spares=SPARES[: spares_of(name)])


async def strike(fault: Fault, power: Any, plan: Plan, lasts_s: float = 0.0) -> Effect:
    """Inject, let traffic flow for a few turns and for so many virtual seconds, heal; nothing goes on afterwards."""
    before = len(asyncio.all_tasks())
    async with fault.inject(power, plan) as effect:
        assert getattr(power, "struck", not power.whole), "nothing was broken"
        power.use()
        await turns(3)
        for _ in range(round(lasts_s * 100)):
            await asyncio.sleep(0.01)
            power.use()
    assert len(asyncio.all_tasks()) == before, "something goes on after the heal"
    return effect


@pytest.mark.parametrize("name", FAULTS)
def test_it_injects_heals_and_proves_it(name: str) -> None:
    """A fault breaks something while it is in force, nothing afterwards, and can show its effect."""
    fault = load(name)
    power = power_for(fault)
    effect = run_virtually(strike(fault, power, planned(name, "1"), LASTS_S))
    assert power.whole
    assert effect.delivered
    assert effect.observed
    assert msgspec.json.decode(msgspec.json.encode(effect.observed)) == effect.observed


@pytest.mark.parametrize("name", FAULTS)
def test_it_says_so_when_it_had_no_effect(name: str) -> None:
    """Where nobody speaks, syncs or works, a fault that is seen only in its effect was not delivered."""
    fault = load(name)
    power = power_for(fault)

    async def idle() -> Effect:
        async with fault.inject(power, planned(name, "1")) as effect:
            await asyncio.sleep(LASTS_S)
        return effect

    effect = run_virtually(idle())
    assert power.whole
    assert effect.delivered == (fault.NEEDS in SEEN_AT_ONCE or name in SEEN_AT_ONCE)


SEEN_AT_ONCE = (Processes, Pauses, Clocks, Connections, Membership, "disk-rot", "disk-rollback")
"""What can be looked up without anybody's help: processes, clocks, rings, and what a reset or a flipped bit says it
did.
"""


@pytest.mark.parametrize("name", FAULTS)
def test_it_heals_when_cancelled_at_any_await(name: str) -> None:
    """Wherever the cancellation comes, in the injection, in the wait or in the cure, the cluster ends whole."""
    fault = load(name)
    for steps in range(1, LONGEST):
        power = power_for(fault)
        if not asyncio.run(_cancelled_after(steps, fault, power, _at_once(planned(name, "1")))):
            assert steps > 5, "the fault ended before it could be cancelled anywhere"
            return
        assert power.whole, f"{name}, cancelled after {steps} turns, leaves the cluster broken"
    pytest.fail(f"{name} takes more than {LONGEST} turns of the loop")


def _at_once(plan: Plan) -> Plan:
    """The same plan without the wait that some have in it: a turn takes no time."""
    return replace(plan, how=plan.how | {name: 0.0 for name in plan.how if name in ("wait_ms", "watch_ms")})


async def _cancelled_after(steps: int, fault: Fault, power: Any, plan: Plan) -> bool:
    """Run the fault for so many turns, then cancel it; say whether there was anything left to cancel."""
    task = asyncio.ensure_future(strike(fault, power, plan))
    await turns(steps)
    if task.done():
        return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1, "something goes on after the heal"
    return True


@pytest.mark.parametrize("name", FAULTS)
def test_it_heals_when_the_body_fails(name: str) -> None:
    """An error under the fault passes through it, and leaves the cluster whole."""
    fault = load(name)
    power = power_for(fault)

    async def fail() -> None:
        async with fault.inject(power, planned(name, "1")):
            raise KeyError("from the body")

    with pytest.raises(KeyError, match="from the body"):
        asyncio.run(fail())
    assert power.whole


@pytest.mark.parametrize("name", FAULTS)
def test_the_seed_decides_the_plan(name: str) -> None:
    """The same seed draws the same plan; among many seeds there are different ones."""
    fault = load(name)
    plans = [fault.plan(NODES, Random(f"{seed}")) for seed in range(30)]
    assert plans == [fault.plan(NODES, Random(f"{seed}")) for seed in range(30)]
    assert any(plan != plans[0] for plan in plans), "thirty seeds, one plan"


@pytest.mark.parametrize("name", FAULTS)
def test_the_plan_is_data(name: str) -> None:
    """A plan survives JSON, names only nodes of the cluster, and does something."""
    plan = planned(name, "7")
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    named = [
        *plan.nodes,
        *(node for link in (*plan.links, *plan.paths) for node in link),
        *(node for side in plan.sides for node in side),
    ]
    assert set(named) <= set(NODES)
    assert plan.links or plan.paths or plan.nodes or plan.spares
    assert all(source != target for source, target in (*plan.links, *plan.paths))
    assert len(set(plan.links)) == len(plan.links)
    assert len(set(plan.paths)) == len(plan.paths)
    assert all(isinstance(number, int | float) for number in plan.how.values())


@pytest.mark.parametrize("name", FAULTS)
def test_a_disk_loser_takes_one_of_the_nodes_it_is_given(name: str) -> None:
    """The disk budget rests on this: given one node, such a fault hits that node and no other."""
    fault = load(name)
    if getattr(fault, "LOSES_DISK", False):
        assert fault.plan(("n4",), Random("1")).nodes == ("n4",)
        assert len(planned(name, "1").nodes) == 1
    else:
        power = power_for(fault)
        asyncio.run(strike(fault, power, planned(name, "1")))
        assert "wipe" not in [what for what, _ in getattr(power, "log", [])], f"{name} does not say LOSES_DISK"
