"""Scenarios are found by name, each by one, and those that are named after a fault have it."""

from __future__ import annotations

import pytest

from harness import plugins
from harness.asking import complete_spec, replay_line
from harness.runs import schedule_of
from harness.spec import UsageError
from nemesis.catalog import names, needs_files
from nemesis.schedule import collide


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
            assert scenario.drawn is not None or spec.faults == scenario.injects


def test_every_fault_is_in_a_scenario() -> None:
    """A fault that nobody finds in the list is not used."""
    used = {fault for family in plugins.all_scenarios().values() for each in family.values() for fault in each.injects}
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


def test_the_beats_of_a_timeline_keep_apart() -> None:
    """No two of them hold the same node or link at a time: the later one would wait, and come too late."""
    for family in plugins.all_scenarios().values():
        for name, scenario in family.items():
            schedule = schedule_of(complete_spec(name, scenario)) if scenario.timeline else ()
            held_twice = [
                (one.name, other.name)
                for place, one in enumerate(schedule)
                for other in schedule[place + 1 :]
                if collide(one, other)
            ]
            assert held_twice == [], name


def test_a_run_is_as_long_as_its_timeline() -> None:
    """A shorter one is refused, in a line that says how long it takes."""
    scenario = plugins.find_scenarios("join_under_load")["join_under_load"]
    with pytest.raises(UsageError) as error:
        complete_spec("join_under_load", scenario, time_limit_s=5.0)
    assert str(error.value) == "--time-limit is 5; the faults of scenario join_under_load take 11 s"


def test_who_comes_has_to_be_there() -> None:
    """A fault that lets nodes in is told how many it lacks; so is a timeline, and a system without a living ring."""
    calm = plugins.find_scenarios("calm")["calm"]
    with pytest.raises(UsageError, match="--spares is 0; join needs 1: nodes that are to come"):
        complete_spec("calm", calm, more_faults=("join",))
    assert complete_spec("calm", calm, more_faults=("join",), spares=1).spare_ids == ("n6",)
    scenario = plugins.find_scenarios("simultaneous_join")["simultaneous_join"]
    with pytest.raises(UsageError, match="give --spares 2"):
        complete_spec("simultaneous_join", scenario, spares=1)
    with pytest.raises(UsageError, match="--spares is 1; the nodes of --system in-memory are those that it begins"):
        complete_spec("calm", calm, system="in-memory", spares=1)


def test_a_scenario_says_more_than_its_faults() -> None:
    """Its fields are defaults, and what is asked for outranks them; the replay line names the difference only."""
    scenario = plugins.find_scenarios("dc_outage")["dc_outage"]
    spec = complete_spec("dc_outage", scenario, world="sim", seed=3)
    assert (spec.nodes, spec.dcs, spec.centres["dc2"]) == (6, 2, ("n2", "n4", "n6"))
    assert replay_line(spec) == "keelhaul run dc_outage --world sim --seed 3"
    spec = complete_spec("dc_outage", scenario, world="sim", racks=2, settings={"gossip_ms": 300})
    assert replay_line(spec) == "keelhaul run dc_outage --world sim --seed 1 --racks 2 --set gossip_ms=300"
