"""Planted bug: whatever a node is sent of a key it stores anew, and a key's hash covers by whom and how often that was
done.

What is wrong: replicas that know the same have different hashes, so anti-entropy repairs them, and each repair makes
the next one. The idea is hazard H15: hashes of what differs between replicas, and Riak's first anti-entropy, which
repaired for ever (its test verify_aae).

Anti-entropy at rest needs no fault to be seen, so it is off in calm.
"""

from __future__ import annotations

from typing import Any

from node.core.clocks import Actor, Dot
from node.core.node import Node
from node.core.replica import Replica
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "aae_no_perpetual_repair"
CHECKER = "ring"
SEEDS = 2
OPTIONS: dict[str, Any] = {"keys": 20, "settings": {"anti_entropy_settle_ms": 100}}
CALM: dict[str, Any] = {"settings": {"anti_entropy_ms": 0}}
PINNED = (
    "test_a_seat_is_offered_first_and_every_key_is_sent_once",
    "test_after_a_crash_a_transfer_goes_on_with_what_lacks",
)


class BusyReplica(Replica):
    """A replica that stores also what it has already."""

    def merge(self, key: bytes, versions: Versions, hint_for: str | None = None) -> None:
        """Merge, and count it as a change in any case."""
        before = self.replicated(key)
        super().merge(key, versions, hint_for)
        if hint_for is None and self.replicated(key) == before:
            self._changed(key, before)


class NODE(Node):
    """The node with the bug."""

    replica_type = BusyReplica

    def __init__(self, *args: Any, **more: Any) -> None:
        self._stored: dict[bytes, int] = {}
        super().__init__(*args, **more)

    def _changed(self, key: bytes, versions: Versions | None) -> None:
        if versions is not None:
            self._stored[key] = count = self._stored.get(key, 0) + 1
            stored = Dot(Actor(self.id, "", 0), count)
            versions = Versions(versions.clock.including(stored), versions.siblings)
        super()._changed(key, versions)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
