"""What an operator asks of a node: plans and their tokens, orders for the dead, and what there is to see."""

from __future__ import annotations

import pytest

from node.core.admin_messages import (
    Commit,
    Done,
    Locate,
    Located,
    NodeQuery,
    NodeReport,
    Plan,
    PlanQuery,
    RingQuery,
    RingReport,
    Stage,
    Staged,
    Transfers,
    Unstage,
)
from node.core.changes import DOWN, JOIN, LEAVE, REPLACE, Member
from node.core.clocks import Clock
from node.core.messages import Refused
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import Cluster

KEY = b"key"


def _staged(cluster: Cluster, operation: str, node: str, by: str = "") -> Staged:
    """One order, staged at n1."""
    comes = node if operation == JOIN else by
    return cluster.told("n1", Stage("s", operation, node, Member(comes) if comes else None), Staged)


def _ring(cluster: Cluster, at: str = "n1") -> RingReport:
    return cluster.told(at, RingQuery("r"), RingReport)


def _states(cluster: Cluster) -> dict[str, str]:
    return {report.member.node: report.state for report in _ring(cluster).members}


# --- plans ---


def test_a_plan_says_what_would_move_and_comes_true() -> None:
    """Who has how many tokens and seats, before and after, and how many pass from whom to whom."""
    cluster = Cluster(gossip_ms=200)
    cluster.start("x1", MemoryStore())
    cluster.settle()
    _staged(cluster, JOIN, "x1")
    assert _staged(cluster, LEAVE, "n5").orders == ("join x1", "leave n5")
    plan = cluster.told("n1", PlanQuery("p"), Plan)
    assert plan.orders == ("join x1", "leave n5")
    shares = {share.node: share for share in plan.shares}
    assert (shares["x1"].replicas, shares["x1"].tokens) == (0, 0)
    assert (shares["n5"].replicas_after, shares["n5"].tokens_after) == (0, 0)
    assert sum(share.replicas_after for share in plan.shares) == sum(share.replicas for share in plan.shares) == 64 * 3
    assert sum(transfer.seats for transfer in plan.transfers if transfer.giver == "n5") == shares["n5"].replicas
    assert all(isinstance(transfer, Transfers) and transfer.giver != transfer.taker for transfer in plan.transfers)

    done = cluster.told("n1", Commit("c", plan.token, 7), Done)
    assert [(change.operation, change.node, change.issued_ms) for change in done.changes] == [
        (JOIN, "x1", 7),
        (LEAVE, "n5", 7),
    ]
    cluster.moved()
    seats = {report.member.node: report.seats for report in _ring(cluster).members}
    assert seats == {share.node: share.replicas_after for share in plan.shares}


def test_a_plan_of_nothing_has_no_token() -> None:
    """And there is nothing to commit."""
    cluster = Cluster()
    plan = cluster.told("n1", PlanQuery("p"), Plan)
    assert (plan.token, plan.orders, plan.transfers) == ("", (), ())
    refused = cluster.told("n1", Commit("c", "", 0), Refused)
    assert (refused.code, refused.text, refused.definite) == ("bad-order", "nothing is staged here", True)


def test_a_commit_needs_the_plan_that_is_staged_now() -> None:
    """A token of an earlier plan, and one that was unstaged, are refused; looking again helps."""
    cluster = Cluster()
    _staged(cluster, LEAVE, "n5")
    old = cluster.told("n1", PlanQuery("p"), Plan).token
    _staged(cluster, JOIN, "x1")
    assert "ask for the plan first" in cluster.told("n1", Commit("c", old, 0), Refused).text
    new = cluster.told("n1", PlanQuery("p"), Plan).token
    assert f"plan {old} is not what is staged now" in cluster.told("n1", Commit("c", old, 0), Refused).text
    cluster.told("n1", Unstage("u"), Staged)
    assert cluster.told("n1", Commit("c", new, 0), Refused).text == "nothing is staged here"


def test_what_is_staged_is_this_nodes_and_forgotten_at_a_restart() -> None:
    """It binds nobody."""
    cluster = Cluster()
    _staged(cluster, JOIN, "x1")
    assert cluster.told("n2", PlanQuery("p"), Plan).orders == ()
    cluster.crash("n1")
    cluster.restart("n1")
    cluster.settle()
    assert cluster.told("n1", PlanQuery("p"), Plan).orders == ()


def test_a_plan_warns_of_givers_that_do_not_answer() -> None:
    """Their seats would wait for them."""
    cluster = Cluster()
    cluster.crash("n5")
    cluster.node("n1").detector.missed("n5")
    _staged(cluster, LEAVE, "n5")
    warnings = cluster.told("n1", PlanQuery("p"), Plan).warnings
    assert "n5 is to give seats and does not answer; they wait for it, or for `down n5`" in warnings


