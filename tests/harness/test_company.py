"""Who is started at the heal, and who is looked at: the ring's members, as a node that answers tells them."""

from __future__ import annotations

import asyncio
from typing import Any

from harness.company import Company
from harness.spec import RunSpec
from nemesis.powers import Membership
from tests.nemesis.fake_ring import FakeMembership

SPEC = RunSpec(scenario="calm", world="sim", seed=1, spares=2)


class _Cluster:
    """A cluster of fake processes, with or without power over its ring."""

    def __init__(self, ring: FakeMembership, *, living: bool = True) -> None:
        self.nodes = SPEC.all_ids
        self.powers: dict[type, Any] = {Membership: ring} if living else {}
        self.running = ring.running
        self.start = ring.start


def _healed(ring: FakeMembership, *, living: bool = True) -> tuple[str, ...]:
    """Heal, and say who is in reach."""
    company = Company(_Cluster(ring, living=living), SPEC)  # type: ignore[arg-type]
    asyncio.run(company.heal())
    return company.in_reach()


def test_members_are_started_and_others_are_not() -> None:
    """One that joined and was killed is; one that was replaced is not, nor a spare that never came."""
    ring = FakeMembership()
    ring.states |= {"n2": "left", "n6": "valid"}
    ring.up |= {"n2": False, "n4": False}
    assert _healed(ring) == ("n1", "n3", "n4", "n5", "n6")
    assert sorted(ring.log) == [("start", "n4"), ("start", "n6")]


def test_an_outsider_that_runs_is_looked_at() -> None:
    """It may hold what is not its own."""
    ring = FakeMembership()
    ring.states["n2"] = "left"
    assert "n2" in _healed(ring)


def test_where_nobody_answers_everybody_is_started() -> None:
    """And where the ring does not live, it is those that the cluster began with."""
    for living in (True, False):
        ring = FakeMembership()
        ring.up = dict.fromkeys(ring.up, False)
        assert _healed(ring, living=living) == ("n1", "n2", "n3", "n4", "n5")


def test_one_that_cannot_start_is_left_to_the_checkers() -> None:
    """It stays a member in reach, and silent."""
    ring = FakeMembership()
    ring.up["n3"] = False
    ring.will_not_start = ("n3",)
    assert "n3" in _healed(ring)
