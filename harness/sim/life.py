"""One life of a simulated node, from start to death: its ports, and everything that can be done to a process.

A crash fences the ports first: callbacks that are still in the heap find nothing to do, and nothing reaches the world
after death. The corpse is kept until the run ends, because dropping a conversation would run its `finally` blocks. A
frozen node does nothing; when it goes on, its overdue timers and the messages that have queued up come in an order that
is drawn, since neither can be relied on. A slow one takes time for each step, one after the other. What cannot be done
at once waits in one queue, so that no message of a link overtakes another there.

This file knows one process. It does not know the others, nor what the node does.
"""

from __future__ import annotations

import asyncio
from collections import deque
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

    def peer_said(self, source: str, message: Any, ring: str) -> None:
        """A message from another node arrived."""

    def peer_unreached(self, peer: str, message: Any) -> None:
        """A message certainly was not delivered."""

    def asked(self, asker: int, request: Any) -> None:
        """A request came in."""


class Timer(Event):
    """A timer of one life. It may be overdue, because the node could do nothing, and be cancelled then."""

    __slots__ = ("act", "life")

    def __init__(self, life: Life, act: Act, label: str) -> None:
        self.cancelled = False
        self.label = label
        self.life = life
        self.act = act

    def happen(self) -> None:
        """Its time has come."""
        self.life.act(self.fire, timer=True)

    def fire(self) -> None:
        """The node gets to it."""
        if not self.cancelled:
            self.act()


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
        self.now_ns = clock.now_ns
        self._clock = clock
        self._loop = loop
        self._links = links
        self._died = died
        self._asked: dict[int, Callable[[Response | DebugResponse | None], None]] = {}
        self._next_asker = 1
        self._waiting: deque[tuple[bool, Act]] = deque()
        self._at_once: deque[Timer] = deque()
        self._acting = False
        self._serving = False
        self._free_ns = 0
        self._timer_label = f"{node} timer"
        self.engine: Engine

    # --- what is done to the process ---

    def ask(self, request: Request | DebugRequest, answer: Callable[[Any], None]) -> None:
        """A client's request has arrived; the answer is None when the node dies before it answers."""
        asker, self._next_asker = self._next_asker, self._next_asker + 1
        self._asked[asker] = answer
        self.act(lambda: self.host.asked(asker, request))

    def hear(self, source: str, message: PeerMessage, ring: str) -> None:
        """A message from another node has arrived."""
        if self.frozen or self.busy or self._waiting or not self.alive:
            self.act(lambda: self.host.peer_said(source, message, ring))
            return
        self._acting = True
        try:
            self.host.peer_said(source, message, ring)
            if self._at_once:
                self._end_step()
        except Exception as error:
            self._end_of(error)
        self._acting = False

    def act(self, act: Act, *, timer: bool = False) -> None:
        """Let the node act, as soon as it can; an exception is the end of it, as it is of a process."""
        if not self.alive:
            return
        if self.frozen or self.busy or self._waiting:
            self._queue(act, timer)
        else:
            self._do(act)

    def _do(self, act: Act) -> None:
        self._acting = True
        try:
            act()
            if self._at_once:
                self._end_step()
        except Exception as error:
            self._end_of(error)
        self._acting = False

    def _end_step(self) -> None:
        """Do what this step wanted done at once, and whatever that wants in its turn."""
        while self._at_once:
            self._at_once.popleft().fire()

    def _end_of(self, error: Exception) -> None:
        self._died(self, f"{type(error).__name__}: {error}")

    def _queue(self, act: Act, timer: bool) -> None:
        if self.busy is not None:
            _, steps = self.busy
            steps.seen += 1
            steps.dropped += bool(self._waiting) or self._free_ns > self._loop.now_ns
        self._waiting.append((timer, act))
        self._serve_soon()

    def _serve_soon(self) -> None:
        """Take the next step when the one before it is done."""
        if self._waiting and not self._serving and not self.frozen:
            self._serving = True
            self._loop.after(max(0, self._free_ns - self._loop.now_ns), self._serve, f"{self.node} step")

    def _serve(self) -> None:
        self._serving = False
        if self.frozen or not self.alive:
            return
        _, act = self._waiting.popleft()
        if self.busy is not None:
            self._free_ns = self._loop.now_ns + self.busy[0]
        self._do(act)
        self._serve_soon()

    def freeze(self) -> None:
        """Do nothing until `thaw`."""
        self.frozen = True

    def thaw(self, rng: Random) -> int:
        """Go on: timers first, messages first, or everything as it came, which of them is drawn. Says how much
        waited.
        """
        self.frozen = False
        order = rng.randrange(3)
        if order < 2:
            self._waiting = deque(sorted(self._waiting, key=lambda waiting: waiting[0] is (order == 0)))
        self._serve_soon()
        return len(self._waiting)

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

    def offset_ns(self) -> int:
        """How far its wall clock is off."""
        return self._clock.offset_ns()

    def after(self, delay_ns: int, callback: Act) -> Event:
        """Call back after a time by the node's clock, unless the node has died; after no time, when its step ends."""
        timer = Timer(self, callback, self._timer_label)
        if self._acting and not delay_ns:
            self._at_once.append(timer)
        else:
            self._loop.at(self._loop.now_ns + self._clock.lasts_ns(delay_ns), timer)
        return timer

    # --- the transport port ---

    @property
    def sending(self) -> int:
        """What this node has sent and nobody has received."""
        return self._links.in_flight[self.node]

    def send(self, peer: str, message: PeerMessage, ring: str = "") -> None:
        """Send to another node."""
        self._links.send(self.node, peer, message, self._unreached, ring)

    def meet(self, peer: str, address: str) -> None:
        """Know where a peer is dialled: in here names are enough."""

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
