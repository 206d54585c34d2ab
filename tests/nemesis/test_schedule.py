"""What a drawn schedule promises, whatever was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemesis.catalog import goes, load, loses_disk, names, spares_of
from nemesis.powers import Plan, PlanError
from nemesis.schedule import WATCH, Injection, Schedule, collide, decode, draw, encode, held, rhythm

UNHURRIED = settings(deadline=None, max_examples=50)
SECOND = 10**9
NODES = ("n1", "n2", "n3", "n4", "n5")

seeds = st.integers(min_value=0, max_value=10**9)
durations = st.integers(min_value=4 * SECOND, max_value=90 * SECOND)
WATCHED = [name for name in names() if WATCH in load(name).plan(NODES, Random(0)).how]
"""The faults whose cures watch their victim: for so long that a short run has no room for a second strike."""
REPEATED = [name for name in names() if not (goes(name) or spares_of(name) or name in WATCHED)]
"""The faults that strike again and again: a node goes once, and so does a spare come."""

chosen = st.lists(st.sampled_from(names()), min_size=1, max_size=5, unique=True)


def strikes(schedule: Schedule, name: str) -> list[tuple[int, int, Plan]]:
    """When, how long and what one fault does, without its number."""
    return [(each.at_ns, each.for_ns, each.plan) for each in schedule if each.name == name]


@UNHURRIED
@given(chosen, seeds, durations)
def test_nothing_outlasts_the_run(faults: list[str], seed: int, duration_ns: int) -> None:
    """Every injection begins and ends inside the run, in order, numbered from one."""
    schedule = draw(faults, NODES, seed=seed, duration_ns=duration_ns)
    assert all(each.at_ns >= 0 and each.for_ns > 0 and each.until_ns <= duration_ns for each in schedule)
    assert [each.at_ns for each in schedule] == sorted(each.at_ns for each in schedule)
    assert [each.id for each in schedule] == list(range(1, len(schedule) + 1))


@UNHURRIED
@given(st.sampled_from(REPEATED), seeds, durations)
def test_a_fault_alone_strikes_at_least_twice(name: str, seed: int, duration_ns: int) -> None:
    """From four seconds on the defaults find room for two strikes, and the first does not wait long."""
    schedule = draw([name], NODES, seed=seed, duration_ns=duration_ns)
    assert len(schedule) >= 2
    assert schedule[0].at_ns <= 4 * SECOND
    assert len(schedule) == duration_ns // rhythm(duration_ns).period_ns


@UNHURRIED
@given(chosen, seeds, durations)
def test_no_two_faults_hold_the_same_thing(faults: list[str], seed: int, duration_ns: int) -> None:
    """No node is in two process faults at once, no link in two cuts, and a cure has time before the next strike."""
    schedule = draw(faults, NODES, seed=seed, duration_ns=duration_ns)
    rest_ns = rhythm(duration_ns).rest_ns
    for place, one in enumerate(schedule):
        assert not any(collide(one, other, rest_ns) for other in schedule[place + 1 :])


@UNHURRIED
@given(chosen, st.sampled_from(names()), seeds, durations)
def test_one_more_fault_moves_no_other(faults: list[str], more: str, seed: int, duration_ns: int) -> None:
    """Each strike has its own stream: what stood on the command line before stays where it was."""
    before = draw(faults, NODES, seed=seed, duration_ns=duration_ns)
    after = draw([*faults, more], NODES, seed=seed, duration_ns=duration_ns)
    for name in faults:
        assert strikes(after, name) == strikes(before, name)


@UNHURRIED
@given(seeds, st.integers(min_value=2, max_value=6))
def test_one_disk_is_lost_at_most(seed: int, periods: int) -> None:
    """All strikes that lose a disk hit the same node, whatever else is asked for."""
    losers = [name for name in names() if loses_disk(name)]
    schedule = draw([*losers, "kill"], NODES, seed=seed, duration_ns=periods * 8 * SECOND)
    victims = {each.plan.nodes for each in schedule if loses_disk(each.name)}
    assert len(victims) == 1
    assert len(strikes(schedule, losers[0])) == periods


@UNHURRIED
@given(seeds)
def test_a_longer_run_begins_like_a_shorter_one(seed: int) -> None:
    """Periods are drawn one by one, so that doubling the time repeats the first half."""
    short = draw(["kill", "partition-halves"], NODES, seed=seed, duration_ns=24 * SECOND)
    long = draw(["kill", "partition-halves"], NODES, seed=seed, duration_ns=48 * SECOND)
    assert long[: len(short)] == short


@UNHURRIED
@given(chosen, seeds, durations)
def test_a_schedule_is_data(faults: list[str], seed: int, duration_ns: int) -> None:
    """It survives JSON, and the same arguments draw the same one."""
    schedule = draw(faults, NODES, seed=seed, duration_ns=duration_ns)
    assert decode(encode(schedule)) == schedule
    assert draw(faults, NODES, seed=seed, duration_ns=duration_ns) == schedule


def test_seeds_matter() -> None:
    """Another seed is another schedule, in times and in victims."""
    schedules = [draw(["kill"], NODES, seed=seed, duration_ns=24 * SECOND) for seed in range(5)]
    assert len({tuple(each.at_ns for each in schedule) for schedule in schedules}) == 5
    assert len({tuple(each.plan.nodes for each in schedule) for schedule in schedules}) > 1


def test_two_faults_of_different_powers_overlap() -> None:
    """A kill under a partition is what a schedule is for."""
    schedule = draw(["kill", "partition-halves"], NODES, seed=1, duration_ns=80 * SECOND)
    kills = [each for each in schedule if each.name == "kill"]
    cuts = [each for each in schedule if each.name == "partition-halves"]
    assert any(kill.at_ns < cut.until_ns and cut.at_ns < kill.until_ns for kill in kills for cut in cuts)


def test_a_fault_that_wants_everything_finds_a_gap() -> None:
    """Kill-all collides with every kill; named second, it strikes between them, and shorter."""
    schedule = draw(["kill", "kill-all"], NODES, seed=1, duration_ns=160 * SECOND)
    assert len(strikes(schedule, "kill")) == 20
    assert len(strikes(schedule, "kill-all")) >= 10
    assert min(for_ns for _, for_ns, _ in strikes(schedule, "kill-all")) < 4 * SECOND


def test_a_short_run_beats_faster_in_the_same_proportion() -> None:
    """Ten seconds: two periods of five, half of each under the fault."""
    assert (rhythm(10 * SECOND).period_ns, rhythm(10 * SECOND).for_ns) == (5 * SECOND, 5 * SECOND // 2)
    assert (rhythm(60 * SECOND).period_ns, rhythm(60 * SECOND).for_ns) == (8 * SECOND, 4 * SECOND)
    assert rhythm(SECOND).period_ns == SECOND


@pytest.mark.parametrize(("every", "long"), [(8, 8), (8, 9), (8, 0), (0, 0)])
def test_a_beat_without_a_pause_is_refused(every: int, long: int) -> None:
    """A fault that is always on leaves the cluster no time to recover, so nothing could be learned from it."""
    with pytest.raises(PlanError, match="no time to recover"):
        draw(["kill"], NODES, seed=1, duration_ns=60 * SECOND, every_ns=every * SECOND, for_ns=long * SECOND)


def test_no_time_and_no_nodes_are_refused() -> None:
    """Both are told in words, before anything is drawn."""
    with pytest.raises(PlanError, match="the duration is 0 ns"):
        draw(["kill"], NODES, seed=1, duration_ns=0)
    with pytest.raises(PlanError, match="need nodes"):
        draw(["kill"], (), seed=1, duration_ns=SECOND)


def test_what_is_held_is_named_by_power() -> None:
    """A node that is killed and a node that is cut off are held in different ways, and do not collide."""
    kill = Injection(id=1, name="kill", at_ns=0, for_ns=5, plan=Plan(nodes=("n1",)))
    wipe = Injection(id=2, name="wipe", at_ns=4, for_ns=5, plan=Plan(nodes=("n1",)))
    halves = Injection(id=3, name="partition-halves", at_ns=0, for_ns=5, plan=Plan(links=(("n1", "n2"),)))
    assert held(kill) == ("Processes:n1",)
    assert held(halves) == ("Network:n1>n2",)
    assert collide(kill, wipe)
    assert not collide(kill, halves)
    assert not collide(kill, msgspec.structs.replace(wipe, at_ns=5))
    assert collide(kill, msgspec.structs.replace(wipe, at_ns=5), rest_ns=1)


def test_a_cure_that_watches_its_victim_keeps_it() -> None:
    """Who came earlier would find the node still held, and perhaps its own time over."""
    rollback = Injection(id=1, name="disk-rollback", at_ns=0, for_ns=5, plan=Plan(nodes=("n1",), how={WATCH: 2.0}))
    wipe = Injection(id=2, name="wipe", at_ns=5, for_ns=5, plan=Plan(nodes=("n1",)))
    assert WATCHED == ["disk-rollback"]
    assert collide(rollback, wipe)
    assert collide(rollback, msgspec.structs.replace(wipe, at_ns=2_000_004))
    assert not collide(rollback, msgspec.structs.replace(wipe, at_ns=2_000_005))


def test_a_damaged_schedule_is_refused() -> None:
    """A recorded schedule that is none says where it is wrong."""
    with pytest.raises(msgspec.ValidationError, match="at_ns"):
        decode(b'[{"id": 1, "name": "kill", "at_ns": "soon", "for_ns": 1, "plan": {}}]')


def test_hash_seeds_do_not_matter() -> None:
    """Other processes, with other hash seeds, draw the same schedule for all faults together."""
    program = (
        "from nemesis.catalog import names; from nemesis.schedule import draw, encode;"
        "print(encode(draw(names(), ('n1', 'n2', 'n3', 'n4', 'n5'), seed=3, duration_ns=40 * 10**9)))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1", "2")
    ]
    assert outputs[0].count(b'"id"') >= 20
    assert outputs == [outputs[0]] * 3


def test_every_fault_draws_from_the_generator_it_is_given() -> None:
    """No fault has a source of chance of its own: what it draws depends on the generator's state only."""
    for name in names():
        generator = Random("x")
        state = generator.getstate()
        first = load(name).plan(NODES, generator)
        assert generator.getstate() != state, f"{name} draws nothing"
        generator.setstate(state)
        assert load(name).plan(NODES, generator) == first


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("pause", "kill", False),
        ("disk-failing", "kill", False),
        ("disk-slow", "pause", False),
        ("clock-jump", "clock-drift", False),
        ("slow", "kill", True),
        ("slow", "pause", True),
        ("clock-jump", "kill", True),
        ("clock-drift", "disk-slow", True),
        ("slow", "clock-strobe", True),
    ],
)
def test_what_may_happen_to_one_node_at_a_time(one: str, other: str, together: bool) -> None:
    """Whoever starts and stops a node's process has it alone; its clock and its speed are other matters."""
    first, second = (
        Injection(id=number, name=name, at_ns=0, for_ns=5, plan=Plan(nodes=("n1",)))
        for number, name in enumerate((one, other), start=1)
    )
    assert collide(first, second) is not together


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("delay", "loss", False),
        ("partition-flapping", "partition-halves", False),
        ("delay", "partition-halves", True),
        ("clog", "connection-reset", True),
    ],
)
def test_what_may_happen_to_one_link_at_a_time(one: str, other: str, together: bool) -> None:
    """A link that is bad may be cut as well; two faults of one power keep apart, also where one only has paths."""
    link = (("n1", "n2"),)
    plans = {name: Plan(links=link) if name == "partition-halves" else Plan(paths=link) for name in (one, other)}
    first, second = (
        Injection(id=number, name=name, at_ns=0, for_ns=5, plan=plans[name])
        for number, name in enumerate((one, other), start=1)
    )
    assert collide(first, second) is not together


