"""Hypothesis strategies for dots and clocks, few enough of them that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from node.core.clocks import Actor, Clock, Dot

ACTORS = (Actor("x", "1", 1), Actor("x", "1", 2), Actor("x", "2", 1), Actor("y", "1", 1))

dots = st.builds(Dot, st.sampled_from(ACTORS), st.integers(1, 8))
dot_sets = st.frozensets(dots, max_size=16)


def clock_of(events: frozenset[Dot] | list[Dot]) -> Clock:
    """The clock of a set of events, added one at a time in whatever order they come."""
    clock = Clock()
    for dot in events:
        clock = clock.including(dot)
    return clock


clocks = dot_sets.map(clock_of)
