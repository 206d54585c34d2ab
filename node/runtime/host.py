"""Run one node: feed it facts, do what it commands, in order.

Plain callbacks and nothing else, so that the same host runs wherever somebody gives it a clock, a transport and an
engine. A host decides nothing but when to commit: once for all the barriers that came up since the last commit (group
commit).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from node.core.changes import Life
from node.core.facts import (
    Admit,
    CancelTimer,
    ClientAsked,
    Command,
    Committed,
    DrainAsked,
    Fact,
    Leave,
    Meet,
    PeerArrived,
    PeerSaid,
    PeerUnreached,
    Persist,
    Redial,
    Refuse,
    Reply,
    Resign,
    Send,
    SetTimer,
    TimerFired,
)
from node.core.messages import PeerMessage, Status
from node.core.node import Node
from node.runtime.alarms import Alarms
from node.runtime.ports import AnyRequest, Clock, Engine, ResignedError, Transport


class Host:
    """One node and the ports it lives on. `left` is called when the node has drained.

    Whoever calls a host may be told by a `ResignedError` that another process is this node: then all must end at once.
    """

    def __init__(
        self, node: Node, engine: Engine, transport: Transport, clock: Clock, left: Callable[[], None]
    ) -> None:
        self.node = node
        self._engine = engine
        self._transport = transport
        self._clock = clock
        self._left = left
        self._alarms = Alarms(clock, self._fired)
        self._asked_for = 0
        self._committing = False

    def start(self) -> None:
        """Open the node's records and begin."""
        now_ns = self._clock.now_ns()
        self._do_all(self.node.start(now_ns), now_ns)

    def peer_said(self, source: str, message: PeerMessage, ring: str) -> None:
        """A message from another node arrived."""
        now_ns = self._clock.now_ns()  # `_feed` without the call: most facts are these
        self._do_all(self.node.handle(PeerSaid(source, message, ring), now_ns), now_ns)

    def peer_arrived(self, life: Life, *, contested: bool) -> None:
        """A life of a peer has connected."""
        self._feed(PeerArrived(life, contested))

    def peer_unreached(self, peer: str, message: PeerMessage) -> None:
        """A message certainly was not delivered."""
        self._feed(PeerUnreached(peer, message))

    def asked(self, asker: int, request: AnyRequest) -> None:
        """A request came in."""
        self._feed(ClientAsked(asker, request))

    def drain(self) -> None:
        """Finish what was begun, take nothing new, and leave."""
        self._feed(DrainAsked())

    def _feed(self, fact: Fact) -> None:
        now_ns = self._clock.now_ns()
        self._do_all(self.node.handle(fact, now_ns), now_ns)

    def _do_all(self, commands: list[Command], now_ns: int) -> None:
        timers_set = False
        # By exact class, in the order of how many there are: see `node.core.messages`.
        for command in commands:
            if type(command) is SetTimer:
                self._alarms.set(command.timer, now_ns + command.delay_ns)
                timers_set = True
            elif type(command) is Send:
                self._transport.send(command.to, command.message, command.ring)
            elif type(command) is CancelTimer:
                self._alarms.cancel(command.timer)
            elif type(command) is Persist:
                self._asked_for = command.barrier
                self._commit_soon()
            elif type(command) is Reply:
                self._reply(command)
            else:
                self._do_seldom(command)
        if timers_set:
            self._alarms.see_to_it()

    def _do_seldom(self, command: Command) -> None:
        """Do what is about a connection, or about the end."""
        match command:
            case Redial(peer):
                self._transport.redial(peer)
            case Meet(peer, address):
                self._transport.meet(peer, address)
            case Admit(peer, incarnation):
                self._transport.admit(peer, incarnation)
            case Refuse(peer, incarnation, text):
                self._transport.refuse(peer, incarnation, text)
            case Leave():
                self._left()
            case Resign(text):
                raise ResignedError(text)

    def _reply(self, command: Reply) -> None:
        response = command.response
        self._transport.reply(command.asker, self._completed(response) if type(response) is Status else response)

    def _fired(self, timer: int) -> None:
        self._feed(TimerFired(timer))

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
