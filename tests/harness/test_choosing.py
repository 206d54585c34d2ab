"""The world is one in which everything that was asked for can be done."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness import plugins
from harness.choosing import choose
from harness.contracts import WorldError
from harness.spec import UsageError
from nemesis.catalog import load, names
from nemesis.powers import Network, Processes

POSSIBLE = ("containers", "processes", "sim")


@pytest.fixture(autouse=True)
def _worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three worlds, of which the first cannot be had; powers are those of the real ones."""
    known = {
        name: SimpleNamespace(POWERS=plugins.world(name).POWERS, probe=lambda: None) for name in ("processes", "sim")
    }
    known["containers"] = SimpleNamespace(POWERS=(Network, Processes), probe=lambda: "no engine answers")
    monkeypatch.setattr(plugins, "world", known.__getitem__)


def test_the_simulated_world_grants_what_every_fault_needs() -> None:
    """A fault that no world can do would never be tried."""
    assert {load(name).NEEDS for name in names()} <= set(plugins.world("sim").POWERS)


def test_auto_takes_the_first_that_can_be_had() -> None:
    """And says what it did without."""
    chosen = choose("auto", POSSIBLE, ["kill"])
    assert (chosen.world, chosen.note) == (
        "processes",
        "world: processes, chosen by auto; no containers: no engine answers",
    )


def test_auto_takes_the_first_that_grants_what_the_faults_need() -> None:
    """A power that is missing is told once, however many faults need it."""
    chosen = choose("auto", POSSIBLE, ["kill", "pause", "delay", "loss"])
    assert chosen.world == "sim"
    lacks = "it does not grant Pauses, Links"
    assert chosen.note == f"world: sim, chosen by auto; no containers: {lacks}; no processes: {lacks}"


def test_who_insists_is_told_what_is_missing_and_where_it_is_not() -> None:
    """In one line, before anything is started."""
    with pytest.raises(UsageError) as error:
        choose("processes", POSSIBLE, ["pause", "kill"])
    assert str(error.value) == (
        "--world processes: pause needs Pauses, which this world does not grant; give --world sim"
    )
    assert choose("processes", POSSIBLE, ["kill"]).world == "processes"


def test_a_world_that_cannot_be_had_or_is_none() -> None:
    """Each has its own kind of error."""
    with pytest.raises(WorldError, match="world containers: no engine answers"):
        choose("containers", POSSIBLE)
    with pytest.raises(UsageError, match="--world containers: this system runs in sim"):
        choose("containers", ("sim",))
