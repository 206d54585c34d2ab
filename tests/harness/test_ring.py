"""The scenarios of a living ring: each of them is survived, delivers every fault that it has, and is told about."""

from __future__ import annotations

from functools import cache

import pytest
from msgspec.structs import replace

from checkers.episodes import episodes
from checkers.history import History, RingTold
from checkers.judge import Judgement
from checkers.ring import IDLE
from checkers.verdict import Answer
from harness.asking import complete_spec
from harness.plugins import find_scenarios
from harness.runs import judged, schedule_of, simulate
from harness.scenarios.ring import SCENARIOS
from harness.spec import RunSpec, UsageError
from harness.story import Plot


@cache
def _ran(name: str) -> tuple[History, Judgement]:
    """One simulated run of a scenario, judged."""
    spec = complete_spec(name, find_scenarios(name)[name], world="sim", seed=1)
    plot = Plot(spec, schedule_of(spec))
    simulated = simulate(plot)
    assert simulated.interrupted is None
    return simulated.history, judged(plot, simulated.history)


def _final(history: History) -> dict[str, RingTold]:
    return {told.node: told for told in history.rings if told.round == "final"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_is_survived_and_every_fault_is_delivered(name: str) -> None:
    """Once is enough for none of them: each beat has its place in the story."""
    history, judgement = _ran(name)
    blame = [f"{each.checker}: {each.reason}" for each in judgement.verdicts if each.answer is not Answer.VALID]
    assert blame == []
    undelivered = [(each.name, each.detail) for each in episodes(history) if not each.delivered or each.failed]
    assert undelivered == []


def test_who_joins_is_told_of_by_all_and_looked_at() -> None:
    """A spare is not there at first; in the end it is dumped, and has seats."""
    history, _ = _ran("join_under_load")
    assert history.run.nodes == ("n1", "n2", "n3", "n4", "n5")
    assert history.run.spares == ("n6",)
    assert set(history.dumps("final")) == {*history.run.nodes, "n6"}
    told = _final(history)
    assert {each.states["n6"] for each in told.values()} == {"valid"}
    assert any("n6" in seats for seats in told["n1"].seats)
    assert {each.round for each in history.rings} == {IDLE, "final"}


def test_who_is_replaced_or_removed_is_not_started_again() -> None:
    """Its last record is its end, and nobody looks at it."""
    for name, fault in (("hints_lost_on_replace", "replace"), ("remove_dead_node", "remove")):
        history, _ = _ran(name)
        (victim,) = next(each.victims for each in episodes(history) if each.name == fault)
        assert [change.event for change in history.node_changes if change.node == victim] == ["started", "killed"]
        assert victim not in history.dumps("final")
        assert {each.states[victim] for each in _final(history).values()} == {"left"}


def test_who_has_left_goes_on_as_an_outsider() -> None:
    """It runs, keeps nothing, and answers clients."""
    history, _ = _ran("stale_ring_client")
    (left,) = next(each.victims for each in episodes(history) if each.name == "leave")
    healed = next(each.healed_at for each in episodes(history) if each.name == "leave")
    assert healed is not None
    later = [each for each in history.operations if each.invoked.node == left and each.invoked.at > healed]
    assert [each for each in later if each.outcome.value == "ok"]
    assert history.dumps("final")[left].held == ()


def test_racks_and_data_centres_are_dealt_in_turn() -> None:
    """Spares stand in them as well; where there is one, it has no name."""
    spec = RunSpec(scenario="s", world="sim", seed=1, nodes=5, spares=1, dcs=2, racks=2)
    assert [spec.place_of(node) for node in spec.all_ids] == [
        ("dc1", "dc1-r1"), ("dc2", "dc2-r1"), ("dc1", "dc1-r2"), ("dc2", "dc2-r2"), ("dc1", "dc1-r1"),
        ("dc2", "dc2-r1"),
    ]  # fmt: skip
    assert spec.centres == {"dc1": ("n1", "n3", "n5"), "dc2": ("n2", "n4", "n6")}
    assert replace(spec, dcs=1, racks=1).place_of("n4") == ("", "")
    assert replace(spec, dcs=1).place_of("n2") == ("", "dc1-r2")
    with pytest.raises(UsageError, match="--dcs is 6; with 5 nodes it can be 1 to 5"):
        replace(spec, dcs=6).checked()
    with pytest.raises(UsageError, match="--spares is 60; with 5 nodes it can be 0 to 59"):
        replace(spec, spares=60).checked()