@UNHURRIED
@given(seeds, st.integers(min_value=0, max_value=3), st.integers(min_value=1, max_value=5))
def test_spares_come_once_and_enough_members_stay(seed: int, spares: int, least: int) -> None:
    """Each spare is in one plan, and no more members go than may, but for those that somebody replaces."""
    coming = tuple(f"n{number}" for number in range(6, 6 + spares))
    schedule = draw(
        ["join", "leave", "replace", "remove"], NODES, seed=seed, duration_ns=64 * SECOND, spares=coming, least=least
    )
    came = [node for each in schedule for node in each.plan.spares]
    assert sorted(came) == sorted(set(came) & set(coming))
    went = [node for each in schedule if goes(each.name) for node in each.plan.nodes]
    assert len(went) == len(set(went))
    assert len(went) - len(strikes(schedule, "replace")) <= len(NODES) - least
    assert len(strikes(schedule, "join")) == min(8, spares)


def test_who_goes_is_nobodys_victim_afterwards() -> None:
    """A node that was removed is not killed again; one that leaves in good order may be, for it lives on."""
    schedule = draw(["remove", "leave", "kill"], NODES, seed=4, duration_ns=80 * SECOND, least=3)
    (remove,) = [each for each in schedule if each.name == "remove"]
    later = [each for each in schedule if each.at_ns > remove.at_ns]
    assert later
    assert not [each for each in later if each.plan.nodes == remove.plan.nodes]
    assert len({each.plan.nodes for each in schedule if each.name in ("remove", "leave")}) == 2


def test_what_is_beside_stays_and_is_kept_clear_of() -> None:
    """A timeline may have more drawn beside it."""
    given_ = Injection(id=1, name="kill", at_ns=0, for_ns=79 * SECOND, plan=Plan(nodes=("n1",)))
    schedule = draw(["kill"], NODES, seed=1, duration_ns=80 * SECOND, beside=(given_,))
    assert given_ in schedule
    assert len(schedule) == 11
    assert sum(each.plan.nodes == ("n1",) for each in schedule) == 1
