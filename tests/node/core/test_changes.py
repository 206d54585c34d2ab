"""Histories: facts that only ever grow, and are united in any order."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from node.core.changes import DOWN, JOIN, LEAVE, Change, History, Member, Move, Switch
from tests.node.core.histories import config_of, ordered, played, steps, united


@given(steps, st.integers(0, 999))
def test_whatever_is_heard_from_whom_in_which_order_makes_one_history(
    script: list[tuple[int, str, int]], seed: int
) -> None:
    """Histories are united: commutative, associative, idempotent; and one digest names what is known."""
    everything = united(known := played(config_of(), script))
    facts = [History((change,)) for change in everything.changes]
    facts += [History((), (switch,)) for history in known for switch in history.switches]
    rng = Random(str(seed))
    heard = History()
    for fact in rng.sample(facts + known, len(facts) + len(known)) + rng.choices([*known], k=3):
        heard = heard.merged(fact)
        assert heard.merged(fact) is heard
    assert heard == everything
    assert heard.digest == everything.digest
    for one in known:
        assert one.merged(everything) == everything.merged(one) == everything
        for two in known:
            assert one.merged(two) == two.merged(one)


def test_who_hears_nothing_new_is_told_so() -> None:
    """The history stays the very same, which is how a node knows that there is nothing to keep."""
    history = ordered(History(), JOIN, "x1")
    assert history.merged(History()) is history
    assert history.merged(ordered(History(), JOIN, "x1")) is history
    assert History().merged(history) == history


def test_a_change_is_higher_than_all_that_its_issuer_knew() -> None:
    """So what was ordered later with the earlier in mind comes after it, whatever any clock says."""
    first = ordered(History(), JOIN, "x1", who="zz")
    second = ordered(first, LEAVE, "x1", who="aa")
    assert [change.operation for change in second.changes] == [JOIN, LEAVE]
    assert [change.height for change in second.changes] == [1, 2]
    assert second.changes[1].on == first.of_changes


def test_changes_that_do_not_know_of_each_other_stand_in_the_order_of_their_ids() -> None:
    """Somebody must be first, and everybody must say the same."""
    one, two = ordered(History(), JOIN, "x1", who="b"), ordered(History(), JOIN, "x2", who="a")
    for both in (one.merged(two), two.merged(one)):
        assert [change.node for change in both.changes] == ["x2", "x1"]
        assert both.height == 2


def test_the_time_of_issue_orders_nothing() -> None:
    """A clock that goes wrong by years changes no order (hazard H09: equal time stamps, clocks that disagree)."""
    early = Change(1, "b", JOIN, "x1", Member("x1"), "", "op", 1, "")
    late = Change(1, "a", JOIN, "x2", Member("x2"), "", "op", 1 << 60, "")
    assert History((early,)).merged(History((late,))).changes == (late, early)


def test_only_the_latest_switch_of_a_seat_is_kept() -> None:
    """Those before are a thing of the past; one that is told late changes nothing."""
    first, second = Switch(0, 8, 1, 1, "x"), Switch(0, 8, 1, 2, "a")
    history = History().with_switch(second).with_switch(first)
    assert history.switches == (second,)
    assert History().with_switch(first).with_switch(second) == history


def test_two_switches_of_one_seat_at_once_are_settled_alike_by_everybody() -> None:
    """It takes a node that was taken for dead; then the greater name sits, whoever hears of which first."""
    x, y = History((), (Switch(0, 8, 0, 1, "x"),)), History((), (Switch(0, 8, 0, 1, "y"),))
    assert x.merged(y) == y.merged(x) == y


def test_switches_of_other_partitions_and_seats_stand_beside_each_other() -> None:
    """A seat is a number in a partition, which is its start and its end."""
    switches = (Switch(0, 8, 0, 1, "x"), Switch(0, 8, 1, 1, "x"), Switch(0, 4, 0, 1, "x"), Switch(8, 16, 0, 1, "x"))
    history = History()
    for switch in switches:
        history = history.with_switch(switch)
    assert set(history.switches) == set(switches)


def test_a_digest_names_changes_and_switches() -> None:
    """Whoever knows one fact more has another digest; that of the changes alone does not mind switches."""
    plain = ordered(History(), DOWN, "n1")
    switched = plain.with_switch(Switch(0, 8, 0, 1, "x"))
    assert len({History().digest, plain.digest, switched.digest}) == 3
    assert plain.of_changes == switched.of_changes != History().of_changes


def test_a_move_that_is_done_is_a_switch_to_its_taker() -> None:
    """With the same seat, and the version that the move was to have."""
    assert Move(0, 8, 2, 5, "a", "x").switch == Switch(0, 8, 2, 5, "x")


def test_a_node_without_a_host_is_its_own() -> None:
    """Nodes on one host share its fate, and nobody shares that of nobody."""
    assert Member("n1").machine == "n1"
    assert Member("n1", host="h1").machine == Member("n2", host="h1").machine == "h1"
