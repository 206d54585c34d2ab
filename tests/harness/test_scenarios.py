"""Scenarios are found by name, each by one, and those that are named after a fault have it."""

from __future__ import annotations

import pytest

from harness import plugins
from harness.asking import complete_spec
from harness.spec import UsageError
from nemesis.catalog import names, needs_files


def test_no_scenario_is_called_like_a_family_of_several() -> None:
    """Whoever asks for the one would get all the others as well."""
    families = plugins.all_scenarios()
    scenarios = [name for family in families.values() for name in family]
    assert [name for name in scenarios if len(families.get(name, ())) > 1] == []
    assert len(scenarios) == len(set(scenarios)), "two scenarios have one name"


def test_every_scenario_makes_a_spec() -> None:
    """Its faults and its workload exist, and its engine can have what happens to it."""
    for family in plugins.all_scenarios().values():
        for name, scenario in family.items():
            spec = complete_spec(name, scenario)
            assert scenario.drawn is not None or spec.faults == scenario.faults


def test_every_fault_is_in_a_scenario() -> None:
    """A fault that nobody finds in the list is not used."""
    used = {fault for family in plugins.all_scenarios().values() for each in family.values() for fault in each.faults}
    assert set(names()) <= used


def test_what_happens_within_files_needs_an_engine_that_has_some() -> None:
    """Who asks for another one is told so in one line; a scenario that is drawn leaves such faults out instead."""
    calm = plugins.find_scenarios("calm")["calm"]
    with pytest.raises(UsageError) as error:
        complete_spec("calm", calm, more_faults=("disk-slow", "disk-rot"), engine="sqlite")
    assert str(error.value) == "--engine sqlite: disk-rot needs an engine on files; give log"
    assert complete_spec("calm", calm, more_faults=("disk-slow", "disk-rot"), engine="log").engine == "log"
    mixed = plugins.find_scenarios("mixed")["mixed"]
    drawn = [complete_spec("mixed", mixed, seed=seed, engine="sqlite").faults for seed in range(40)]
    assert not [name for faults in drawn for name in faults if needs_files(name)]
