"""Claims: how many tokens everybody has, which move when nodes come and go, and how they lie (Dynamo, 4.2, 6.2)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.changes import Member
from node.core.claims import Crowding, tokens
from tests.node.core.layouts import STEPS, STRATEGIES, after, layout_of, nodes


@given(st.integers(1, 12), st.integers(0, 90), STEPS)
def test_everybody_has_q_over_s_tokens(size: int, more: int, steps: list[tuple[str, int]]) -> None:
    """Strategy 3: “each node is assigned Q/S tokens”, rounded down or up, after whatever has happened (6.2)."""
    partitions = size + more
    for layout in after(layout_of(nodes(size), 3, partitions), steps, lambda name, _: Member(name)):
        share = partitions // len(layout.members)
        held = [layout.tokens_of(node) for node in layout.members]
        assert sum(held) == partitions
        assert set(held) <= {share, share + 1}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 90), STEPS)
def test_tokens_follow_capacity(capacities: list[int], partitions: int, steps: list[tuple[str, int]]) -> None:
    """No token would be better placed with another node, as Sainte-Laguë has it, after any joins and leaves (4.2)."""
    members = [Member(f"n{at}", capacity) for at, capacity in enumerate(capacities)]
    operations = [step for step in steps if step[0] != "replace"]
    for layout in after(
        layout_of(members, 3, partitions), operations, lambda name, chance: Member(name, 1 + chance % 5)
    ):
        held = {member: layout.tokens_of(member.node) for member in layout.roster}
        dearest = max((2 * tokens - 1) / member.capacity for member, tokens in held.items())
        assert dearest <= min((2 * tokens + 1) / member.capacity for member, tokens in held.items())


@given(st.sampled_from([1, 2]), st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(1, 9))
def test_random_tokens_follow_capacity_exactly(strategy: int, capacities: list[int], tokens: int) -> None:
    """T for each unit of it (4.2)."""
    members = [Member(f"n{at}", capacity) for at, capacity in enumerate(capacities)]
    layout = layout_of(members, strategy, tokens=tokens).joined(Member("x", 3), "salt")
    assert layout.tokens_of("x") == 3 * tokens
    assert [layout.tokens_of(member.node) for member in members] == [tokens * each for each in capacities]


@given(st.integers(1, 20), st.integers(1, 90), st.text(max_size=3))
def test_a_joiner_steals_its_share_and_nothing_else_moves(size: int, partitions: int, salt: str) -> None:
    """“When a node joins the system it ‘steals’ tokens from nodes in the system” (6.2): at most ceil(Q/S) of them."""
    before = layout_of(nodes(size), 3, partitions)
    layout = before.joined(Member("x"), salt)
    moved = [new for old, new in zip(before.owners, layout.owners, strict=True) if old != new]
    assert set(moved) <= {"x"}
    assert len(moved) == layout.tokens_of("x") <= -(-partitions // (size + 1))


@given(STRATEGIES, st.integers(2, 12), st.integers(0, 99), st.text(max_size=3))
def test_a_leaver_moves_its_own_tokens_only(strategy: int, size: int, who: int, salt: str) -> None:
    """“Its tokens are randomly distributed to the remaining nodes” (6.2); in strategies 1 and 2 they are gone."""
    before = layout_of(nodes(size), strategy)
    leaver = list(before.members)[who % size]
    layout = before.left(leaver, salt)
    assert leaver not in layout.members
    kept = [token for token in zip(before.positions, before.owners, strict=True) if token[1] != leaver]
    new = list(zip(layout.positions, layout.owners, strict=True))
    assert [token for token in new if token in kept] == kept
    assert leaver not in layout.owners
    assert layout.positions == before.positions if strategy == 3 else new == kept


@pytest.mark.parametrize("partitions", [64, 256, 1024])
def test_a_join_changes_about_n_copies_for_each_token(partitions: int) -> None:
    """From 3 nodes to 48: N copies of each stolen token, and hardly one more that distinctness displaces."""
    layout = layout_of(nodes(3), 3, partitions)
    for size in range(4, 49):
        joined = layout.joined(Member(f"n{size:03d}"), f"join {size}")
        lists = [(layout.replicas(index, 3), joined.replicas(index, 3)) for index in range(partitions)]
        copies = sum(len(set(new) - set(old)) for old, new in lists)
        stolen = joined.tokens_of(f"n{size:03d}")
        assert copies <= 3 * stolen * 1.05 + 1, f"{stolen} tokens moved to number {size}, but {copies} copies"
        layout = joined


@pytest.mark.parametrize(("size", "partitions"), [(3, 64), (5, 64), (5, 1024), (8, 256), (30, 960), (30, 1024)])
def test_replicas_are_balanced_as_well_as_tokens(size: int, partitions: int) -> None:
    """Tokens of one node are kept apart, so that its replicas are as many as its tokens allow: Q/S over ceil(Q/S)."""
    layout = layout_of(nodes(size), 3, partitions)
    best = partitions / size / -(-partitions // size)
    assert layout.efficiency(3) >= best - 0.001
    assert layout.joined(Member("x"), "salt").efficiency(3) >= 0.96 * best


@pytest.mark.parametrize("partitions", [256, 1024])
def test_replicas_stay_balanced_when_nodes_leave(partitions: int) -> None:
    """From 30 nodes down to 4: what a leaver gives away goes where it displaces hardly anything: 1 in 90 at most."""
    layout = layout_of(nodes(30), 3, partitions)
    for size in range(29, 3, -1):
        layout = layout.left(list(layout.members)[size // 2], f"leave {size}")
        best = partitions / size / -(-partitions // size)
        assert layout.efficiency(3) >= 0.989 * best, f"{layout.efficiency(3)} is far from {best} with {size} nodes"


def test_a_token_that_falls_on_another_is_drawn_again() -> None:
    """So that everybody has as many as it should, and the other keeps its own."""
    member = Member("n", 2)
    free = tokens({}, member, 2, "salt")
    first, second, *others = free
    redrawn = tokens({second: "x"}, member, 2, "salt")
    assert list(redrawn)[:3] == [first, *others]
    assert len(redrawn) == len(free) == 4


def test_tokens_of_one_machine_or_rack_are_kept_apart() -> None:
    """In the claims themselves, so that distinctness need not displace replicas: hardly two of a machine in reach."""
    members = [Member(f"n{at:02d}", 1, f"h{at // 2}", f"r{at % 5}") for at in range(30)]
    layout = layout_of(members, 3, 960)
    near = [(layout.owners[at], layout.owners[(at + step) % 960]) for at in range(960) for step in (1, 2, 3)]
    assert sum(layout.members[one].machine == layout.members[other].machine for one, other in near) <= len(near) / 1000
    assert sum(layout.members[one].rack == layout.members[other].rack for one, other in near) < len(near) / 10


def test_a_crowd_is_dearer_the_nearer_and_the_likelier_to_fail_together() -> None:
    """A machine costs more than racks, racks more than data centres, and everything less when it is further away."""
    members = [Member("a", 1, "h", "r", "d"), Member("b", 1, "h", "r", "d"), Member("c", 1, "", "r", "d")]
    members += [Member("d", 1, "", "q", "d"), Member("e", 1, "", "r", "e"), *nodes(3)]
    costs = []
    for other in "bcde":
        costs.append(Crowding(members, [None, other, None, None, None, None, None, None]).of("a", 0))
        costs.append(Crowding(members, [None, None, other, None, None, None, None, None]).of("a", 0))
    assert costs == [1024, 512, 64, 32, 4, 2, 0, 0]


def test_the_load_of_a_node_that_is_down_spreads_over_the_others() -> None:
    """As in a real cluster of seven: whoever is lost, every other node is the first to stand in somewhere."""
    layout = layout_of(nodes(7), 3, 210)
    for lost in layout.members:
        lists = [layout.preference_list(index) for index in range(210)]
        heirs = Counter(second for first, second, *_ in lists if first == lost)
        assert sorted(heirs) == sorted(set(layout.members) - {lost})
        assert max(heirs.values()) < sum(heirs.values()) / 2
