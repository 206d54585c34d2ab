"""The replica by itself: who may vote for a primary, what is missing is asked for, and what is sent is not yet safe."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from harness.systems.primary_backup_messages import (
    NONE,
    Append,
    Ballot,
    Beat,
    Claim,
    Granted,
    Held,
    Newer,
    PeerMessage,
    State,
    Sync,
)
from harness.systems.primary_backup_node import BEAT_NS, PATIENCE_NS, Replica
from node.core.clocks import Actor, Dot
from node.core.messages import Put
from node.core.versions import Sibling
from node.runtime.memory import MemoryStore

MEMBERS = ("n1", "n2", "n3")
RECORD = Sibling(Dot(Actor("n3", "1", 4), 1), b"a value")


class Lab:
    """One replica of three, and everything that it does; time passes and commits happen when the test says so."""

    def __init__(self, node: str = "n1", *, fencing: bool = True, store: MemoryStore | None = None) -> None:
        self.now = 1
        self.sent: list[tuple[str, PeerMessage]] = []
        self.due: list[Callable[[], None]] = []
        self.replica = Replica(node, MEMBERS, store or MemoryStore(), self, self, fencing=fencing)  # type: ignore[arg-type]  # ports
        self.replica.open(Random("a life"))

    def now_ns(self) -> int:
        """The time."""
        return self.now

    def after(self, _delay_ns: int, callback: Callable[[], None]) -> Any:
        """What the disk has to do."""
        self.due.append(callback)

    def send(self, peer: str, message: PeerMessage) -> None:
        """Take down what is sent."""
        self.sent.append((peer, message))

    def commit(self) -> list[tuple[str, PeerMessage]]:
        """Make all durable, and return what was sent since the last time."""
        while self.due:
            self.due.pop(0)()
        sent, self.sent = self.sent, []
        return sent

    def impatient(self) -> list[tuple[str, PeerMessage]]:
        """Let so much time pass that the primary is missed."""
        self.now += PATIENCE_NS * 3
        self.replica.tick()
        return self.commit()


def elected() -> Lab:
    """The primary of all three, at the very first start."""
    lab = Lab()
    lab.impatient()
    for peer in ("n2", "n3"):
        lab.replica.peer_said(peer, Granted(Ballot(1, "n1"), State(NONE, 0, {})))
    assert lab.replica.leading
    lab.commit()
    return lab


def put(lab: Lab) -> int:
    """Write, and return the position."""
    lab.replica.write(Put("a request", b"k", b"a value", b"", 1))
    return lab.replica.position


def test_votes_of_empty_disks_are_enough_only_when_all_vote() -> None:
    """Else two nodes, one of which has just lost its disk, could forget what the third had acknowledged with it."""
    lab = Lab()
    assert ("n2", Claim(Ballot(1, "n1"))) in lab.impatient()
    lab.replica.peer_said("n2", Granted(Ballot(1, "n1"), State(NONE, 0, {})))
    assert not lab.replica.leading
    lab.replica.peer_said("n3", Granted(Ballot(1, "n1"), State(NONE, 0, {})))
    assert lab.replica.leading


def test_the_new_primary_begins_with_the_newest_state_of_a_majority() -> None:
    """A larger ballot before a further position; and it gives that state to everybody."""
    lab = Lab()
    lab.replica.peer_said("n2", Newer(Ballot(5, "n2")))
    lab.impatient()
    ballot = Ballot(6, "n1")
    lab.replica.peer_said("n2", Granted(ballot, State(Ballot(3, "n2"), 9, {})))
    lab.replica.peer_said("n3", Granted(ballot, State(Ballot(4, "n3"), 1, {b"k": RECORD})))
    assert lab.replica.records == {b"k": RECORD}
    assert ("n2", Sync(ballot, State(ballot, 1, {b"k": RECORD}))) in lab.commit()


def test_a_write_is_safe_when_a_majority_has_it_durably() -> None:
    """Neither sending it nor staging it is enough."""
    lab = elected()
    position = put(lab)
    assert lab.replica.holders(position) is None
    lab.commit()
    assert lab.replica.holders(position) is None
    lab.replica.peer_said("n3", Held(Ballot(1, "n1"), position, behind=False))
    assert lab.replica.holders(position) == ("n1", "n3")


def test_without_fencing_those_who_are_not_heard_do_not_count() -> None:
    """The flaw: alone it promotes itself, and when its patience is over it acknowledges alone."""
    lab = Lab(fencing=False)
    lab.impatient()
    assert lab.replica.leading
    position = put(lab)
    lab.commit()
    assert lab.replica.holders(position) is None
    lab.now += PATIENCE_NS
    assert lab.replica.holders(position) == ("n1",)


def test_with_fencing_a_primary_that_hears_no_majority_is_none() -> None:
    """Whoever is not heard may have another primary by now."""
    lab = elected()
    lab.now += PATIENCE_NS
    lab.replica.tick()
    assert lab.replica.leader is None


def test_an_older_ballot_is_told_of_the_newer() -> None:
    """And nothing is taken from it."""
    lab = Lab("n2")
    lab.replica.peer_said("n3", Claim(Ballot(7, "n3")))
    assert lab.commit() == [("n3", Granted(Ballot(7, "n3"), State(NONE, 0, {})))]
    for late in (Beat(Ballot(6, "n1"), 3), Append(Ballot(6, "n1"), 1, b"k", RECORD), Claim(Ballot(6, "n1"))):
        lab.replica.peer_said("n1", late)
        assert lab.commit() == [("n1", Newer(Ballot(7, "n3")))]
    assert lab.replica.records == {}


def test_a_promise_outlives_its_node() -> None:
    """It was durable before it was given."""
    store = MemoryStore()
    lab = Lab("n2", store=store)
    lab.replica.peer_said("n3", Claim(Ballot(7, "n3")))
    lab.commit()
    again = Lab("n2", store=MemoryStore(store.image))
    again.replica.peer_said("n1", Beat(Ballot(6, "n1"), 3))
    assert again.commit() == [("n1", Newer(Ballot(7, "n3")))]


def test_a_gap_is_not_written_over_and_is_told_at_the_next_beat() -> None:
    """A backup that missed a write has to be given everything."""
    lab, ballot = Lab("n2"), Ballot(1, "n1")
    lab.replica.peer_said("n1", Sync(ballot, State(ballot, 2, {b"k": RECORD})))
    assert lab.commit() == [("n1", Held(ballot, 2, behind=False))]
    lab.replica.peer_said("n1", Append(ballot, 4, b"j", RECORD))
    assert lab.replica.position == 2
    lab.replica.peer_said("n1", Beat(ballot, 4))
    assert lab.commit() == [("n1", Held(ballot, 2, behind=True))]
    lab.replica.peer_said("n1", Append(ballot, 3, b"i", RECORD))
    assert lab.commit() == [("n1", Held(ballot, 3, behind=False))]


def test_what_the_older_primary_wrote_is_overwritten() -> None:
    """Its keys too, also those that the newer one never had."""
    lab = Lab(fencing=False)
    lab.impatient()
    put(lab)
    lab.commit()
    ballot = Ballot(2, "n2")
    lab.replica.peer_said("n2", Beat(ballot, 1))
    assert lab.commit() == [("n2", Held(ballot, -1, behind=True))]
    lab.replica.peer_said("n2", Sync(ballot, State(ballot, 1, {b"j": RECORD})))
    assert lab.replica.records == {b"j": RECORD}
    assert lab.commit() == [("n2", Held(ballot, 1, behind=False))]


def test_a_primary_beats() -> None:
    """To each backup, with where it has come to."""
    lab = elected()
    lab.now += BEAT_NS
    lab.replica.tick()
    assert lab.commit() == [("n2", Beat(Ballot(1, "n1"), 0)), ("n3", Beat(Ballot(1, "n1"), 0))]
