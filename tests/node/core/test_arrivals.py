"""Arrivals: a second process that claims to be a node is found out, and a node that has moved is let in."""

from __future__ import annotations

from collections.abc import Callable

from node.core import facts
from node.core.changes import Life
from node.core.facts import Admit, Refuse
from node.core.messages import Ping, Pong
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import MS, Cluster

HERE, THERE, ELSEWHERE = "10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3"
OLD, NEW, OTHER = "old", "new", "other"


class Door(Cluster):
    """Two nodes, of which n1 is the one at whose door others turn up as n2."""

    def __init__(self) -> None:
        self.let_in: list[str] = []
        self.sent_away: dict[str, str] = {}
        super().__init__(("n1", "n2"), n=2, r=1, w=1)

    def arrive(self, incarnation: str, address: str, *, contested: bool = False) -> None:
        """A process turns up."""
        self.feed("n1", facts.PeerArrived(Life("n2", incarnation, 0, address), contested))

    def answer(self, incarnation: str) -> None:
        """Who is dialled as n2 answers the one ping that it was sent."""
        assert len(self.sent(Ping, "n1", "n2")) == 1
        self.all_answered(incarnation)

    def all_answered(self, incarnation: str) -> None:
        """Who is dialled as n2 answers whatever pings there are: also those of whoever suspects n2."""
        for letter in self.sent(Ping, "n1", "n2"):
            assert isinstance(letter.message, Ping)
            self.drop(letter)
            self.say("n2", "n1", Pong(letter.message.call, incarnation))

    def silence(self) -> None:
        """Nobody answers there."""
        self.elapse(5000, then=self.letters.clear)

    def wait(self, true: Callable[[], object], answering: str = "") -> None:
        """Let time pass until it is true; meanwhile this incarnation answers all pings, or nobody does."""
        until_ns = self.now_ns + 10_000 * MS
        while not true():
            assert self.now_ns < until_ns, "nothing has come of it in ten seconds"
            self.elapse(50, then=lambda: None)
            if answering:
                self.all_answered(answering)
            self.letters.clear()

    @property
    def address(self) -> str:
        """Where n1 dials n2."""
        return self.node("n1").membership.address("n2")

    def _do(self, name: str, commands: list[facts.Command]) -> None:
        super()._do(name, commands)
        for command in commands:
            if isinstance(command, Admit):
                self.let_in.append(command.incarnation)
            elif isinstance(command, Refuse):
                self.sent_away[command.incarnation] = command.text


def _known() -> Door:
    """A door at which n2 has turned up before."""
    door = Door()
    door.arrive(OLD, HERE)
    assert (door.let_in, door.address) == ([OLD], HERE)
    door.letters.clear()
    return door


def test_who_is_known_comes_and_goes() -> None:
    """The same life dials as often as it likes, and a restart at the same place is let in at once."""
    door = _known()
    door.arrive(OLD, HERE)
    door.arrive(NEW, HERE)
    door.arrive(NEW, HERE, contested=True)
    assert door.let_in == [OLD, OLD, NEW, NEW]
    assert not door.letters


def test_a_duplicate_is_refused() -> None:
    """The node that lives is asked, where it is; it answers; the newcomer is told so, and changes nothing."""
    door = _known()
    door.arrive(NEW, THERE)
    assert door.let_in == [OLD]
    door.answer(OLD)
    assert door.let_in == [OLD]
    assert door.sent_away == {NEW: "another process is this node, incarnation old at 10.0.0.2:1, says n1"}
    assert (door.address, door.met) == (HERE, [("n1", "n2", HERE)])


def test_a_node_that_moved_is_let_in() -> None:
    """Nobody answers where it was: it is dialled where it is, and the old one is the duplicate if it comes back."""
    door = _known()
    door.arrive(NEW, THERE)
    door.silence()
    assert (door.let_in, door.sent_away, door.address) == ([OLD, NEW], {}, THERE)
    assert door.met[-1] == ("n1", "n2", THERE)
    door.arrive(OLD, HERE)
    door.answer(NEW)
    assert list(door.sent_away) == [OLD]
    assert (door.let_in, door.address) == ([OLD, NEW], THERE)


def test_one_silence_proves_nothing() -> None:
    """A connection that was cut is silent: it is replaced before the second question."""
    door = _known()
    door.arrive(NEW, THERE)
    door.letters.clear()
    door.wait(lambda: ("n1", "n2") in door.redialled)
    door.wait(lambda: door.sent_away or door.let_in[1:], OLD)
    assert (door.let_in, list(door.sent_away)) == ([OLD], [NEW])


def test_the_same_claim_is_put_to_one_question() -> None:
    """However often it is made while the answer is on its way."""
    door = _known()
    for _ in range(3):
        door.arrive(NEW, THERE)
    door.answer(OLD)
    assert list(door.sent_away) == [NEW]
    door.arrive(NEW, THERE)
    door.answer(OLD)
    assert door.let_in == [OLD]


def test_an_address_is_only_a_claim() -> None:
    """Who comes from the known place while the known life is connected has to be found there."""
    door = _known()
    door.arrive(NEW, HERE, contested=True)
    assert door.let_in == [OLD]
    door.answer(NEW)
    assert door.let_in == [OLD, NEW]
    door.arrive(OTHER, HERE, contested=True)
    door.answer(NEW)
    assert list(door.sent_away) == [OTHER]


def test_of_two_that_moved_one_is_let_in() -> None:
    """The second is asked about again, because the node is somewhere else by now."""
    door = _known()
    door.arrive(NEW, THERE)
    door.elapse(100, then=door.letters.clear)
    door.arrive(OTHER, ELSEWHERE)
    door.wait(lambda: door.let_in != [OLD])
    door.wait(lambda: door.sent_away or door.let_in[2:], NEW)
    assert (door.let_in, list(door.sent_away), door.address) == ([OLD, NEW], [OTHER], THERE)


def test_addresses_are_known_from_the_start() -> None:
    """A node that nobody has heard of in this life is asked where it was said to be; the same node may answer there."""
    door = Door()
    door.start("n1", MemoryStore(), address="10.0.0.1:1")
    assert door.address == ""
    node = type(door.node("n1"))(
        "n1", door.config, MemoryStore(), door.node("n1").rng, seeds={"n2": HERE}, address="10.0.0.1:1"
    )
    assert node.membership.address("n2") == HERE
    assert node.membership.is_plausible(Life("n2", NEW, 0, HERE), contested=False)
    assert not node.membership.is_plausible(Life("n2", NEW, 0, THERE), contested=False)


def test_who_does_not_say_which_life_it_is_does_not_send_anybody_away() -> None:
    """An answer without an incarnation proves nothing."""
    door = _known()
    door.arrive(NEW, THERE)
    door.answer("")
    assert door.let_in == [OLD, NEW]
