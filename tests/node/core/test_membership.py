"""Orders: staged, looked at as a plan, committed; and what one node knows of who is in the ring (Dynamo, 4.8.1)."""

from __future__ import annotations

import re

import pytest

from node.core.changes import DOWN, JOIN, LEAVE, REPLACE, UP, History, Life, Member
from node.core.membership import Membership, OrderError
from tests.node.core.histories import FOUNDERS, config_of, ordered, united


class Disk:
    """What a membership has had kept, and whom it has had met."""

    def __init__(self) -> None:
        self.kept: list[History] = []
        self.met: list[tuple[str, str]] = []


def _membership(
    node: str = "n1", disk: Disk | None = None, life: int = 1, known: History | None = None, seeds: tuple[str, ...] = ()
) -> Membership:
    """One life of a node."""
    disk = disk or Disk()
    born = Life(node, "", 0, f"{node}:7000")
    membership = Membership(
        config_of(),
        dict.fromkeys(seeds, ""),
        disk.kept.append,
        lambda peer, address: disk.met.append((peer, address)),
        born,
    )
    membership.begin(Life(node, f"life{life}", life, born.address), known or History())
    return membership


def _commit(membership: Membership, issued_ms: int = 0) -> History:
    """Look at the plan, commit it, and learn what comes of it."""
    membership.planned = membership.token
    history = membership.commit(membership.planned, issued_ms)
    membership.learn(history)
    return history


# --- orders ---


def test_what_is_staged_changes_nothing_until_it_is_committed() -> None:
    """It is seen in the plan, by nobody else, and unstaged it is gone."""
    membership = _membership()
    membership.stage(JOIN, "x1", Member("x1"), "x1:1")
    assert membership.planned_ring().is_member("x1")
    assert not membership.ring.is_member("x1")
    membership.unstage()
    assert not membership.planned_ring().is_member("x1")
    with pytest.raises(OrderError, match=re.escape("nothing is staged here")):
        membership.commit(membership.token, 0)


def test_orders_are_committed_in_the_order_in_which_they_were_staged() -> None:
    """Each on the one before; and the ring that comes of it is the one that the plan showed."""
    membership = _membership()
    membership.stage(JOIN, "x1", Member("x1"), "x1:1")
    membership.stage(LEAVE, "n2", None, "")
    membership.stage(REPLACE, "n3", Member("x2"), "x2:1")
    planned = membership.planned_ring()
    history = _commit(membership, issued_ms=1_700_000_000_000)
    assert [(change.operation, change.node, change.height) for change in history.changes] == [
        (JOIN, "x1", 1),
        (LEAVE, "n2", 2),
        (REPLACE, "n3", 3),
    ]
    assert {(change.issuer, change.issued_ms) for change in history.changes} == {("n1", 1_700_000_000_000)}
    assert membership.ring.places == planned.places
    assert membership.ring.members == planned.members == ("n1", "n4", "n5", "x1", "x2")
    assert membership.staged == []


def test_a_plan_must_have_been_looked_at() -> None:
    """Its token alone is not enough, and what is staged later has not been seen."""
    membership = _membership()
    membership.stage(JOIN, "x1", Member("x1"), "")
    with pytest.raises(OrderError, match=re.escape("what is staged was not looked at: ask for the plan first")):
        membership.commit(membership.token, 0)
    membership.planned = membership.token
    membership.stage(LEAVE, "n2", None, "")
    with pytest.raises(OrderError, match="not looked at"):
        membership.commit(membership.token, 0)


def test_a_plan_is_void_when_the_ring_has_changed_since() -> None:
    """What would move is no longer what was shown."""
    membership = _membership()
    membership.stage(JOIN, "x1", Member("x1"), "")
    token = membership.planned = membership.token
    membership.learn(ordered(History(), LEAVE, "n5"))
    says = f"plan {token} is not what is staged now, or the ring has changed: look at the plan again"
    with pytest.raises(OrderError, match=re.escape(says)):
        membership.commit(token, 0)
    assert [order.node for order in membership.staged] == ["x1"], "it is still staged"
    assert _commit(membership).height == 3


def test_another_plan_is_not_this_one() -> None:
    """A token that was made up, or is of an earlier plan."""
    membership = _membership()
    membership.stage(JOIN, "x1", Member("x1"), "")
    membership.planned = membership.token
    with pytest.raises(OrderError, match="plan 123 is not what is staged now"):
        membership.commit("123", 0)


