"""The shapes of partitions, for every size of cluster, and the proof that a cut gives."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemesis.catalog import load, names
from nemesis.powers import CureError, Effect, Link, Plan, PlanError
from tests.nemesis.fakes import FakeNetwork

UNHURRIED = settings(deadline=None, max_examples=50)
SIZES = st.integers(min_value=4, max_value=23)
SEEDS = st.integers(min_value=0, max_value=10**6)
CUTS = [name for name in names() if load(name).plan(("n1", "n2", "n3", "n4"), Random("1")).links]


def cluster(size: int) -> tuple[str, ...]:
    """That many nodes."""
    return tuple(f"n{number}" for number in range(1, size + 1))


def heard_by(node: str, nodes: tuple[str, ...], links: tuple[Link, ...]) -> frozenset[str]:
    """Whom the node still hears, itself included."""
    return frozenset(other for other in nodes if (other, node) not in links)


def is_mutual(plan: Plan) -> bool:
    """Whether every link is cut in both directions."""
    return all((target, source) in plan.links for source, target in plan.links)


def drawn(name: str, size: int, seed: int) -> tuple[tuple[str, ...], Plan]:
    """A cluster and the plan drawn for it."""
    nodes = cluster(size)
    return nodes, load(name).plan(nodes, Random(f"{seed}"))


@UNHURRIED
@given(SIZES, SEEDS)
def test_every_node_of_the_ring_sees_another_majority(size: int, seed: int) -> None:
    """Majorities ring: each node hears a majority, and no two nodes hear the same one."""
    nodes, plan = drawn("partition-majorities-ring", size, seed)
    views = [heard_by(node, nodes, plan.links) for node in nodes]
    assert all(len(view) > size / 2 for view in views)
    assert len(set(views)) == size
    assert is_mutual(plan)


@UNHURRIED
@given(SEEDS)
def test_five_nodes_on_the_ring_see_three_each(seed: int) -> None:
    """With five nodes the majorities are exact, as in Jepsen."""
    nodes, plan = drawn("partition-majorities-ring", 5, seed)
    assert [len(heard_by(node, nodes, plan.links)) for node in nodes] == [3] * 5


@UNHURRIED
@given(SIZES, SEEDS)
def test_halves_cover_the_cluster(size: int, seed: int) -> None:
    """Halves: everybody is on one side, the sides differ by one node at most, and nothing passes between them."""
    nodes, plan = drawn("partition-halves", size, seed)
    smaller, larger = plan.sides
    assert sorted(smaller + larger) == sorted(nodes)
    assert 0 <= len(larger) - len(smaller) <= 1
    for node in smaller:
        assert heard_by(node, nodes, plan.links) == set(smaller)
    for node in larger:
        assert heard_by(node, nodes, plan.links) == set(larger)


@UNHURRIED
@given(SIZES, SEEDS)
def test_an_isolated_node_is_alone(size: int, seed: int) -> None:
    """Isolate: one node hears only itself, the others hear all but that one."""
    nodes, plan = drawn("partition-isolate", size, seed)
    (alone,), others = plan.sides
    assert heard_by(alone, nodes, plan.links) == {alone}
    assert all(heard_by(node, nodes, plan.links) == set(others) for node in others)
    assert is_mutual(plan)


@UNHURRIED
@given(SIZES, SEEDS)
def test_a_bridge_is_seen_by_both_halves(size: int, seed: int) -> None:
    """Bridge: one node hears everybody and is heard by everybody; each half hears itself and the bridge."""
    nodes, plan = drawn("partition-bridge", size, seed)
    (bridge,) = plan.nodes
    smaller, larger = plan.sides
    assert sorted((*smaller, *larger, bridge)) == sorted(nodes)
    assert 0 <= len(larger) - len(smaller) <= 1
    assert heard_by(bridge, nodes, plan.links) == set(nodes)
    for half in plan.sides:
        assert all(heard_by(node, nodes, plan.links) == {*half, bridge} for node in half)


@UNHURRIED
@given(SIZES, SEEDS)
def test_one_way_is_one_way(size: int, seed: int) -> None:
    """One way: everything from the first side to the second is cut, nothing back, and one side is a minority."""
    nodes, plan = drawn("partition-one-way", size, seed)
    unheard, deprived = plan.sides
    assert sorted(unheard + deprived) == sorted(nodes)
    assert set(plan.links) == {(source, target) for source in unheard for target in deprived}
    assert min(len(unheard), len(deprived)) < size / 2


def test_both_directions_are_drawn() -> None:
    """One way: sometimes the minority is not heard, sometimes the majority is not."""
    plans = [drawn("partition-one-way", 5, seed)[1] for seed in range(20)]
    assert {len(plan.sides[0]) < len(plan.sides[1]) for plan in plans} == {True, False}


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("partition-halves", 2),
        ("partition-isolate", 2),
        ("partition-one-way", 2),
        ("partition-bridge", 3),
        ("partition-majorities-ring", 4),
    ],
)
def test_too_few_nodes_are_refused(name: str, least: int) -> None:
    """A shape that needs more nodes says how many, and the least number it names is enough."""
    with pytest.raises(PlanError, match=f"^{name} needs at least {least} nodes; there are {least - 1}$"):
        load(name).plan(cluster(least - 1), Random("1"))
    assert load(name).plan(cluster(least), Random("1")).links


@pytest.mark.parametrize("name", CUTS)
def test_a_cut_that_dropped_nothing_was_not_delivered(name: str) -> None:
    """A cut in silence proves nothing, and says so; the links are still listed."""
    plan = drawn(name, 5, 1)[1]
    effect = asyncio.run(_cut(name, plan, FakeNetwork(), []))
    assert not effect.delivered
    assert effect.observed == {f"{source}>{target}": {"seen": 0, "dropped": 0} for source, target in plan.links}


def test_the_proof_counts_each_link() -> None:
    """What each cut link saw and dropped is in the proof; links that were not cut are not."""
    plan = Plan(links=(("n1", "n2"), ("n2", "n1")))
    effect = asyncio.run(_cut("partition-halves", plan, FakeNetwork(), [("n1", "n2"), ("n1", "n2"), ("n3", "n1")]))
    assert effect.delivered
    assert effect.observed == {"n1>n2": {"seen": 2, "dropped": 2}, "n2>n1": {"seen": 0, "dropped": 0}}


def test_a_cut_that_cannot_be_healed_says_so() -> None:
    """The failure of a cure is not an ordinary failure: the cluster stays broken. The proof is kept all the same."""
    network = FakeNetwork()
    network.heal_fails = True
    kept = Effect()

    async def cut() -> None:
        nonlocal kept
        async with load("partition-isolate").inject(network, Plan(links=(("n1", "n2"),))) as kept:
            network.send("n1", "n2")

    with pytest.raises(CureError, match="rules could not be removed"):
        asyncio.run(cut())
    assert kept.delivered


async def _cut(name: str, plan: Plan, network: FakeNetwork, messages: list[Link]) -> Effect:
    async with load(name).inject(network, plan) as effect:
        for source, target in messages:
            network.send(source, target)
    return effect
