"""Every call ends exactly once: with an answer, with silence, or with the certainty that it was never sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from node.core.calls import Answer, Calls, Switchboard
from node.core.conversations import Conversations, Kind, Timers
from node.core.detector import Detector
from node.core.messages import Declined, PeerMessage, Ping, Pong

PEER_TIMEOUT = 250


@dataclass
class _Bench:
    """A switchboard whose timers are fired by hand, and the answers that one conversation took from it."""

    sent: list[tuple[str, PeerMessage]] = field(default_factory=list)
    timers_set: dict[int, int] = field(default_factory=dict)
    answers: list[Answer | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.timers = Timers(self.timers_set.__setitem__, self.timers_set.__delitem__)
        self.detector = Detector()
        self.switchboard = Switchboard(self, self.timers, self.detector, PEER_TIMEOUT, next_call=100)

    def send(self, peer: str, message: PeerMessage) -> None:
        """Take a message down."""
        self.sent.append((peer, message))

    def suspect(self, peer: str) -> None:
        """Believe it."""
        self.detector.missed(peer)

    def when_released(self, callback: Callable[[], None]) -> None:
        """Nothing is held back here."""
        callback()

    def collect(self, *peers: str, within: int = 1000, patience: int | None = None) -> Calls:
        """Ask these peers, and take answers until there are no more."""
        calls = self.switchboard.open(within)
        for peer in peers:
            calls.ask(peer, Ping, patience)

        async def conversation() -> None:
            while (answer := await calls.next()) is not None:
                self.answers.append(answer)
            self.answers.append(None)
            calls.close()

        Conversations(self.timers, lambda _: None).begin(Kind.REQUEST, conversation())
        return calls

    def fire(self, delay_ns: int) -> None:
        """Fire the first timer that was set to this delay."""
        timer = next(timer for timer, delay in self.timers_set.items() if delay == delay_ns)
        del self.timers_set[timer]
        self.timers.fired(timer)


def test_answers_come_in_the_order_of_arrival_and_end_with_the_last_call() -> None:
    """The conversation need not know how many there are; and all of its timers are cancelled."""
    bench = _Bench()
    bench.collect("a", "b")
    assert bench.sent == [("a", Ping(100)), ("b", Ping(101))]

    bench.switchboard.answered("b", Pong(101))
    bench.switchboard.answered("a", Pong(100))

    assert bench.answers == [Answer("b", 101, Pong(101)), Answer("a", 100, Pong(100)), None]
    assert bench.timers_set == {}


def test_a_silent_peer_is_suspected_and_the_call_ends_without_a_message() -> None:
    """After the peer time-out, not after the whole deadline."""
    bench = _Bench()
    bench.collect("a")
    bench.fire(PEER_TIMEOUT)
    assert bench.answers == [Answer("a", 100, None, sent=True), None]
    assert not bench.detector.is_up("a")
    assert bench.timers_set == {}


def test_an_unsent_call_ends_with_certainty() -> None:
    """Nobody was there to take it: that is known at once, and known not to have happened."""
    bench = _Bench()
    bench.collect("a")
    bench.switchboard.unsent("a", 100)
    assert bench.answers == [Answer("a", 100, None, sent=False), None]
    assert not bench.detector.is_up("a")
    assert bench.timers_set == {}


def test_a_call_ends_only_once() -> None:
    """Whatever else comes for it afterwards is not counted."""
    bench = _Bench()
    bench.collect("a", "b")
    bench.switchboard.answered("a", Pong(100))
    bench.switchboard.answered("a", Pong(100))
    bench.switchboard.unsent("a", 100)
    assert bench.answers == [Answer("a", 100, Pong(100))]
    assert bench.detector.is_up("a")


def test_a_late_answer_revives_its_peer_and_is_not_counted() -> None:
    """The call ended in silence; the peer is up all the same."""
    bench = _Bench()
    bench.collect("a")
    bench.fire(PEER_TIMEOUT)
    bench.switchboard.answered("a", Pong(100))
    assert bench.answers == [Answer("a", 100, None), None]
    assert bench.detector.is_up("a")


def test_being_declined_is_an_answer_too() -> None:
    """The peer will not serve the request, but it is there."""
    bench = _Bench()
    bench.collect("a")
    bench.switchboard.answered("a", Declined(100, "no"))
    assert bench.answers == [Answer("a", 100, Declined(100, "no")), None]


def test_another_peers_answer_under_the_same_number_does_not_fit() -> None:
    """A number belongs to the peer that was asked."""
    bench = _Bench()
    bench.collect("a")
    bench.switchboard.answered("b", Pong(100))
    assert bench.answers == []


def test_the_deadline_ends_the_waiting_and_leaves_the_calls_open() -> None:
    """Their silence is still to be noticed, by the detector if by nobody else."""
    bench = _Bench()
    bench.collect("a", within=100)
    bench.fire(100)
    assert bench.answers == [None]
    assert bench.detector.is_up("a")

    bench.fire(PEER_TIMEOUT)
    assert bench.answers == [None]
    assert not bench.detector.is_up("a")


def test_one_timer_watches_for_the_silence_of_all() -> None:
    """It is set for the earliest, then for the next that is still out; each call has its own time."""
    bench = _Bench()
    bench.collect("a")
    bench.timers.now_ns = 100
    bench.collect("b")
    bench.timers.now_ns = 150
    bench.collect("c")
    assert sorted(bench.timers_set.values()) == [PEER_TIMEOUT, 1000, 1000, 1000]
    bench.switchboard.answered("b", Pong(101))

    bench.timers.now_ns = PEER_TIMEOUT
    bench.fire(PEER_TIMEOUT)
    assert bench.detector.suspected == {"a": None}
    assert sorted(bench.timers_set.values()) == [150, 1000], "what is left of the patience with c"

    bench.timers.now_ns = 150 + PEER_TIMEOUT
    bench.fire(150)
    assert bench.detector.suspected == {"a": None, "c": None}
    assert bench.timers_set == {}


def test_patience_overrides_the_peer_time_out() -> None:
    """For a peer that has to ask others in its turn."""
    bench = _Bench()
    bench.collect("a", patience=900)
    assert sorted(bench.timers_set.values()) == [900, 1000]


def test_requests_carry_the_time_that_is_left() -> None:
    """Counted from the deadline that was set last."""
    bench = _Bench()
    calls = bench.switchboard.open(1000)
    bench.timers.now_ns = 300
    assert calls.remaining_ns == 700

    calls.within(50)
    assert calls.remaining_ns == 50
    assert list(bench.timers_set.values()) == [50], "the first deadline is cancelled"


def test_nobody_asked_is_the_end_at_once() -> None:
    """There is nothing to wait for."""
    bench = _Bench()
    bench.collect()
    assert bench.answers == [None]
    assert bench.timers_set == {}
