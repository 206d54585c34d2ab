"""What a schedule asks for, held against what a configuration claims to survive."""

from __future__ import annotations

import msgspec
import pytest

from nemesis.budget import exceeded
from nemesis.catalog import is_beyond, names
from nemesis.powers import Plan
from nemesis.schedule import Injection, draw

SECOND = 10**9
NODES = ("n1", "n2", "n3", "n4", "n5")


def injections(*what: tuple[str, str]) -> tuple[Injection, ...]:
    """One injection after the other, each of a fault into a node."""
    return tuple(
        Injection(id=number, name=name, at_ns=number * SECOND, for_ns=SECOND, plan=Plan(nodes=(node,)))
        for number, (name, node) in enumerate(what, start=1)
    )


def test_nothing_is_within() -> None:
    """No fault asks for nothing."""
    assert exceeded((), durable=True) == ()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_drawn_of_ordinary_faults_is_within(seed: int) -> None:
    """The schedule keeps the budget itself, all faults together."""
    ordinary = [name for name in names() if not is_beyond(name)]
    assert exceeded(draw(ordinary, NODES, seed=seed, duration_ns=40 * SECOND), durable=True) == ()


def test_one_disk_may_be_lost_several_times_and_in_several_ways() -> None:
    """What counts is whose disk it is."""
    assert exceeded(injections(("wipe", "n2"), ("disk-rot", "n2"), ("wipe", "n2")), durable=True) == ()


def test_two_disks_are_one_too_many() -> None:
    """Each is named, in the order in which they are lost; only those are that are lost."""
    told = exceeded(injections(("wipe", "n2"), ("kill", "n3"), ("disk-rot", "n1")), durable=True)
    assert told == ("2 disks are lost (n2, n1), more than 1",)


def test_who_is_ordered_out_is_made_up_for_before_the_next_one_goes() -> None:
    """One after the other is within; both at once are not, nor is one that goes while a disk is empty."""
    remove, replaced, wipe = injections(("remove", "n2"), ("replace", "n3"), ("wipe", "n1"))
    assert exceeded((remove, replaced), durable=True) == ()
    at_once = msgspec.structs.replace(replaced, at_ns=remove.at_ns + 1)
    assert exceeded((remove, at_once), durable=True) == ("2 disks are lost (n2, n3), more than 1",)
    early = msgspec.structs.replace(wipe, at_ns=0)
    assert exceeded((early, remove), durable=True) == ("2 disks are lost (n1, n2), more than 1",)
    assert exceeded((remove, replaced, wipe), durable=True) == ()


@pytest.mark.parametrize("name", ["kill", "restart", "disk-failing", "disk-full"])
def test_a_node_without_a_disk_loses_it_whenever_it_ends(name: str) -> None:
    """Whatever ends the process has emptied its memory."""
    schedule = injections((name, "n1"), (name, "n2"))
    assert exceeded(schedule, durable=True) == ()
    assert exceeded(schedule, durable=False) == ("2 disks are lost (n1, n2), more than 1",)


@pytest.mark.parametrize("name", ["pause", "slow", "clock-jump", "disk-slow"])
def test_a_node_without_a_disk_that_goes_on_keeps_what_it_has(name: str) -> None:
    """Frozen, slow or confused is not dead."""
    assert exceeded(injections((name, "n1"), (name, "n2")), durable=False) == ()


def test_a_lying_disk_is_beyond_any_budget() -> None:
    """Once is enough, and it is told once."""
    told = exceeded(injections(("disk-lying", "n1"), ("disk-lying", "n1")), durable=True)
    assert told == ("disk-lying is more than any configuration claims to survive",)


def test_what_is_beyond_is_drawn_like_anything_else() -> None:
    """Whoever names it has asked for it."""
    schedule = draw(["disk-lying"], NODES, seed=1, duration_ns=24 * SECOND)
    assert [each.name for each in schedule] == ["disk-lying"] * 3
    assert exceeded(schedule, durable=True)
