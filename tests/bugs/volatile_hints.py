"""Planted bug: hints are kept in memory, and counted towards W like any copy.

What is wrong: the holder of the only copy of a write dies, and the write with it. The idea is hazard H07: a node that
holds hints dies with them, unless a hint is on the disk before it counts.

With N = 1 a hint is the only copy there is while its target is away.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from node.core.node import Node
from node.core.replica import Replica
from node.core.store import Space, Store
from node.core.versions import Versions
from node.runtime.main import main
from node.runtime.memory import MemoryStore

SCENARIO = "crash-partition"
CHECKER = "kept-writes"
SEEDS = 3
OPTIONS: dict[str, Any] = {"n": 1, "r": 1, "w": 1, "rate": 200.0, "every_s": 1.5, "for_s": 1.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_fallback_that_fails_is_replaced_by_the_next_one",
    "test_w_not_reached_is_an_indefinite_refusal_and_the_write_is_seen_through",
    "test_hints_beyond_the_quorum_stay_with_the_coordinator_and_do_not_count",
    "test_a_put_that_was_answered_goes_on_until_every_primary_has_a_home",
    "test_a_hint_kept_here_is_durable_before_the_put_has_ended",
    "test_a_put_at_its_deadline_keeps_hints_for_whoever_has_not_answered",
    "test_a_hint_is_not_deleted_before_the_target_has_it_durably",
    "test_a_delivery_that_gets_lost_is_tried_again",
    "test_hints_found_at_a_restart_are_delivered",
    "test_a_hint_made_after_the_last_one_was_delivered_is_delivered_too",
    "test_a_draining_node_stages_the_hints_of_its_last_put_before_it_leaves",
    "test_a_hint_for_who_was_replaced_is_for_who_took_its_place",
    "test_who_leaves_hands_its_hints_over",
)


class DiskAndMemory:
    """A store whose hints go no further than the process."""

    def __init__(self, store: Store) -> None:
        self._stores: dict[Space, Store] = dict.fromkeys(Space, store) | {Space.HINTS: MemoryStore()}

    def get(self, space: Space, key: bytes) -> bytes | None:
        """Return the value from where the space lies."""
        return self._stores[space].get(space, key)

    def stage(self, space: Space, key: bytes, value: bytes | None) -> None:
        """Stage the value where the space lies."""
        self._stores[space].stage(space, key, value)

    def scan(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Scan where the space lies."""
        return self._stores[space].scan(space, after, limit)


Changed = Callable[[bytes, Versions | None], None]


class VolatileReplica(Replica):
    """A replica whose hints die with it."""

    def __init__(self, node: str, store: Store, rng: Random, staged: Callable[[], None], changed: Changed) -> None:
        super().__init__(node, DiskAndMemory(store), rng, staged, changed)


class NODE(Node):
    """The node with the bug."""

    replica_type = VolatileReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