def test_a_newcomer_with_an_impossible_capacity_is_refused_and_harms_nobody() -> None:
    """A plan is made of what is staged, so what is staged must make sense."""
    cluster = Cluster()
    refused = cluster.told("n1", Stage("s", JOIN, "x1", Member("x1", 0)), Refused)
    assert refused.text == "the capacity of x1 is 0; it can be 1 to 1024"
    cluster.told("n1", PlanQuery("p"), Plan)


# --- orders for the dead ---


@pytest.mark.parametrize(("operation", "by"), [(DOWN, ""), (REPLACE, "x1")])
@pytest.mark.parametrize("node", ["n1", "n2"])
def test_who_answers_is_neither_down_nor_replaced(operation: str, by: str, node: str) -> None:
    """Not by itself either: its seats would be gathered without what only it has."""
    cluster = Cluster()
    refused = cluster.told("n1", Stage("s", operation, node, Member(by) if by else None), Refused)
    says = f"{operation} {node}: it answers; this is for nodes that do not, so let it leave instead"
    assert (refused.text, refused.definite) == (says, True)
    assert cluster.told("n1", PlanQuery("p"), Plan).orders == ()


def test_who_is_silent_is_marked_down_and_is_up_when_it_is_back() -> None:
    """It says so itself as soon as it hears of it."""
    cluster = Cluster(gossip_ms=200)
    cluster.crash("n2")
    cluster.order("n1", DOWN, "n2")
    assert _states(cluster)["n2"] == "down"
    cluster.restart("n2")
    cluster.elapse(5000)
    assert cluster.at_rest()
    assert _states(cluster)["n2"] == "valid"


def test_a_silent_stranger_cannot_be_marked_down() -> None:
    """It is looked for, and then it is no member."""
    cluster = Cluster()
    cluster.start("x9", MemoryStore())
    cluster.crash("x9")
    refused = cluster.told("n1", Stage("s", DOWN, "x9"), Refused)
    assert refused.text == "down x9: it is no member; there is n1, n2, n3, n4, n5"


# --- what there is to see ---


def test_the_ring_says_who_joins_and_who_leaves() -> None:
    """Joining while nothing has arrived, leaving while something is left, and then valid and left."""
    cluster = Cluster(gossip_ms=200)
    assert set(_states(cluster).values()) == {"valid"}
    cluster.cut = [(name, "x1") for name in cluster.config.members] + [("n5", name) for name in cluster.config.members]
    cluster.join("x1", "n1")
    cluster.order("n1", LEAVE, "n5")
    states = _states(cluster)
    assert (states["x1"], states["n5"]) == ("joining", "leaving")
    report = _ring(cluster)
    assert report.moves == cluster.node("n1").ring.moves
    assert [change.node for change in report.changes] == ["x1", "n5"]
    cluster.cut = []
    cluster.moved()
    states = _states(cluster)
    assert (states["x1"], states["n5"]) == ("valid", "left")
    assert _ring(cluster).moves == ()


def test_a_node_tells_what_it_has_given_and_whom_it_suspects() -> None:
    """Its life, its hints by target, and each seat with how many keys it sent."""
    cluster = Cluster(gossip_ms=200, partitions=8)
    for number in range(30):
        cluster.put("n1", b"%d" % number, b"value")
    cluster.settle()
    cluster.join("x1", "n1")
    cluster.moved()
    reports = [cluster.told(name, NodeQuery("q"), NodeReport) for name in cluster.config.members]
    given = [transfer for report in reports for transfer in report.transfers]
    assert {transfer.state for transfer in given} == {"done"}
    assert len(given) == cluster.node("n1").ring.keeping["x1"]
    assert sum(transfer.sent for transfer in given) == sum(1 for _ in cluster.dumped("x1"))
    assert reports[0].life.incarnation == cluster.node("n1").replica.incarnation

    cluster.crash("n3")
    cluster.node("n1").replica.write(KEY, Clock(), b"value", hint_for="n3")
    cluster.node("n1").detector.missed("n3")
    report = cluster.told("n1", NodeQuery("q"), NodeReport)
    assert (report.suspected, report.hints) == (("n3",), {"n3": 1})


def test_a_key_is_located_with_who_sits_there_and_who_stands_in() -> None:
    """By any node."""
    cluster = Cluster()
    for at in ("n1", "n4"):
        located = cluster.told(at, Locate("l", KEY), Located)
        assert located.seats.nodes + located.fallbacks == cluster.preference(KEY)
        assert located.after == located.seats.nodes
        assert located.ring == cluster.node(at).ring.digest
