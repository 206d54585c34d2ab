"""Run one node: feed it facts, do what it commands, in order.

Plain callbacks and nothing else, so that the same host runs wherever somebody gives it a clock, a transport and an
engine. A host decides nothing but when to commit: once for all the barriers that came up since the last commit (group
commit).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from node.core.facts import (
    CancelTimer,
    ClientAsked,
    Command,
    Committed,
    DrainAsked,
    Fact,
    Leave,
    PeerSaid,
    PeerUnreached,
    Persist,
    Redial,
    Reply,
    Send,
    SetTimer,
    TimerFired,
)
from node.core.messages import DebugRequest, PeerMessage, Request, Status
from node.core.node import Node
from node.runtime.ports import Clock, Engine, Timer, Transport


class Host:
    """One node and the ports it lives on. `left` is called when the node has drained."""

    def __init__(
        self, node: Node, engine: Engine, transport: Transport, clock: Clock, left: Callable[[], None]
    ) -> None:
        self.node = node
        self._engine = engine
        self._transport = transport
        self._clock = clock
        self._left = left
        self._timers: dict[int, Timer] = {}
        self._asked_for = 0
        self._committing = False

    def start(self) -> None:
        """Open the node's records and begin."""
        self._do_all(self.node.start(self._clock.now_ns()))

    def peer_said(self, source: str, message: PeerMessage) -> None:
        """A message from another node arrived."""
        self._feed(PeerSaid(source, message))

    def peer_unreached(self, peer: str, message: PeerMessage) -> None:
        """A message certainly was not delivered."""
        self._feed(PeerUnreached(peer, message))

    def asked(self, asker: int, request: Request | DebugRequest) -> None:
        """A request came in."""
        self._feed(ClientAsked(asker, request))

    def drain(self) -> None:
        """Finish what was begun, take nothing new, and leave."""
        self._feed(DrainAsked())

    def _feed(self, fact: Fact) -> None:
        self._do_all(self.node.handle(fact, self._clock.now_ns()))

    def _do_all(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case SetTimer(timer, delay_ns):
                    self._set_timer(timer, delay_ns)
                case CancelTimer(timer):
                    self._timers.pop(timer).cancel()
                case Send(peer, message):
                    self._transport.send(peer, message)
                case Reply(asker, response):
                    self._transport.reply(asker, self._completed(response) if type(response) is Status else response)
                case Persist(barrier):
                    self._asked_for = barrier
                    self._commit_soon()
                case Redial(peer):
                    self._transport.redial(peer)
                case Leave():
                    self._left()

    def _set_timer(self, timer: int, delay_ns: int) -> None:
        def fired() -> None:
            del self._timers[timer]
            self._feed(TimerFired(timer))

        self._timers[timer] = self._clock.after(delay_ns, fired)

    def _commit_soon(self) -> None:
        if not self._committing:
            self._committing = True
            self._clock.after(0, self._commit)

    def _commit(self) -> None:
        barrier = self._asked_for

        def done() -> None:
            self._committing = False
            self._feed(Committed(barrier))
            if self._asked_for > barrier:
                self._commit_soon()

        self._engine.commit(done)

    def _completed(self, status: Status) -> Status:
        """Add what only the host knows."""
        work = {**status.work, "sending": self._transport.sending}
        return replace(status, work=work, clock_offset_ns=self._clock.offset_ns())
