"""Orders reach a ring whoever refuses or keeps silent, and what must be refused is told when it is not."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from nemesis.catalog import load
from nemesis.orders import ORDER_S, order, seen, until
from nemesis.powers import Effect, OrderRefusedError, Plan, PowerError
from tests.nemesis.clock import run_virtually
from tests.nemesis.fake_ring import FakeMembership


def plan(name: str, **more: float) -> Plan:
    """Into n2, with n6 to come; whoever is asked is the first that may be."""
    how = {**load(name).plan(("n2",), Random("1")).how, "at": 0, **more}
    return Plan(nodes=("n2",), spares=("n6", "n7")[: getattr(load(name), "SPARES", 0)], how=how)


async def strike(name: str, ring: FakeMembership, lasts_s: float = 1.0, **more: float) -> Effect:
    """Inject it, let time pass, and heal it."""
    async with load(name).inject(ring, plan(name, **more)) as effect:
        await asyncio.sleep(lasts_s)
    return effect


def test_an_order_goes_to_the_next_node_when_one_refuses() -> None:
    """A node may know too little; another one, or the same a moment later, may not."""
    ring = FakeMembership()
    ring.refusals = 6
    ring.up["n6"] = True
    run_virtually(order(ring, "join", "n6", first=3))
    assert [at for at, *_ in ring.asked] == ["n4", "n5", "n1", "n2", "n3", "n4", "n5"]
    assert ring.states["n6"] == "valid"


def test_an_order_whose_answer_was_lost_is_not_given_twice() -> None:
    """It was carried out, and the ring says so."""
    ring = FakeMembership()
    ring.silences = 1
    run_virtually(order(ring, "leave", "n2"))
    assert [operation for _, operation, *_ in ring.asked] == ["leave"]


def test_an_order_that_nobody_takes_fails_with_the_last_refusal() -> None:
    """After a bound, with the name of who was asked."""
    ring = FakeMembership()
    ring.refusals = 1 << 20

    async def refused() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(OrderRefusedError, match=r"join n6, asked of n\d: n\d is not in the mood"):
            await order(ring, "join", "n6")
        return loop.time() - began

    assert ORDER_S <= run_virtually(refused()) < ORDER_S + 1


def test_where_nobody_runs_nobody_can_be_asked() -> None:
    """That is told as what it is, and is no refusal."""
    ring = FakeMembership()
    ring.up = dict.fromkeys(ring.up, False)
    with pytest.raises(PowerError, match="join n6: no node runs that could be asked"):
        run_virtually(order(ring, "join", "n6"))


def test_what_is_seen_is_what_another_node_tells() -> None:
    """A ring that is not as it should be within its time was not seen to be."""
    ring = FakeMembership()
    assert not run_virtually(seen(ring, "join", "n6"))
    ring.states["n6"] = "joining"
    assert run_virtually(seen(ring, "join", "n6"))
    assert run_virtually(until(ring, lambda told: told.ring == "a-ring", 1.0))


def test_a_replaced_node_stays_down_and_its_place_is_taken() -> None:
    """In order: killed, waited, the new one started, the old one marked and replaced."""
    ring = FakeMembership()
    effect = run_virtually(strike("replace", ring))
    assert effect.delivered
    assert effect.observed == {"n2": {"down": True, "replaced": True, "settled": True}}
    assert ring.log == [("kill", "n2"), ("start", "n6")]
    assert [(operation, node, other) for _, operation, node, other in ring.asked] == [
        ("down", "n2", ""),
        ("replace", "n2", "n6"),
    ]
    assert ring.whole


@pytest.mark.parametrize("name", ["replace", "remove"])
def test_a_victim_that_nobody_could_order_out_is_started_again(name: str) -> None:
    """The fault has failed, and a member must not stay down for good."""
    ring = FakeMembership()
    ring.refusals = 1 << 20
    with pytest.raises(OrderRefusedError):
        run_virtually(strike(name, ring))
    assert ring.log[-1] == ("start", "n2")
    assert ring.whole


def test_moves_that_are_due_at_the_end_are_told() -> None:
    """Whoever gives or takes may be down for longer; the fault ends, and says so."""
    ring = FakeMembership()
    ring.moves = 3
    effect = run_virtually(strike("leave", ring))
    assert effect.delivered
    assert effect.observed == {"n2": {"left": True, "settled": False}}


def test_who_rejoins_is_a_member_again() -> None:
    """It left while the fault was in force."""
    ring = FakeMembership()
    effect = run_virtually(strike("rejoin", ring))
    assert effect.observed == {"n2": {"left": True, "back": True, "settled": True}}
    assert [operation for _, operation, *_ in ring.asked] == ["leave", "join"]


def test_who_was_marked_down_is_up_again() -> None:
    """By itself, once it has been started."""
    ring = FakeMembership()
    effect = run_virtually(strike("down", ring))
    assert effect.observed == {"n2": {"down": True, "up": True, "settled": True}}


def test_a_ring_that_replaces_the_living_is_told() -> None:
    """A refusal is the proof; the order taken is what should not have been."""
    ring = FakeMembership()
    effect = run_virtually(strike("replace-alive", ring))
    assert effect.observed == {"n2": {"refused": True, "why": "n2 answers"}}
    ring = FakeMembership()
    ring.takes_anything = True
    effect = run_virtually(strike("replace-alive", ring))
    assert effect.observed["unmet"] == ["n1 took the order to replace n2, which lives, by n6"]


def test_the_contract_of_staged_orders() -> None:
    """Only what the last plan has shown is committed; each thing that is taken all the same is told."""
    ring = FakeMembership()
    effect = run_virtually(strike("staged-orders", ring))
    assert effect.delivered
    assert "unmet" not in effect.observed
    assert (ring.states["n6"], ring.states["n7"]) == ("valid", "valid")
    careless = FakeMembership()
    careless.takes_anything = True
    effect = run_virtually(strike("staged-orders", careless))
    assert [sentence.removeprefix("n1 took ") for sentence in effect.observed["unmet"]] == [
        "a commit of nothing",
        "a commit without a plan",
        "a commit of a plan that did not say that n7 joins",
        "a commit of orders that were forgotten",
    ]