@pytest.mark.parametrize(
    ("operation", "node", "member", "says"),
    [
        (JOIN, "n1", Member("n1"), "join n1: it is a member already; there is n1, n2, n3, n4, n5"),
        (JOIN, "x1", None, "join 'x1': give the node that comes"),
        (JOIN, "x1", Member("x2"), "join 'x1': give the node that comes"),
        (JOIN, "", Member(""), "join '': give the node that comes"),
        (JOIN, "a\0b", Member("a\0b"), "join 'a\\x00b': a node id has no NUL in it"),
        (JOIN, "x1", Member("x1", 0), "the capacity of x1 is 0; it can be 1 to 1024"),
        (REPLACE, "n1", Member("x1", 1025), "the capacity of x1 is 1025; it can be 1 to 1024"),
        (LEAVE, "x1", None, "leave x1: it is no member; there is n1, n2, n3, n4, n5"),
        (REPLACE, "x1", Member("x2"), "replace x1: it is no member; there is n1, n2, n3, n4, n5"),
        (REPLACE, "n1", Member("n2"), "replace n1: give a node to take its place that is no member; there is n1,"),
        (REPLACE, "n1", None, "replace n1: give a node to take its place that is no member; there is n1,"),
        (DOWN, "x1", None, "down x1: it is no member; there is n1, n2, n3, n4, n5"),
        (UP, "n1", None, "'up' is no order; there is join, leave, replace, down"),
        ("dance", "n1", None, "'dance' is no order; there is join, leave, replace, down"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_in_a_sentence(
    operation: str, node: str, member: Member | None, says: str
) -> None:
    """Naming what was ordered, and what would have been right; nothing is staged."""
    membership = _membership()
    with pytest.raises(OrderError, match=re.escape(says)):
        membership.stage(operation, node, member, "")
    assert membership.staged == []


def test_orders_are_held_against_those_staged_before_them() -> None:
    """Twice the same makes no sense, and too many may not leave."""
    membership = _membership()
    membership.stage(DOWN, "n1", None, "")
    with pytest.raises(OrderError, match=re.escape("down n1: it is marked down already")):
        membership.stage(DOWN, "n1", None, "")
    membership.stage(JOIN, "x1", Member("x1"), "")
    with pytest.raises(OrderError, match="join x1: it is a member already"):
        membership.stage(JOIN, "x1", Member("x1"), "")
    for node in ("n1", "n2", "n3"):
        membership.stage(LEAVE, node, None, "")
    says = "leave n4: 2 members would be left, and each key needs n = 3"
    with pytest.raises(OrderError, match=re.escape(says)):
        membership.stage(LEAVE, "n4", None, "")


def test_no_two_changes_have_one_id() -> None:
    """Neither of one life, nor of two lives of a disk that was set back, nor of two nodes (hazard H22)."""
    histories: list[History] = []
    for membership in (_membership(), _membership(life=2), _membership("n2")):
        for node in ("x1", "x2"):
            membership.stage(JOIN, node, Member(node), "")
            histories.append(_commit(membership))
    assert len({change.id for change in united(histories).changes}) == 6


def test_a_node_that_is_marked_down_says_that_it_is_back() -> None:
    """By itself, and once; one that was replaced has no place to come back to."""
    membership = _membership()
    membership.learn(ordered(History(), DOWN, "n1"))
    back = membership.up()
    assert back is not None
    membership.learn(back)
    assert not membership.ring.down
    assert membership.up() is None
    membership.learn(ordered(membership.history, REPLACE, "n1", "x1"))
    assert list(membership.ring.down) == ["n1"]
    assert membership.up() is None


def test_an_order_to_be_up_never_takes_the_id_of_one_that_is_staged() -> None:
    """The node comes back by itself while an operator looks at his plan."""
    membership = _membership(known=ordered(History(), DOWN, "n1"))
    membership.stage(JOIN, "x1", Member("x1"), "")
    back = membership.up()
    assert back is not None
    membership.learn(back)
    changes = _commit(membership).changes
    assert [change.operation for change in changes] == [DOWN, UP, JOIN]
    assert len({change.id for change in changes}) == 3


# --- what is known ---


def test_what_is_learnt_is_kept_and_nothing_is_kept_twice() -> None:
    """Each fact costs the disk once."""
    disk = Disk()
    membership = _membership(disk=disk)
    news = ordered(History(), JOIN, "x1")
    assert membership.learn(news)
    assert not membership.learn(news)
    assert not membership.learn(History())
    assert disk.kept == [news]
    assert _membership(known=disk.kept[-1]).ring.digest == membership.ring.digest


def test_everybody_to_talk_to_is_a_member_sits_somewhere_or_is_a_seed() -> None:
    """Who leaves is talked to until he has handed over; nobody talks to himself."""
    membership = _membership(seeds=("n1", "s1"))
    assert list(membership.acquaintances) == ["n2", "n3", "n4", "n5", "s1"]
    membership.learn(ordered(ordered(History(), JOIN, "x1"), LEAVE, "n2"))
    assert list(membership.acquaintances) == ["n3", "n4", "n5", "x1", "n2", "s1"]


def test_a_newcomer_is_dialled_where_its_order_says_until_it_says_otherwise() -> None:
    """The order is for the first contact; what a node says of itself is newer."""
    disk = Disk()
    membership = _membership(disk=disk)
    membership.stage(JOIN, "x1", Member("x1"), "10.0.0.1:1")
    _commit(membership)
    membership.met(Life("x1", "a", 1, "10.0.0.2:2"))
    membership.met(Life("x1", "a", 1, "10.0.0.2:2"))
    membership.learn(ordered(membership.history, LEAVE, "n5"))
    membership.met(Life("n2", "b", 1))
    assert disk.met == [("x1", "10.0.0.1:1"), ("x1", "10.0.0.2:2")]
    assert (membership.address("x1"), membership.address("n2"), membership.address("n1")) == (
        "10.0.0.2:2",
        "",
        "n1:7000",
    )


def test_members_are_those_of_the_cluster_and_of_the_changes() -> None:
    """Founders first known, newcomers by their order."""
    assert _membership().ring.members == FOUNDERS
