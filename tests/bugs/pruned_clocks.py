"""Planted bug: a clock that is stored keeps three entries, and those of the siblings that are alive.

What is wrong: a coordinator finds no entry of its own and counts from one again, and a replica takes back as new what
it had seen overwritten. The idea is hazard H02, clocks cut to a bound (the paper cuts at ten; riak_core issue 613), and
the way from there to H03, clocks that go backward.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from node.core.clocks import Clock
from node.core.node import Node
from node.core.replica import Record, Replica
from node.core.store import Space
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "partition-halves"
CHECKER = "dots"
SEEDS = 5
OPTIONS: dict[str, Any] = {}
CALM: dict[str, Any] = {}
PINNED = ("test_a_node_goes_on_counting_however_many_have_written_since",)

ENTRIES_MAX = 3


def pruned(versions: Versions) -> Versions:
    """Keep the entries of the siblings that are alive, and as many others as there is room for."""
    alive = {sibling.dot.actor for sibling in versions.siblings}
    others = [seen.actor for seen in versions.clock.entries if seen.actor not in alive]
    spare = max(0, ENTRIES_MAX - len(alive))
    kept = alive.union(others[len(others) - spare :])
    return Versions(Clock(tuple(s for s in versions.clock.entries if s.actor in kept)), versions.siblings)


class PruningReplica(Replica):
    """A replica that saves space."""

    def _save(self, space: Space, name: bytes, record: Record) -> None:
        super()._save(space, name, replace(record, versions=pruned(record.versions)))


class NODE(Node):
    """The node with the bug."""

    replica_type = PruningReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
