"""One life of a simulated node, from start to death: its ports, and everything that can be done to a process.

A crash fences the ports first: callbacks that are still in the heap find nothing to do, and nothing reaches the world
after death. The corpse is kept until the run ends, because dropping a conversation would run its `finally` blocks. A
frozen node does nothing; when it goes on, its overdue timers and the messages that have queued up come in an order that
is drawn, since neither can be relied on. A slow one takes time for each step, one after the other.

This file knows one process. It does not know the others, nor what the node does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from harness.sim.clock import SimClock
from harness.sim.loop import Event, SimLoop
from harness.sim.network import SimNetwork
from nemesis.powers import Traffic
from node.core.messages import DebugRequest, DebugResponse, PeerMessage, Request, Response
from node.runtime.ports import Engine

Act = Callable[[], None]


class Host(Protocol):
    """What a system puts on the ports of one life."""

    def start(self) -> None:
        """Begin."""

    def drain(self) -> None:
        """Finish what was begun, and leave."""

    def peer_said(self, source: str, message: Any) -> None:
        """A message from another node arrived."""

    def peer_unreached(self, peer: str, message: Any) -> None:
        """A message certainly was not delivered."""

    def asked(self, asker: int, request: Any) -> None:
        """A request came in."""


class Life:
    """A node's process, and the clock and the transport that its host lives on. `died` is told why it ended by itself.

    `busy` is the time that each step takes, with what it was seen to do; none where the node is as fast as ever.
    """

    host: Host

    def __init__(
        self, node: str, loop: SimLoop, links: SimNetwork, clock: SimClock, died: Callable[[Life, str], None]
    ) -> None:
        self.node = node
        self.alive = True
        self.left = False
        self.frozen = False
        self.busy: tuple[int, Traffic] | None = None
        self.gone = asyncio.Event()
        self._clock = clock
        self._loop = loop
        self._links = links
        self._died = died
        self._asked: dict[int, Callable[[Response | DebugResponse | None], None]] = {}
        self._next_asker = 1
        self._stalled: list[tuple[bool, Act]] = []
        self._free_ns = 0
        self._timer_label = f"{node} timer"
        self.engine: Engine

    # --- what is done to the process ---

    def ask(self, request: Request | DebugRequest, answer: Callable[[Any], None]) -> None:
        """A client's request has arrived; the answer is None when the node dies before it answers."""
        asker, self._next_asker = self._next_asker, self._next_asker + 1
        self._asked[asker] = answer
        self.act(lambda: self.host.asked(asker, request))

    def hear(self, source: str, message: PeerMessage) -> None:
        """A message from another node has arrived."""
        if self.frozen or self.busy or not self.alive:
            self.act(lambda: self.host.peer_said(source, message))
            return
        try:
            self.host.peer_said(source, message)
        except Exception as error:
            self._end_of(error)

    def act(self, act: Act, *, timer: bool = False) -> None:
        """Let the node act, as soon as it can; an exception is the end of it, as it is of a process."""
        if not self.alive:
            return
        if self.frozen:
            self._stalled.append((timer, act))
        elif self.busy:
            self._queue(act, *self.busy)
        else:
            self._do(act)

    def _do(self, act: Act) -> None:
        try:
            act()
        except Exception as error:
            self._end_of(error)

    def _end_of(self, error: Exception) -> None:
        self._died(self, f"{type(error).__name__}: {error}")

    def _queue(self, act: Act, step_ns: int, steps: Traffic) -> None:
        """Act when the steps before this one are done."""
        now_ns = self._loop.now_ns
        begin_ns = max(now_ns, self._free_ns)
        self._free_ns = begin_ns + step_ns
        steps.seen += 1
        steps.dropped += begin_ns > now_ns
        self._loop.after(begin_ns - now_ns, lambda: self._begin_late(act), f"{self.node} step")

    def _begin_late(self, act: Act) -> None:
        if self.frozen:
            self._stalled.append((False, act))
        elif self.alive:
            self._do(act)

    def freeze(self) -> None:
        """Do nothing until `thaw`."""
        self.frozen = True

    def thaw(self, rng: Random) -> int:
        """Go on: timers first, messages first, or everything as it came, which of them is drawn. Says how much
        waited.
        """
        self.frozen = False
        stalled, self._stalled = self._stalled, []
        order = rng.randrange(3)
        if order < 2:
            stalled.sort(key=lambda waiting: waiting[0] is (order == 0))
        for timer, act in stalled:
            self.act(act, timer=timer)
        return len(stalled)

    def fence(self) -> None:
        """From now on nothing comes in and nothing goes out; whoever waits for an answer learns that there is
        none.
        """
        self.alive = False
        self.gone.set()
        waiting, self._asked = self._asked, {}
        for answer in waiting.values():
            answer(None)

    def leave(self) -> None:
        """The node has drained."""
        self.left = True
        self.gone.set()

    # --- the clock port ---

    def now_ns(self) -> int:
        """The node's time."""
        return self._clock.now_ns()

    def offset_ns(self) -> int:
        """How far its wall clock is off."""
        return self._clock.offset_ns()

    def after(self, delay_ns: int, callback: Act) -> Event:
        """Call back after a time by the node's clock, unless the node has died."""
        lasts_ns = self._clock.lasts_ns(delay_ns)
        return self._loop.after(lasts_ns, lambda: self.act(callback, timer=True), self._timer_label)

    # --- the transport port ---

    @property
    def sending(self) -> int:
        """What this node has sent and nobody has received."""
        return self._links.in_flight[self.node]

    def send(self, peer: str, message: PeerMessage) -> None:
        """Send to another node."""
        self._links.send(self.node, peer, message, self._unreached)

    def _unreached(self, peer: str, message: PeerMessage) -> None:
        self.act(lambda: self.host.peer_unreached(peer, message))

    def reply(self, asker: int, response: Response | DebugResponse) -> None:
        """Answer a client."""
        answer = self._asked.pop(asker, None)
        if answer is not None:
            answer(response)

    def redial(self, peer: str) -> None:
        """Give the connection to a peer up, with what waits on it."""
        self._links.redial(self.node, peer)
