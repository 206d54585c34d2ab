"""The simulated network: directed links that delay, cut, lose, duplicate, reorder, clog and break.

What one node sends to another arrives in the order in which it was sent, as over TCP; different links know nothing of
each other. A message to a node that is down comes back as unreached: its connection is refused. One that was sent to a
process that has been replaced meanwhile is lost with it. What a cut does to the messages on it is the network's
`on_cut`:

- `drop`: what enters the link is gone, silently, as behind a proxy that swallows frames;
- `hold`: it waits in the sender's kernel. After the heal it is sent again when TCP's back-off says so, which may take
  as long as the cut has lasted, and everything comes in order. Redialling gives it up instead;
- `reset`: what is under way at the cut is lost with its connection, and each message sent meanwhile is known not to
  have arrived once the attempt to connect has timed out.

This file knows addresses and callbacks, not what is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from harness.sim.latency import Chance, Latency
from harness.sim.loop import Event, SimLoop
from harness.sim.retransmission import next_attempt_ns
from nemesis.powers import Cut, Disturbance, Disturbed, Link, Traffic

CONNECT_TIMEOUT_NS = 1_000_000_000
Receive = Callable[[str, Any, str], None]
"""Takes a message, with the name of its sender and the digest of its ring."""
Unreached = Callable[[str, Any], None]
"""Told which node a message did not reach."""


class Flight(Event):
    """One message under way: on one connection, to one life of its target, the line's at the time."""

    __slots__ = ("connection", "life", "line", "message", "network", "ring", "unreached")

    def __init__(self, network: SimNetwork, line: _Line, message: Any, told: Unreached, label: str, ring: str) -> None:
        # Without super(): there is one of these for each message.
        self.cancelled = False
        self.label = label
        self.network = network
        self.line = line
        self.message = message
        self.ring = ring
        self.unreached = told
        self.connection = line.connection
        self.life = line.life

    def happen(self) -> None:
        """Hand the message over, or let the sender know that nobody is there."""
        network, line = self.network, self.line
        if self.connection != line.connection:
            network.tell(self, "lost")  # with its connection, and counted then
            return
        line.flying -= 1
        network.in_flight[line.source] -= 1
        receive = network.receivers.get(line.target)
        if receive is None:
            network.refuse(self, line.delay_ns(network.loop.now_ns))
        elif self.life != line.life:
            network.tell(self, "lost")
        else:
            if network.watch is not None:
                network.tell(self, "arrived")
            receive(line.source, self.message, self.ring)


@dataclass(eq=False, slots=True)
class _Line:
    """One directed link: its own random delays, when its last message arrives, and all that is wrong with it.

    `held_since_ns` is when the first of what is held met a cut. `strays` are messages let out of order that nobody has
    overtaken yet: when each arrives, and who counts it if somebody does.
    """

    source: str
    target: str
    chance: Chance
    latency: Latency
    last_ns: int = 0
    well: bool = True
    cuts: list[Traffic] = field(default_factory=list)
    bad: list[tuple[Disturbance, Disturbed]] = field(default_factory=list)
    held: list[Flight] = field(default_factory=list)
    held_since_ns: int | None = None
    strays: list[tuple[int, Disturbed]] = field(default_factory=list)
    flying: int = 0
    connection: int = 0
    life: int = 0
    labels: dict[type, str] = field(default_factory=dict)

    @property
    def clogged(self) -> bool:
        return any(how.clogged for how, _ in self.bad)

    def look(self) -> None:
        """Note whether anything is wrong, so that a healthy link costs nothing."""
        self.well = not (self.cuts or self.bad or self.held)

    def delay_ns(self, now_ns: int) -> int:
        """How long a message takes that is sent now."""
        return self.latency.draw_ns(self.chance.at(now_ns))

    def label_of(self, message: Any) -> str:
        """The label of all messages of a kind, made once."""
        kind = type(message)
        label = self.labels[kind] = f"{self.source}>{self.target} {kind.__name__}"
        return label

    def overtaken_by(self, arrival_ns: int, now_ns: int) -> None:
        """Count the strays that arrive later than a message that is sent later, and forget who has arrived."""
        if self.strays:
            for stray_ns, done in self.strays:
                done.reordered += stray_ns > arrival_ns
            self.strays = [stray for stray in self.strays if now_ns < stray[0] <= arrival_ns]


