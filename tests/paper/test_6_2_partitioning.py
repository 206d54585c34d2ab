"""Section 6.2, ensuring uniform load distribution: strategy 3, Q/S tokens per node and equal-sized partitions."""

from __future__ import annotations

from collections import Counter

import pytest

from node.core.changes import History
from node.core.config import ClusterConfig
from node.core.ring import Ring


def _ring(size: int, partitions: int) -> Ring:
    """The ring of a cluster of so many founders."""
    members = tuple(f"n{number}" for number in range(size))
    return Ring(ClusterConfig(members=members, secret="s", partitions=partitions).checked(), History())


@pytest.mark.parametrize(("size", "partitions"), [(3, 12), (5, 60), (8, 64), (30, 960)])
def test_d15_strategy_3_every_node_has_q_over_s_tokens(size: int, partitions: int) -> None:
    """“Each node is assigned Q/S tokens where S is the number of nodes in the system”, exactly where S divides Q."""
    assert Counter(Counter(_ring(size, partitions).target.owners).values()) == {partitions // size: size}


@pytest.mark.parametrize(("partitions", "least"), [(60, 0.83), (240, 0.87), (960, 0.92), (3840, 0.95)])
def test_figure_8_strategy_3_load_balancing_efficiency(partitions: int, least: float) -> None:
    """Figure 8, S = 30 and N = 3: “load balancing efficiency is defined as the ratio of average number of requests
    served by each node to the maximum number of requests served by the hottest node”. The figure has .869, .901, .941
    and .971 for random tokens; ours, dealt in rounds, must not be worse than that less the noise of one drawing.
    """
    load = _ring(30, partitions).keeping
    assert sum(load.values()) == 3 * partitions
    assert 3 * partitions / 30 / max(load.values()) >= least


def test_d21_preference_lists_are_distinct_physical_nodes_and_longer_than_n() -> None:
    """“The preference list for a key is constructed by skipping positions in the ring to ensure that the list contains
    only distinct physical nodes”; “to account for node failures, [it] contains more than N nodes” (4.3).
    """
    ring = _ring(7, 64)
    for number in range(1000):
        place = ring.at(b"%d" % number)
        assert sorted(place.preference) == sorted(ring.members)
        assert place.preference[:3] == place.seats
