"""Layouts: partitions and preference lists after any sequence of membership operations (Dynamo, 4.2, 4.3, 6.2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.changes import Member
from node.core.claims import RING
from node.core.placement import Layout, apart, placed
from tests.node.core.layouts import STEPS, STRATEGIES, after, layout_of, nodes, standing

PLACES = st.builds(
    lambda host, rack, dc: (f"h{host}" if host else "", f"r{rack}" if rack else "", f"d{dc}" if dc else ""),
    *(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2)),
)


@given(st.integers(1, 300), st.integers(0, 2**128 - 1))
def test_partitions_of_strategies_2_and_3_are_equal_ranges_of_the_whole_ring(partitions: int, position: int) -> None:
    """Partition k is [k/Q, (k+1)/Q) of the circle of 64-bit positions, also where Q is no power of two."""
    layout = layout_of(nodes(3), 3, partitions)
    assert len(layout.ends) == partitions
    assert layout.ends == layout_of(nodes(3), 2, partitions).ends
    index = layout.partition(position)
    assert index * 2**64 <= (position >> 64) * partitions < (index + 1) * 2**64


@given(st.integers(1, 300))
def test_an_end_is_the_first_position_of_the_next_partition(partitions: int) -> None:
    """To the last of 128 bits, and the last end is that of the ring."""
    layout = layout_of(nodes(3), 3, partitions)
    for index, end in enumerate(layout.ends):
        assert (end - 1) * partitions < (index + 1) << 64 <= end * partitions
        assert layout.partition((end << 64) - 1) == index
        assert end == RING or layout.partition(end << 64) == index + 1


@given(STRATEGIES, st.integers(1, 9), STEPS, st.integers(0, 2**128 - 1))
def test_every_strategy_covers_the_ring(strategy: int, size: int, steps: list[tuple[str, int]], position: int) -> None:
    """Every position lies in one partition, and everybody is once in its preference list, whatever has happened."""
    for layout in after(layout_of(nodes(size), strategy), steps, lambda name, _: Member(name)):
        assert layout.ends[-1] == RING
        assert all(start < end for start, end in pairwise((0, *layout.ends)))
        index = layout.partition(position)
        assert (0, *layout.ends)[index] <= position >> 64 < layout.ends[index]
        assert sorted(layout.preference_list(index)) == list(layout.members)
        assert layout.replicas(index, 3) == layout.preference_list(index)[:3]


@given(st.sampled_from([1, 3]), st.integers(1, 9), STEPS, st.integers(0, 2**64 - 1))
def test_an_item_is_kept_by_the_tokens_clockwise_with_larger_positions(
    strategy: int, size: int, steps: list[tuple[str, int]], item: int
) -> None:
    """“Each data item identified by a key is assigned to a node by [...] walking the ring clockwise to find the first
    node with a position larger than the item's position” (4.2), and so on for the replicas: by hand, token by token.
    """
    layout = after(layout_of(nodes(size), strategy, 150, 20), steps, lambda name, _: Member(name))[-1]
    tokens = list(zip(layout.positions, layout.owners, strict=True))
    clockwise = sorted(tokens, key=lambda token: (token[0] <= item, token[0]))
    walk = tuple(dict.fromkeys(owner for _, owner in clockwise))
    assert layout.preference_list(layout.partition(item << 64)) == walk


def test_a_walk_goes_on_until_everybody_is_met() -> None:
    """Also when some have dozens of tokens before the others have their first."""
    tokens = {at: "abc"[at % 3] for at in range(1, 51)} | {60: "e", 70: "d"}
    layout = placed([Member(name) for name in "abcde"], tokens)
    assert layout.preference_list(0) == ("b", "c", "a", "e", "d")
    assert layout.preference_list(50) == ("e", "d", "b", "c", "a"), "around the end of the ring"


@given(st.integers(1, 9), st.integers(0, 31))
def test_strategy_2_walks_from_the_end_of_the_partition(size: int, index: int) -> None:
    """“A partition is placed on the first N unique nodes that are encountered while walking the consistent hashing
    ring clockwise from the end of the partition” (6.2); tokens inside the partition are not met until the very last.
    """
    layout = layout_of(nodes(size), 2)
    end = layout.ends[index]
    tokens = sorted(zip(layout.positions, layout.owners, strict=True), key=lambda token: (token[0] < end, token[0]))
    assert layout.preference_list(index) == tuple(dict.fromkeys(owner for _, owner in tokens))


@given(STRATEGIES, st.permutations(nodes(7)))
def test_members_are_named_in_any_order(strategy: int, members: list[Member]) -> None:
    """The founders need not agree on one."""
    assert layout_of(members, strategy) == layout_of(nodes(7), strategy)


@pytest.mark.parametrize(
    ("strategy", "digest"),
    [(1, "aca7fee8765c"), (2, "6356f2aa2b37"), (3, "beaa0ab9c87b")],
)
def test_everybody_computes_the_same_layout(strategy: int, digest: str) -> None:
    """In every process and version: nodes that differ here would not find each other's data."""
    steps = [("join", 5), ("leave", 2), ("replace", 1), ("join", 0), ("leave", 3)]
    layout = after(layout_of(nodes(5), strategy, 64), steps, lambda name, _: Member(name))[-1]
    facts = repr((layout.ends, layout.positions, layout.owners, layout.preference_list(7)))
    assert hashlib.md5(facts.encode()).hexdigest()[:12] == digest