Watch = Callable[[Flight, str], None]
"""Told of each message, and what becomes of it: sent, then arrived, dropped, lost, or refused."""


class SimNetwork:
    """All links between the cluster's nodes; grants the powers `Network`, `Links` and `Connections`."""

    def __init__(
        self,
        loop: SimLoop,
        nodes: Sequence[str],
        seed: int | str,
        *,
        latency: Latency | None = None,
        on_cut: str = "drop",
    ) -> None:
        self.nodes = tuple(nodes)
        self.in_flight = dict.fromkeys(self.nodes, 0)
        self.receivers: dict[str, Receive] = {}
        self.watch: Watch | None = None
        self.loop = loop
        self._on_cut = on_cut
        self._lines = {
            (source, target): _Line(source, target, Chance(f"{seed}:link:{source}>{target}"), latency or Latency())
            for source in nodes
            for target in nodes
            if source != target
        }

    def attach(self, node: str, receive: Receive) -> None:
        """A node is there, and this is what it hears with."""
        self.receivers[node] = receive

    def detach(self, node: str) -> None:
        """A node is gone; whoever sends to it finds its connection refused."""
        self.receivers.pop(node, None)
        for source in self.nodes:
            if source != node:
                self._lines[source, node].life += 1

    def send(self, source: str, target: str, message: Any, unreached: Unreached, ring: str = "") -> None:
        """Carry a message; `unreached` is called, after a round trip, when nobody is there to take it."""
        line = self._lines[source, target]
        label = line.labels.get(type(message)) or line.label_of(message)
        flight = Flight(self, line, message, unreached, label, ring)
        self.in_flight[source] += 1
        if self.watch is not None:
            self.tell(flight, "sent")
        if line.well:
            self._carry(flight)
        else:
            self._enter(line, flight)

    def redial(self, source: str, target: str) -> None:
        """Give a connection up, and with it what waits to be sent again; the next message is sent on a new one."""
        line = self._lines[source, target]
        if line.held:
            self._give_up(line)

    def refuse(self, flight: Flight, after_ns: int) -> None:
        """Tell the sender, after a while, that a message did not arrive."""
        self.tell(flight, "refused")
        self.loop.after(
            after_ns, lambda: flight.unreached(flight.line.target, flight.message), f"{flight.label} unreached"
        )

    def tell(self, flight: Flight, fate: str) -> None:
        """Tell whoever watches what has become of a message."""
        if self.watch is not None:
            self.watch(flight, fate)

    # --- the way of a message ---

    def _carry(self, flight: Flight, more_ns: int = 0, *, in_order: bool = True) -> int:
        """Let a message travel, and say when it arrives."""
        line = flight.line
        now_ns = self.loop.now_ns
        arrival_ns = now_ns + more_ns + line.delay_ns(now_ns)
        if in_order:
            if arrival_ns <= line.last_ns:
                arrival_ns = line.last_ns + 1
            line.last_ns = arrival_ns
        line.flying += 1
        self.loop.at(arrival_ns, flight)
        return arrival_ns

    def _enter(self, line: _Line, flight: Flight) -> None:
        """A message enters a link with which something is wrong."""
        if line.cuts:
            for traffic in line.cuts:
                traffic.seen += 1
                traffic.dropped += 1
            self._meet_cut(line, flight)
        elif line.held or line.clogged:
            self._count(line, "held")
            line.held.append(flight)
        else:
            self._pass(line, flight)

    def _meet_cut(self, line: _Line, flight: Flight) -> None:
        if self._on_cut == "hold":
            if line.held_since_ns is None:
                line.held_since_ns = self.loop.now_ns
            line.held.append(flight)
            return
        self.in_flight[line.source] -= 1
        if self._on_cut == "reset":
            self.refuse(flight, CONNECT_TIMEOUT_NS)
        else:
            self.tell(flight, "dropped")

    def _pass(self, line: _Line, flight: Flight) -> None:
        """Pass a bad link that is open: each of its disturbances does its own, until one loses the message."""
        more_ns, copies, strayed = 0, 1, list[Disturbed]()
        for place, (how, done) in enumerate(line.bad):
            chance = partial(line.chance.at, self.loop.now_ns)
            lost, twice, strays, far, late = (5 * place + number for number in range(1, 6))
            done.seen += 1
            if how.loss and chance(lost) < how.loss:
                done.lost += 1
                self.in_flight[line.source] -= 1
                self.tell(flight, "lost")
                return
            if how.duplicate and chance(twice) < how.duplicate:
                done.duplicated += 1
                copies *= 2
            if how.reorder and chance(strays) < how.reorder:
                strayed.append(done)
                more_ns += int(chance(far) * how.reorder_ms * 1e6)
            if how.delay_ms or how.jitter_ms:
                done.delayed += 1
                more_ns += int((how.delay_ms + chance(late) * how.jitter_ms) * 1e6)
        self.in_flight[line.source] += copies - 1
        for number in range(copies):
            again = flight if number == 0 else copy(flight)
            self._let_go(line, again, more_ns, strayed)

    def _let_go(self, line: _Line, flight: Flight, more_ns: int, strayed: list[Disturbed]) -> None:
        """Carry a message, in its turn or out of it, and count who overtakes whom."""
        before_ns = line.last_ns
        arrival_ns = self._carry(flight, more_ns, in_order=not strayed)
        if not strayed:
            line.overtaken_by(arrival_ns, self.loop.now_ns)
        elif arrival_ns < before_ns:
            for done in strayed:
                done.reordered += 1
        else:
            line.strays += [(arrival_ns, done) for done in strayed]

    def _count(self, line: _Line, what: str) -> None:
        for _, done in line.bad:
            done.seen += 1
            setattr(done, what, getattr(done, what) + 1)

    def _give_up(self, line: _Line) -> int:
        """Forget what is held, and say how much that was."""
        given_up, line.held, line.held_since_ns = line.held, [], None
        self.in_flight[line.source] -= len(given_up)
        for flight in given_up:
            self.tell(flight, "lost")
        line.look()
        return len(given_up)

    # --- cuts ---

    @asynccontextmanager
    async def cut(self, links: Sequence[Link]) -> AsyncIterator[Cut]:
        """Cut these links for as long as the context is open."""
        cut = {link: Traffic() for link in links}
        for link, traffic in cut.items():
            line = self._lines[link]
            line.cuts.append(traffic)
            line.look()
            if self._on_cut == "reset":
                self._break(line)
        try:
            yield cut
        finally:
            for link, traffic in cut.items():
                line = self._lines[link]
                line.cuts[:] = [other for other in line.cuts if other is not traffic]
                self._reopen(line)

    def _reopen(self, line: _Line) -> None:
        """Let what was held go on: at once after a clog, when TCP tries again after a cut."""
        if line.held and not line.cuts and not line.clogged:
            since_ns, now_ns = line.held_since_ns, self.loop.now_ns
            wait_ns = 0 if since_ns is None else next_attempt_ns(since_ns, now_ns) - now_ns
            self.loop.after(wait_ns, lambda: self._release(line, since_ns), f"{line.source}>{line.target} sent again")
        line.look()

    def _release(self, line: _Line, since_ns: int | None) -> None:
        """Send what is held, unless it was cut off again, or given up and is not what was held then."""
        if not line.cuts and not line.clogged and line.held_since_ns == since_ns:
            held, line.held, line.held_since_ns = line.held, [], None
            line.look()
            for flight in held:
                flight.connection = line.connection
                self._carry(flight)

    # --- bad links and broken connections ---

    @asynccontextmanager
    async def disturb(self, links: Sequence[Link], how: Disturbance) -> AsyncIterator[Mapping[Link, Disturbed]]:
        """Disturb these links for as long as the context is open."""
        done = {link: (how, Disturbed()) for link in links}
        for link, disturbing in done.items():
            self._lines[link].bad.append(disturbing)
            self._lines[link].look()
        try:
            yield {link: counts for link, (_, counts) in done.items()}
        finally:
            for link, disturbing in done.items():
                line = self._lines[link]
                line.bad[:] = [other for other in line.bad if other is not disturbing]
                self._reopen(line)

    async def reset(self, links: Sequence[Link]) -> Mapping[Link, int]:
        """Break the connection of each link: what is under way on it is lost."""
        return {link: self._break(self._lines[link]) for link in links}

    def _break(self, line: _Line) -> int:
        lost = line.flying
        self.in_flight[line.source] -= lost
        line.flying = 0
        line.connection += 1
        return lost + self._give_up(line)
