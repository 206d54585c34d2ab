"""What a peer may send and no operator has ordered: it is heard, it ends nobody, and it makes no ring."""

from __future__ import annotations

from itertools import permutations

import pytest

from node.core.changes import DOWN, JOIN, REPLACE, Change, History, Member, Switch
from node.core.config import ClusterConfig
from node.core.membership import OrderError
from node.core.messages import Gossip
from node.core.ring import Ring
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import Cluster

CONFIG = ClusterConfig(members=("n1", "n2", "n3"), secret="a secret", partitions=8)
NONSENSE = (
    Change(1, "a", JOIN, "n1x", Member("n1"), "", "n1", 0, ""),
    Change(1, "b", JOIN, "n4", Member("n4", 0), "", "n1", 0, ""),
    Change(1, "c", REPLACE, "n1", Member("n4", 1 << 30), "", "n1", 0, ""),
    Change(1, "d", "explode", "n1", None, "", "n1", 0, ""),
)
STRANGE = (
    Switch(0, (1 << 63) + 5, 0, 1, "n9"),
    Switch(5, 5, 0, 1, "n9"),
    Switch(0, 1 << 63, 99, 1, "n9"),
    Switch(0, 1 << 63, -1, 1, "n9"),
)


@pytest.mark.parametrize("change", NONSENSE)
def test_a_change_that_makes_no_sense_is_as_good_as_none(change: Change) -> None:
    """Whoever is named, and with whatever capacity."""
    plain, odd = Ring(CONFIG, History()), Ring(CONFIG, History((change,)))
    assert (odd.members, odd.moves) == (plain.members, ())
    assert [place.seats for place in odd.places] == [place.seats for place in plain.places]


@pytest.mark.parametrize("switch", STRANGE)
def test_a_switch_of_no_seat_seats_nobody(switch: Switch) -> None:
    """Outside of the ring, of nothing, or of a seat that there is not."""
    assert "n9" not in Ring(CONFIG, History((), (switch,))).keeping


def test_changes_that_share_their_name_are_ordered_all_the_same() -> None:
    """Nobody issues them; two that are merged in any order are one history."""
    changes = [Change(1, "a", JOIN, "n4", Member("n4", capacity), "", "n1", 0, "") for capacity in (1, 2, 3)]
    digests = []
    for order in permutations(changes):
        history = History()
        for change in order:
            history = history.with_change(change)
        digests.append(history.digest)
    assert len(dict.fromkeys(digests)) == 1


def test_a_peer_that_tells_nonsense_ends_nobody() -> None:
    """And one that claims a height that no history has is not believed."""
    cluster = Cluster()
    before = cluster.node("n1").ring.members
    cluster.say("n2", "n1", Gossip(cluster.node("n2").membership.life, History(NONSENSE, STRANGE)))
    high = History((Change(1 << 60, "z", JOIN, "n9", Member("n9"), "", "n1", 0, ""),))
    cluster.say("n2", "n1", Gossip(cluster.node("n2").membership.life, high))
    cluster.settle()
    assert cluster.node("n1").ring.members == before


def test_a_taker_does_not_take_over_from_one_that_is_back() -> None:
    """It may have believed so when it began to gather (hazard H10)."""
    cluster = Cluster()
    cluster.start("n6", MemoryStore())
    taker = cluster.node("n6")
    taker.learn(History((Change(1, "a", JOIN, "n6", Member("n6"), "", "n1", 0, ""),)))
    move = next(move for move in taker.ring.moves if move.taker == "n6")
    assert not taker.seats.take_over(move)
    assert taker.ring.due(move)
    taker.learn(History((Change(2, "b", DOWN, move.giver, None, "", "n1", 0, ""),)))
    assert taker.seats.take_over(move)
    assert not taker.ring.due(move)


def test_who_comes_says_where_it_stands_where_all_others_do() -> None:
    """Or it would be a data centre of its own, and get a replica of everything (hazard H21)."""
    places = tuple(Member(name, dc="east") for name in ("n1", "n2", "n3"))
    cluster = Cluster(members=("n1", "n2", "n3"), places=places)
    membership = cluster.node("n1").membership
    with pytest.raises(OrderError, match="join n4: give its data centre, as all other members have one"):
        membership.stage(JOIN, "n4", Member("n4"), "")
    membership.stage(JOIN, "n4", Member("n4", dc="west"), "")
