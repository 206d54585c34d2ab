"""Disks that break, lie and rot: the node ends or is ended, and comes back on a disk that is well, or a new one."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from nemesis.catalog import load
from nemesis.powers import CureError, Effect, Plan, PowerError
from tests.nemesis.fake_links import FakePauses
from tests.nemesis.fakes import NODES, FakeDisks, turns

PLAN = Plan(nodes=("n2",), how={"left_bytes": 10, "factor": 20})


async def strike(name: str, disks: FakeDisks, *, use: bool = True) -> Effect:
    """Inject, sync, heal."""
    async with load(name).inject(disks, PLAN) as effect:
        if use:
            disks.use()
        await turns(3)
    return effect


@pytest.mark.parametrize("name", ["disk-failing", "disk-full"])
def test_a_broken_disk_ends_its_node_and_the_cure_starts_it(name: str) -> None:
    """The fault answers for the end that it has seen."""
    disks = FakeDisks()
    effect = asyncio.run(strike(name, disks))
    assert effect.observed == {"n2": {"down": True, "up": True, "exits": 1, "syncs": 1, "hit": 1}}
    assert disks.log == [("start", "n2")]


@pytest.mark.parametrize("name", ["disk-failing", "disk-full"])
def test_a_node_that_was_not_told_yet_is_killed(name: str) -> None:
    """Its sync has failed, so it must not go on; but it did not end by itself, and the fault does not say so."""
    disks = FakeDisks()
    disks.patient = True
    effect = asyncio.run(strike(name, disks))
    assert not effect.delivered
    assert effect.observed["n2"]["exits"] == 0
    assert disks.log == [("kill", "n2"), ("start", "n2")]


@pytest.mark.parametrize("name", ["disk-failing", "disk-full"])
def test_who_ends_without_an_error_of_the_disk_ends_by_itself(name: str) -> None:
    """The fault does not answer for it."""
    disks = FakeDisks()

    async def dies() -> Effect:
        async with load(name).inject(disks, PLAN) as effect:
            disks.up["n2"] = False
        return effect

    effect = asyncio.run(dies())
    assert (effect.delivered, effect.observed["n2"]["exits"]) == (False, 0)
    assert disks.whole


@pytest.mark.parametrize("name", ["disk-failing", "disk-full"])
def test_under_a_node_that_is_down_nothing_breaks(name: str) -> None:
    """That is told, and the node is left as it was."""
    disks = FakeDisks()
    disks.up["n2"] = False
    with pytest.raises(PowerError, match="n2 is not running; its disk breaks under nobody"):
        asyncio.run(strike(name, disks))
    assert disks.log == []


@pytest.mark.parametrize("name", ["disk-failing", "disk-rot", "disk-lying"])
def test_a_node_that_does_not_come_back_is_a_failed_cure(name: str) -> None:
    """With its name."""
    disks = FakeDisks()
    disks.will_not_start = ("n2",)
    with pytest.raises(CureError, match="n2 did not answer"):
        asyncio.run(strike(name, disks))


def test_rot_that_does_no_harm_is_left_alone() -> None:
    """The node comes back on the disk that it had."""
    disks = FakeDisks()
    effect = asyncio.run(strike("disk-rot", disks))
    assert effect.observed == {"n2": {"down": True, "bytes": 1, "exits": 0, "replaced": False, "up": True}}
    assert disks.log == [("kill", "n2"), ("start", "n2")]


def test_a_node_that_refuses_a_rotten_disk_gets_a_new_one() -> None:
    """It has ended by itself once, in the start that failed."""
    disks = FakeDisks()
    disks.refuses_rot = True
    effect = asyncio.run(strike("disk-rot", disks))
    assert effect.observed == {"n2": {"down": True, "bytes": 1, "exits": 1, "replaced": True, "up": True}}
    assert disks.log == [("kill", "n2"), ("wipe", "n2"), ("start", "n2")]


def test_where_there_was_nothing_to_rot_nothing_was_delivered() -> None:
    """An empty disk proves nothing."""
    disks = FakeDisks()
    disks.rot_bytes = 0
    assert not asyncio.run(strike("disk-rot", disks)).delivered


def test_a_liar_is_found_out_before_it_turns_honest() -> None:
    """The node is killed while its disk still lies: one honest sync would make up for all that were not done."""
    disks = FakeDisks()
    lied_at_the_kill: list[bool] = []
    kill = disks.kill

    async def killed(node: str) -> None:
        lied_at_the_kill.append(disks.troubles[node][0] == "lying")
        await kill(node)

    disks.kill = killed  # type: ignore[method-assign]
    effect = asyncio.run(strike("disk-lying", disks))
    assert lied_at_the_kill == [True]
    assert effect.delivered
    assert effect.observed["n2"] == {
        "down": True, "up": True, "exits": 0, "replaced": False, "syncs": 1, "lies": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["disk-slow", "disk-failing", "disk-full", "disk-lying"])
def test_a_disk_that_nobody_uses_was_in_no_trouble(name: str) -> None:
    """Without a sync nothing was delivered, and the cluster is whole."""
    disks = FakeDisks()
    assert not asyncio.run(strike(name, disks, use=False)).delivered
    assert disks.whole


def test_a_node_that_stays_frozen_is_a_failed_cure() -> None:
    """A request to go on that was answered proves nothing."""
    pauses = FakePauses()
    pauses.will_not_resume = NODES

    async def frozen() -> None:
        async with load("pause").inject(pauses, load("pause").plan(NODES, Random("1"))):
            pass

    with pytest.raises(CureError, match=r"n\d did not go on"):
        asyncio.run(frozen())