@given(STRATEGIES, st.integers(1, 12), st.integers(0, 99))
def test_a_replacement_stands_where_the_other_stood(strategy: int, size: int, who: int) -> None:
    """It takes exactly the tokens that the other had, and nobody else notices."""
    before = layout_of(nodes(size), strategy)
    gone = list(before.members)[who % size]
    layout = before.replaced(gone, Member("x", capacity=7), "salt")
    assert layout.owners == tuple("x" if owner == gone else owner for owner in before.owners)
    assert (layout.ends, layout.positions) == (before.ends, before.positions)
    for index in range(len(layout.ends)):
        assert layout.preference_list(index) == tuple(
            "x" if node == gone else node for node in before.preference_list(index)
        )


@given(st.integers(1, 6), STEPS)
def test_ranges_of_strategy_1_only_become_finer(size: int, steps: list[tuple[str, int]]) -> None:
    """A boundary stays when the token is gone, because what is known of a range must not have to be put together."""
    for before, layout in pairwise(after(layout_of(nodes(size), 1), steps, lambda name, _: Member(name))):
        assert set(layout.ends) >= set(before.ends)
        assert set(layout.ends) == set(before.ends) | set(layout.positions)


@given(st.lists(PLACES, min_size=1, max_size=10))
def test_a_preference_list_is_the_plain_choice_each_time(places: list[tuple[str, str, str]]) -> None:
    """The first in the order of the walk with the least used data centre, rack and machine: counted anew each time."""
    left, chosen = standing(places), list[Member]()
    expected = []
    while left:
        uses = [
            (
                sum(other.dc == each.dc for other in chosen),
                sum((other.dc, other.rack) == (each.dc, each.rack) for other in chosen),
                sum(other.machine == each.machine for other in chosen),
            )
            for each in left
        ]
        chosen.append(left.pop(uses.index(min(uses))))
        expected.append(chosen[-1].node)
    assert list(apart(standing(places))) == expected


@pytest.mark.parametrize(
    ("place", "within"),
    [
        (lambda member: member.dc, lambda member: member),
        (lambda member: member.rack, lambda member: Member(member.node, 1, "", member.rack)),
        (lambda member: member.machine, lambda member: Member(member.node, 1, member.host)),
    ],
    ids=["data centres", "racks", "machines"],
)
@given(STRATEGIES, st.lists(PLACES, min_size=1, max_size=9), st.integers(1, 5), STEPS)
def test_replicas_spread_whenever_they_can(
    place: Callable[[Member], str],
    within: Callable[[Member], Member],
    strategy: int,
    places: list[tuple[str, str, str]],
    n: int,
    steps: list[tuple[str, int]],
) -> None:
    """Over as many data centres as there are, or n; in one, over racks; in one rack, over machines (4.3, 4.6)."""

    def comer(name: str, chance: int) -> Member:
        return within(Member(name, 1, f"h{chance % 5}", f"r{chance % 3}", f"d{chance % 2}"))

    founders = [within(member) for member in standing(places)]
    for layout in after(layout_of(founders, strategy, 16, 2), steps, comer):
        possible = min(n, len({place(member) for member in layout.roster}))
        for index in range(len(layout.ends)):
            replicas = [place(layout.members[node]) for node in layout.replicas(index, n)]
            assert len(set(replicas[:possible])) == possible


