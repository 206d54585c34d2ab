"""Ask peers, and collect their answers in the order of arrival.

Every call ends exactly once: with the peer's answer, with silence after the peer time-out, or with the certainty that
it was never sent. This file knows calls and their time-outs. It does not know what is asked, nor what follows from an
answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from node.core.conversations import Inbox, Timers
from node.core.detector import Detector
from node.core.messages import PeerAnswer, PeerMessage, PeerRequest


class Answer(NamedTuple):
    """How a call ended. Without a `message` the peer was silent; `sent` is False when it never heard the question."""

    peer: str
    call: int
    message: PeerAnswer | None
    sent: bool = True


class Port(Protocol):
    """What calls need of their node."""

    def send(self, peer: str, message: PeerMessage) -> None:
        """Send a message to a peer."""

    def suspect(self, peer: str) -> None:
        """Treat the peer as down until it answers."""

    def when_released(self, callback: Callable[[], None]) -> None:
        """Call back when what was sent so far has left the node; at the latest now, if it has."""


@dataclass(slots=True)
class _Pending:
    """A call without an end; one whose patience is its own has a timer of its own."""

    peer: str
    calls: Calls
    timer: int = 0


@dataclass
class Switchboard:
    """All calls of one node that have not ended, by number.

    Numbers start at a random place in every life of the node, so that a late answer to its former self fits no call.
    """

    port: Port
    timers: Timers
    detector: Detector
    peer_timeout_ns: int
    next_call: int
    _pending: dict[int, _Pending] = field(default_factory=dict)
    _silences: deque[tuple[int, int]] = field(default_factory=deque)
    _watch: int = 0

    def open(self, time_ns: int) -> Calls:
        """A set of calls that share a deadline."""
        return Calls(self, time_ns)

    def ask(self, calls: Calls, peer: str, request: Callable[[int], PeerRequest], patience_ns: int | None) -> int:
        """Send a request under a new number.

        The peer's time runs from when the request leaves, which may have to wait for a commit here: a slow disk of ours
        is no silence of the peer's.
        """
        call = self.next_call
        self.next_call = call + 1
        pending = self._pending[call] = _Pending(peer, calls)
        self.port.send(peer, request(call))

        def left() -> None:
            if patience_ns is None:
                self._silences.append((self.timers.now_ns + self.peer_timeout_ns, call))
                if not self._watch:
                    self._watch = self.timers.after(self.peer_timeout_ns, self._look)
            else:
                pending.timer = self.timers.after(patience_ns, lambda: self._silent(call))

        self.port.when_released(left)
        return call

    def answered(self, peer: str, message: PeerAnswer) -> None:
        """An answer arrived; one that comes after its time-out still proves that the peer is up."""
        self.detector.heard(peer)
        pending = self._pending.get(message.call)
        if pending is not None and pending.peer == peer:
            self._forget(message.call, pending)
            pending.calls.ended(Answer(peer, message.call, message))

    def unsent(self, peer: str, call: int) -> None:
        """A request certainly did not reach its peer."""
        pending = self._pending.get(call)
        if pending is not None:
            self._forget(call, pending)
            self.port.suspect(peer)
            pending.calls.ended(Answer(peer, call, None, sent=False))

    def _forget(self, call: int, pending: _Pending) -> None:
        """A call ends; with the last one, the watch does."""
        del self._pending[call]
        if pending.timer:
            self.timers.cancel(pending.timer)
        if not self._pending:
            self._silences.clear()
            self.timers.cancel(self._watch)
            self._watch = 0

    def _look(self) -> None:
        """The earliest silence is due: end what has been silent for so long, and look again when the next one is.

        One timer watches all calls with the usual patience, because nearly all of them are answered in time; they come
        due in the order in which they were sent.
        """
        due_ns = max(self._silences[0][0], self.timers.now_ns)
        silent = []
        while self._silences and (self._silences[0][0] <= due_ns or self._silences[0][1] not in self._pending):
            silent.append(self._silences.popleft()[1])
        self._watch = 0
        if self._silences:
            self._watch = self.timers.after(self._silences[0][0] - self.timers.now_ns, self._look)
        for call in silent:
            if call in self._pending:
                self._silent(call)

    def _silent(self, call: int) -> None:
        pending = self._pending[call]
        self._forget(call, pending)
        self.port.suspect(pending.peer)
        pending.calls.ended(Answer(pending.peer, call, None))


CORRECTIONS = 8
"""How often a peer is asked again because it knew another ring.

Both know the same by then, but in a ring in which many seats pass on it may be another one again. Such a peer is up,
and nobody should stand in for it.
"""


TAKEN_UP_MAX = 4096
"""How many calls of others are remembered: those of many seconds, while a copy of a message is late by less."""


@dataclass
class TakenUp:
    """The calls of others that must not be taken up twice, the latest of them.

    Everything else that a peer can ask for is the same when it is done again. A forwarded put is not: it would be given
    a second dot. A link may bring a message twice, and a new number makes a new call.
    """

    _known: dict[tuple[str, int], None] = field(default_factory=dict)

    def is_new(self, peer: str, call: int) -> bool:
        """Whether this call of a peer's is heard for the first time; it counts as heard from now on."""
        if (peer, call) in self._known:
            return False
        self._known[peer, call] = None
        if len(self._known) > TAKEN_UP_MAX:
            del self._known[next(iter(self._known))]
        return True


class Calls:
    """The calls of one conversation. `open` counts those without an end."""

    __slots__ = ("_deadline", "_deadline_ns", "_inbox", "_switchboard", "open")

    def __init__(self, switchboard: Switchboard, time_ns: int) -> None:
        self._switchboard = switchboard
        self._inbox: Inbox[Answer | None] = Inbox()
        self._deadline = 0
        self._deadline_ns = 0
        self.open = 0
        self.within(time_ns)

    def within(self, time_ns: int) -> None:
        """Set the deadline anew, from now."""
        timers = self._switchboard.timers
        timers.cancel(self._deadline)
        self._deadline_ns = timers.now_ns + time_ns
        self._deadline = timers.after(max(1, time_ns), self._expired)

    def _expired(self) -> None:
        self._inbox.put(None)

    @property
    def remaining_ns(self) -> int:
        """How much time is left until the deadline, for the requests that are sent now."""
        return self._deadline_ns - self._switchboard.timers.now_ns

    def ask(self, peer: str, request: Callable[[int], PeerRequest], patience_ns: int | None = None) -> int:
        """Send a request; `patience_ns` overrides the peer time-out. Returns the call's number."""
        self.open += 1
        return self._switchboard.ask(self, peer, request, patience_ns)

    async def next(self) -> Answer | None:
        """The next call to end, or None when the deadline has passed or no call is open."""
        if not self.open:
            return None
        inbox = self._inbox
        while not inbox.items:
            await inbox
        answer = inbox.items.popleft()
        if answer is not None:
            self.open -= 1
        return answer

    def ended(self, answer: Answer) -> None:
        """A call has ended."""
        self._inbox.put(answer)

    def close(self) -> None:
        """Nobody will ask for the next answer: forget the deadline."""
        self._switchboard.timers.cancel(self._deadline)
