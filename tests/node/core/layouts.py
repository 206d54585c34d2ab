"""Members, layouts, and what may happen to them, for the tests of placement."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from node.core.changes import Member
from node.core.placement import Layout, found

STRATEGIES = st.sampled_from([1, 2, 3])
STEPS = st.lists(st.tuples(st.sampled_from(["join", "leave", "replace"]), st.integers(0, 99)), max_size=8)


def nodes(number: int, capacity: int = 1) -> list[Member]:
    """So many members, each on a machine of its own."""
    return [Member(f"n{at:03d}", capacity) for at in range(number)]


def standing(places: list[tuple[str, str, str]]) -> list[Member]:
    """A member in each of these places: host, rack, data centre."""
    return [Member(f"n{at:03d}", 1, *place) for at, place in enumerate(places)]


def layout_of(members: list[Member], strategy: int, partitions: int = 32, tokens: int = 4) -> Layout:
    """A layout in any of the strategies."""
    return found(members, strategy=strategy, partitions=partitions, tokens=tokens)


def after(layout: Layout, steps: list[tuple[str, int]], member: Callable[[str, int], Member]) -> list[Layout]:
    """The layouts after each operation; the last member does not leave."""
    layouts = [layout]
    for number, (operation, chance) in enumerate(steps):
        names, comer = list(layout.members), member(f"x{number}", chance)
        victim = names[chance % len(names)]
        if operation == "join":
            layout = layout.joined(comer, f"s{number}")
        elif operation == "replace":
            layout = layout.replaced(victim, comer, f"s{number}")
        elif len(names) > 1:
            layout = layout.left(victim, f"s{number}")
        layouts.append(layout)
    return layouts