def test_efficiency_is_mean_load_over_the_largest() -> None:
    """A quarter of the ring here, the rest there; with two replicas both have all; capacity counts."""
    layout = placed([Member("a"), Member("b")], {RING // 4: "a", RING: "b"})
    assert layout.efficiency(1) == pytest.approx(0.5 / 0.75)
    assert layout.efficiency(2) == 1
    assert placed([Member("a"), Member("b", 3)], {RING // 4: "a", RING: "b"}).efficiency(1) == 1


def test_nodes_without_a_token_stand_at_the_end_of_every_list() -> None:
    """Where there are more nodes than partitions; and who stands in first is not always the same one."""
    layout = layout_of(nodes(5), 3, 2)
    assert sum(layout.tokens_of(node) for node in layout.members) == 2
    assert sorted(layout.preference_list(0)) == sorted(layout.preference_list(1)) == list(layout.members)
    assert layout.preference_list(0)[2] != layout.preference_list(1)[2]


@pytest.mark.parametrize(
    ("members", "warnings"),
    [
        (nodes(3), []),
        (nodes(2), ["every partition has 2 replicas instead of 3: there are no more nodes"]),
        (standing([("h", "", "")] * 2 + [("", "", "")]), ["partitions 0..3 have 2 replicas on host h"]),
        (standing([("h", "", "")] * 3), ["partitions 0..3 have 3 replicas on host h"]),
        (standing([("", "r", ""), ("", "r", ""), ("", "q", "")]), []),
        (standing([("", "r", "d")] * 2 + [("", "q", "d"), ("", "s", "e")]), []),
        (standing([("", "r", ""), ("", "r", ""), ("", "q", ""), ("", "s", "")]), []),
        (standing([("h", "r", "d"), ("h", "r", "d"), ("", "q", "e")]), ["partitions 0..3 have 2 replicas on host h"]),
    ],
)
def test_warnings_say_where_replicas_share_a_fate(members: list[Member], warnings: list[str]) -> None:
    """Two replicas on one host always; on one rack only when there are racks that have none."""
    assert layout_of(members, 3, 4).warnings(3) == warnings


def test_a_warning_names_partitions_and_counts_the_rest() -> None:
    """One line, however many ranges. Data centre d has one rack for four replicas, where five racks are to be had."""
    places = [("", "r1", "d"), ("", "r1", "d"), *[("", f"r{rack}", "e") for rack in (2, 3, 4, 5)]]
    assert layout_of(standing(places), 3, 2).warnings(4) == ["partitions 0..1 have 2 replicas on rack d/r1"]
    members = [Member(f"n{at}", 1, "gh"[at % 2]) for at in range(4)]
    assert placed(members, {RING * at // 40: f"n{at % 4}" for at in range(1, 41)}).warnings(3) == [
        "partitions 0, 2, 4, 6, 8, 10, 12, 14 and 12 more have 2 replicas on host h",
        "partitions 1, 3, 5, 7, 9, 11, 13, 15 and 12 more have 2 replicas on host g",
    ]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: layout_of(nodes(2), 4), "partitioning strategy 4: must be 1, 2 or 3"),
        (lambda: layout_of(nodes(2), 3, partitions=0), "0 partitions: strategy 3 needs at least 1"),
        (lambda: layout_of(nodes(2), 2, tokens=0), "0 tokens: strategy 2 needs at least 1 for each unit of capacity"),
        (lambda: layout_of([], 3), "no members: a ring is founded by at least one"),
        (lambda: layout_of(nodes(2) + nodes(1), 3), "n000 cannot join: it is a member already"),
        (lambda: layout_of(nodes(2, 0), 3), "n000 has capacity 0: must be at least 1"),
        (lambda: layout_of(nodes(2), 3).joined(Member("n001"), ""), "n001 cannot join: it is a member already"),
        (lambda: layout_of(nodes(2), 1).left("x", ""), "x cannot be removed: it is no member; members are n000, n001"),
        (lambda: layout_of(nodes(1), 3).left("n000", ""), "n000 cannot be removed: it is the last member"),
        (lambda: layout_of(nodes(2), 3).replaced("x", Member("y"), ""), "x cannot be replaced: it is no member; "),
        (lambda: layout_of(nodes(2), 3).replaced("n000", Member("n001"), ""), "n001 cannot join: it is a member"),
        (lambda: placed(nodes(1), {0: "n000"}), "a token of n000 at 0: must be in 1..2**64"),
        (lambda: placed(nodes(1), {9: "x"}), "the token at 9 is x's, which is no member; members are n000"),
        (lambda: placed(nodes(1), {9: "n000"}, strategy=3), "no token at 2**64: strategy 3 needs one at the end"),
        (lambda: placed(nodes(2), {9: "n000"}).left("n000", ""), "n000 cannot be removed: no other member has a token"),
        (lambda: placed(nodes(1), {9: "n000"}).with_tokens(Member("x"), [9]), "a token of x at 9: must be in 1..2**64"),
    ],
)
def test_what_makes_no_ring_is_refused_by_name(made: Callable[[], Layout], said: str) -> None:
    """In one line, with the value, and what would have been right."""
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        made()
