"""What a node still keeps of partitions that it left is deleted only where it does not keep them again."""

from __future__ import annotations

import pytest

from node.core import transfers
from node.core.changes import JOIN, Change, History, Member
from node.core.node import Node
from node.core.transfers import clear
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import Cluster

KEYS = [b"%05d" % number for number in range(300)]
JOINED = History((Change(1, "a", JOIN, "n6", Member("n6"), "", "n1", 0, ""),))


def left_behind() -> Node:
    """A node that is no member, with keys of every partition."""
    cluster = Cluster(strategy=1, tokens=2)
    cluster.start("n6", MemoryStore())
    cluster.settle()
    node = cluster.node("n6")
    for key in KEYS:
        asked = cluster.put("n1", key, key)
        cluster.settle()
        cluster.written(asked)
        holder = cluster.node(node.ring.at(key).seats[0])
        node.replica.merge(key, holder.replica.replicated(key))
    return node


def test_a_part_that_is_kept_again_is_not_deleted_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of the node's own cuts the partition in two while it waits for the others (hazard H10)."""
    node = left_behind()
    places = [place for place in node.ring.places if node.trees.count(place.end)]

    async def bring(_node: Node, _holder: str, _end: int) -> bool:
        node.learn(JOINED)
        return True

    monkeypatch.setattr(transfers, "_bring", bring)
    for place in places:
        with pytest.raises(StopIteration):
            clear(node, place).send(None)
    kept_again = [key for key in KEYS if node.id in node.ring.at(key).keepers]
    assert kept_again
    assert [key for key in kept_again if node.trees.hash_of(key) is None] == []
