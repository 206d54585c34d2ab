"""Partitioning as the paper tells it: who takes over what when a node comes or goes, and figures 6 and 8 (4.2, 4.9)."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate, chain
from random import Random
from statistics import fmean

import pytest

from node.core.changes import Member
from node.core.placement import Layout, found, placed

RING = 1 << 64

FIGURE_8 = {
    60: (0.520, 0.532, 0.861),
    120: (0.609, 0.610, 0.869),
    240: (0.690, 0.701, 0.901),
    480: (0.759, 0.760, 0.920),
    960: (0.821, 0.822, 0.941),
    1920: (0.869, 0.851, 0.960),
    3840: (0.909, 0.881, 0.971),
    7680: (0.931, 0.870, 0.981),
    15360: (0.950, 0.851, 0.981),
    30720: (0.960, 0.841, 0.990),
}
"""Figure 8's curves of the three strategies by the size of the metadata: S·T tokens, or Q in strategy 3."""

DRAWINGS = {60: 40, 120: 30, 240: 20, 480: 15, 960: 10, 1920: 6, 3840: 4, 7680: 2, 15360: 2, 30720: 1}
"""Over how many rings a mean is taken: the larger the ring, the less it varies, but not where Q stays the same."""


def nodes(number: int, ring: object = "") -> list[Member]:
    """So many nodes, named so that every ring has other tokens."""
    return [Member(f"{ring}n{at:02d}") for at in range(number)]


def changed(before: Layout, after: Layout, node: str) -> tuple[str, str]:
    """The ranges that a node has given up, and those that it has taken over, with N = 3; each is named by its end."""
    given_up, taken_over = dict[str, None](), dict[str, None]()
    for index, end in enumerate(after.ends):
        had = node in before.replicas(before.partition(end - 1 << 64), 3)
        has = node in after.replicas(index, 3)
        name = dict(zip(after.positions, after.owners, strict=True)).get(end, after.owners[0])
        given_up |= {name: None} if had and not has else {}
        taken_over |= {name: None} if has and not had else {}
    return "".join(sorted(given_up)), "".join(sorted(taken_over))


