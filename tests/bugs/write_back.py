"""Planted bug: records are kept in a cache and written to the disk some dozens at a time.

What is wrong: the commit that everything waits for commits what has been written out, and the rest is in memory on all
replicas at once. The idea is hazard H14: Riak's `dw` counts a backend that has not flushed, and a crash of its buffer
loses what was queued.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from node.core.conversations import Kind
from node.core.facts import Command
from node.core.node import Node
from node.core.replica import Replica
from node.core.store import Space, Store
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "crash-kill-all"
CHECKER = "kept-writes"
SEEDS = 3
OPTIONS: dict[str, Any] = {"time_limit_s": 10.0}
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
    "test_a_window_is_delivered_before_the_next_one_is_begun",
    "test_hints_found_at_a_restart_are_delivered",
    "test_a_hint_made_after_the_last_one_was_delivered_is_delivered_too",
    "test_a_draining_node_stages_the_hints_of_its_last_put_before_it_leaves",
    "test_a_hint_for_who_was_replaced_is_for_who_took_its_place",
    "test_after_a_crash_a_transfer_goes_on_with_what_lacks",
    "test_nothing_is_deleted_before_everybody_who_sits_there_has_it",
    "test_nothing_is_gathered_while_one_of_the_others_is_silent",
    "test_who_is_back_while_seats_are_gathered_is_asked_too",
    "test_who_leaves_hands_its_hints_over",
)

FLUSH_AT = 32


class CachedStore:
    """A store with a cache before it, which is written out when it is full or when somebody scans."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cache: dict[tuple[Space, bytes], bytes | None] = {}

    def get(self, space: Space, key: bytes) -> bytes | None:
        """Return the value from the cache, or else from the store."""
        entry = space, key
        return self._cache[entry] if entry in self._cache else self._store.get(space, key)

    def stage(self, space: Space, key: bytes, value: bytes | None) -> None:
        """Put records into the cache; what the node knows of itself goes to the store."""
        if space is Space.META:
            self._store.stage(space, key, value)
            return
        self._cache[space, key] = value
        if len(self._cache) >= FLUSH_AT:
            self.flush()

    def scan(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Write the cache out, and scan the store."""
        self.flush()
        return self._store.scan(space, after, limit)

    @property
    def is_empty(self) -> bool:
        """Whether everything has been written out."""
        return not self._cache

    def flush(self) -> None:
        """Write the cache out."""
        cache, self._cache = self._cache, {}
        for (space, key), value in cache.items():
            self._store.stage(space, key, value)


Changed = Callable[[bytes, Versions | None], None]


class CachingReplica(Replica):
    """A replica on a cache."""

    def __init__(self, node: str, store: Store, rng: Random, staged: Callable[[], None], changed: Changed) -> None:
        self._cached = CachedStore(store)
        super().__init__(node, self._cached, rng, staged, changed)

    def flush(self) -> None:
        """Write everything out before the end."""
        if not self._cached.is_empty:
            self._staged()
            self._cached.flush()


class NODE(Node):
    """The node with the bug."""

    replica: CachingReplica
    replica_type = CachingReplica

    def _finish(self) -> list[Command]:
        if self._draining and not self._left and not self.conversations.open[Kind.REQUEST]:
            self.replica.flush()
        return super()._finish()


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
