"""Planted bug: replicas are put on the next N nodes of the ring, whichever rack these stand in.

What is wrong: three nodes are not three fates; a rack that burns takes all copies of a partition along. The idea is
hazard H21, a claim that puts two replicas where one accident reaches both (riak_core issue 913).
"""

from __future__ import annotations

from copy import copy
from typing import Any

from msgspec.structs import replace

from node.core.changes import Change, History, Member
from node.core.membership import Membership
from node.core.node import Node
from node.core.ring import Ring, ring_of
from node.runtime.main import main

SCENARIO = "location_diversity"
CHECKER = "ring"
SEEDS = 2
OPTIONS: dict[str, Any] = {"rate": 20.0, "keys": 10}
CALM: dict[str, Any] = {}
PINNED = ("test_who_joins_or_leaves_replicas_stay_in_different_racks",)


class RacklessMembership(Membership):
    """A membership that knows where everybody stands, and seats them as if all stood together."""

    def follow(self, history: History) -> Ring:
        """Seat everybody without looking at racks."""
        unplaced = History(tuple(map(_unplaced, history.changes)), history.switches)
        ring = copy(ring_of(replace(self.config, places=()), unplaced))
        known = super().follow(history)
        ring.history, ring.digest, ring.target = known.history, known.digest, known.target
        return ring


def _unplaced(change: Change) -> Change:
    member = change.member
    return change if member is None else replace(change, member=Member(member.node, member.capacity))


class NODE(Node):
    """The node with the bug."""

    membership_type = RacklessMembership


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