def test_4_9_a_node_between_a_and_b_takes_three_ranges_and_three_nodes_stop_storing_one() -> None:
    """Section 4.9: “Let us consider a simple bootstrapping scenario where node X is added to the ring [...] between A
    and B. When X is added to the system, it is in charge of storing keys in the ranges (F, G], (G, A] and (A, X]. As a
    consequence, nodes B, C and D no longer have to store the keys in these respective ranges.” N = 3.
    """
    before = placed([Member(name) for name in "ABCDEFG"], {RING * at // 8: "ABCDEFG"[at - 1] for at in range(1, 8)})
    after = before.with_tokens(Member("X"), [RING * 3 // 16])

    assert changed(before, after, "X") == ("", "AGX")
    assert changed(before, after, "B") == ("G", "")
    assert changed(before, after, "C") == ("A", "")
    assert changed(before, after, "D") == ("X", "")
    assert [changed(before, after, node) for node in "AEFG"] == [("", "")] * 4
    assert after.replicas(2, 3) == before.replicas(1, 3) == ("B", "C", "D"), "(X, B] has not changed at all"


def test_4_9_when_a_node_leaves_the_reallocation_is_the_reverse() -> None:
    """Section 4.9: “When a node is removed from the system, the reallocation of keys happens in a reverse process.”"""
    before = found(nodes(9), strategy=1, partitions=0, tokens=8)
    joined = before.joined(Member("X"), "salt")
    left = joined.left("X", "another")
    for index in range(len(joined.ends)):
        middle = joined.ends[index] - 1 << 64
        assert left.preference_list(left.partition(middle)) == before.preference_list(before.partition(middle))


@pytest.mark.parametrize("strategy", [1, 2, 3])
def test_4_2_the_load_of_a_lost_node_is_dispersed_over_the_remaining_ones(strategy: int) -> None:
    """Section 4.2: “If a node becomes unavailable (due to failures or routine maintenance), the load handled by this
    node is evenly dispersed across the remaining available nodes.” None of nine takes three times its even part.
    """
    layout = found(nodes(10), strategy=strategy, partitions=2048, tokens=128)
    for lost in layout.members:
        heirs = _heirs(layout, lost)
        assert sorted(heirs) == sorted(set(layout.members) - {lost})
        assert max(heirs.values()) < 3 * heirs.total() / 9


def test_4_2_without_virtual_nodes_one_successor_would_get_it_all() -> None:
    """Section 4.2: “the basic consistent hashing algorithm presents some challenges”. With one token each, this one."""
    layout = found(nodes(10), strategy=1, partitions=0, tokens=1)
    assert all(len(_heirs(layout, lost)) == 1 for lost in layout.members)


def _heirs(layout: Layout, lost: str) -> Counter[str]:
    """Who is to take how much of what a node was the first to be responsible for."""
    heirs: Counter[str] = Counter()
    for index, (start, end) in enumerate(zip((0, *layout.ends), layout.ends, strict=False)):
        first, second, *_ = layout.preference_list(index)
        if first == lost:
            heirs[second] += end - start
    return heirs


@pytest.mark.parametrize("strategy", [1, 2, 3])
def test_4_2_a_new_node_takes_a_roughly_equivalent_amount_of_load_from_each(strategy: int) -> None:
    """Section 4.2: “When a node becomes available again, or a new node is added to the system, the newly available node
    accepts a roughly equivalent amount of load from each of the other available nodes.” In strategy 3, of tokens.
    """
    before = found(nodes(10), strategy=strategy, partitions=2000, tokens=128)
    after = before.joined(Member("X"), "salt")
    given: Counter[str] = Counter()
    for index, (start, end) in enumerate(zip((0, *after.ends), after.ends, strict=False)):
        was = before.preference_list(before.partition(end - 1 << 64))[0]
        now = after.preference_list(index)[0]
        assert now in (was, "X")
        given[was] += (end - start) * (now == "X")
    if strategy == 3:
        lost = [before.tokens_of(node) - after.tokens_of(node) for node in before.members]
        assert set(lost) <= {18, 19}
    assert max(given.values()) < 2 * given.total() / 10
    assert min(given.values()) > given.total() / 10 / 2


@pytest.mark.parametrize("strategy", [1, 2, 3])
def test_4_2_the_number_of_virtual_nodes_follows_the_capacity(strategy: int) -> None:
    """Section 4.2: “The number of virtual nodes that a node is responsible can decided based on its capacity [sic],
    accounting for heterogeneity in the physical infrastructure.” Capacity 1, 2 or 4: so many times the tokens and load.
    """
    members = [Member(f"n{at}", capacity=1 << at % 3) for at in range(9)]
    layout = found(members, strategy=strategy, partitions=2100, tokens=100)
    assert [layout.tokens_of(member.node) for member in members] == [100 * member.capacity for member in members]
    assert layout.efficiency(1) > 0.85, "load for each unit of capacity"


@pytest.mark.parametrize("metadata", FIGURE_8)
def test_6_2_figure_8_load_balancing_efficiency(metadata: int) -> None:
    """Section 6.2: “Load balancing efficiency is defined as the ratio of average number of requests served by each
    node to the maximum number of requests served by the hottest node”, for 30 nodes and N = 3, uniform keys.

    What is counted is replicas; strategy 2 has Q = 1024, for with Q growing it could not fall again, as it does; and
    strategy 3 deals tokens at random. Each is within 0.03 of the figure. Ours deals with care, and loses nothing.
    """
    random_1, random_2, random_3, ours = [], [], [], []
    for ring in range(DRAWINGS[metadata]):
        members = nodes(30, ring)
        random_1.append(found(members, strategy=1, partitions=0, tokens=metadata // 30).efficiency(3))
        random_3.append(_at_random(members, metadata, Random(f"figure 8:{ring}")).efficiency(3))
        ours.append(found(members, strategy=3, partitions=metadata, tokens=0).efficiency(3))
    for ring in range(max(12, DRAWINGS[metadata])):
        layout = found(nodes(30, ring), strategy=2, partitions=1024, tokens=metadata // 30)
        random_2.append(layout.efficiency(3))
    assert (fmean(random_1), fmean(random_2), fmean(random_3)) == pytest.approx(FIGURE_8[metadata], abs=0.03)
    assert min(ours) == 1


def test_6_2_strategy_3_needs_three_orders_of_magnitude_less_metadata() -> None:
    """Section 6.2: “Compared to Strategy 1, Strategy 3 achieves better efficiency and reduces the size of membership
    information maintained at each node by three orders of magnitude.” Q = 30 here, and S·T = 30720 there.
    """
    ours, theirs = (
        found(nodes(30), strategy=3, partitions=30, tokens=0),
        found(nodes(30), strategy=1, partitions=0, tokens=1024),
    )
    assert len(theirs.positions) > 1000 * len(ours.positions)
    assert ours.efficiency(3) > theirs.efficiency(3)


def _at_random(members: list[Member], partitions: int, rng: Random) -> Layout:
    """Strategy 3 with exactly Q/S tokens for each node, in an order that nobody chose."""
    owners = [member.node for member in members] * (partitions // len(members))
    rng.shuffle(owners)
    return placed(members, {RING * (at + 1) // partitions: owner for at, owner in enumerate(owners)}, strategy=3)


def test_6_2_figure_6_the_imbalance_ratio_falls_with_load() -> None:
    """Section 6.2: “the imbalance ratio decreases with increasing load. For instance, during low loads the imbalance
    ratio is as high as 20% and during high loads it is close to 10%”: the part of the nodes whose requests deviate from
    the mean by 15% or more, in half hours. The reason given there is followed: at low loads, an eighth of the peak,
    fewer popular keys are accessed. Popularity is Zipf's; the exponent, 0.75, is ours. The plot suggests 9 nodes.
    """
    layout = found(nodes(9), strategy=3, partitions=1024, tokens=0)
    ratios = [_imbalance(layout, load, Random("figure 6")) for load in (1000, 2000, 4000, 8000)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[0] > 2 * ratios[-1]
    assert (ratios[0], ratios[-1]) == pytest.approx((0.2, 0.1), abs=0.1)


def _imbalance(layout: Layout, load: int, rng: Random, windows: int = 48) -> float:
    """The part of nodes out of balance, in the mean of the windows: so many requests to as many keys, N = 3 each."""
    popularity = list(accumulate(rank**-0.75 for rank in range(1, load + 1)))
    ratios = []
    for _ in range(windows):
        keys = [layout.replicas(layout.partition(rng.getrandbits(128)), 3) for _ in range(load)]
        served = Counter(chain.from_iterable(rng.choices(keys, cum_weights=popularity, k=load)))
        mean = served.total() / len(layout.members)
        ratios.append(fmean(abs(served[node] - mean) >= 0.15 * mean for node in layout.members))
    return fmean(ratios)
