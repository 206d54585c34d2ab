"""The simulated network: directed links that delay, cut, lose, duplicate, reorder, clog and break.

What one node sends to another arrives in the order in which it was sent, as over TCP; different links know nothing of
each other. A message to a node that is down comes back as unreached: its connection is refused. What a cut does to
the messages on it is the network's `on_cut`:

- `drop`: what enters the link is gone, silently, as behind a proxy that swallows frames;
- `hold`: it waits in the sender's kernel. After the heal it is sent again when TCP's back-off says so, which may take
  as long as the cut has lasted, and everything comes in order. Redialling gives it up instead;
- `reset`: what is under way at the cut is lost with its connection, and each message sent meanwhile is known not to
  have arrived once the attempt to connect has timed out.

This file knows addresses and callbacks, not what is sent.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.sim.latency import Latency
from harness.sim.loop import Event, SimLoop
from nemesis.powers import Cut, Disturbance, Disturbed, Link, Traffic

CONNECT_TIMEOUT_NS = 1_000_000_000
RETRANSMIT_NS = 200_000_000
RETRANSMIT_NS_MAX = 60_000_000_000
"""TCP's first time-out for an unacknowledged segment on Linux, doubled after each attempt, and its bound."""

REORDERED_WITHIN = 20
"""A reordered message takes up to so many times as long as another would."""

Receive = Callable[[str, Any], None]
"""Takes a message, with the name of its sender."""

Unreached = Callable[[str, Any], None]
"""Told which node a message did not reach."""


class Flight(Event):
    """One message under way on one connection, the line's `connection` at the time."""

    __slots__ = ("connection", "line", "message", "network", "unreached")

    def __init__(self, network: SimNetwork, line: _Line, message: Any, unreached: Unreached, label: str) -> None:
        super().__init__(self.arrive, label)
        self.network = network
        self.line = line
        self.message = message
        self.unreached = unreached
        self.connection = line.connection

    def arrive(self) -> None:
        """Hand the message over, or let the sender know that nobody is there."""
        network, line = self.network, self.line
        if self.connection != line.connection:
            return  # it was lost with its connection, and counted then
        line.flying -= 1
        network.in_flight[line.source] -= 1
        receive = network.receivers.get(line.target)
        if receive is not None:
            network.tell(self, "arrived")
            receive(line.source, self.message)
        else:
            network.refuse(self, line.latency.draw_ns(line.rng))


@dataclass(eq=False)
class _Line:
    """One directed link: its own random delays, when its last message arrives, and all that is wrong with it."""

    source: str
    target: str
    rng: random.Random
    latency: Latency
    last_ns: int = 0
    well: bool = True
    cuts: list[Traffic] = field(default_factory=list)
    bad: list[tuple[Disturbance, Disturbed]] = field(default_factory=list)
    held: list[Flight] = field(default_factory=list)
    held_since_ns: int = 0
    flying: int = 0
    connection: int = 0
    labels: dict[type, str] = field(default_factory=dict)

    @property
    def clogged(self) -> bool:
        return any(how.clogged for how, _ in self.bad)

    def look(self) -> None:
        """Note whether anything is wrong, so that a healthy link costs nothing."""
        self.well = not (self.cuts or self.bad or self.held)

    def label_of(self, message: Any) -> str:
        kind = type(message)
        label = self.labels.get(kind)
        if label is None:
            label = self.labels[kind] = f"{self.source}>{self.target} {kind.__name__}"
        return label


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
        self._loop = loop
        self._on_cut = on_cut
        latency = latency or Latency()
        self._lines = {
            (source, target): _Line(source, target, random.Random(f"{seed}:link:{source}>{target}"), latency)
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

    def send(self, source: str, target: str, message: Any, unreached: Unreached) -> None:
        """Carry a message; `unreached` is called, after a round trip, when nobody is there to take it."""
        line = self._lines[source, target]
        flight = Flight(self, line, message, unreached, line.label_of(message))
        self.in_flight[source] += 1
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
        self._loop.after(
            after_ns, lambda: flight.unreached(flight.line.target, flight.message), f"{flight.label} unreached"
        )

    def tell(self, flight: Flight, fate: str) -> None:
        """Tell whoever watches what has become of a message."""
        if self.watch is not None:
            self.watch(flight, fate)

    # --- the way of a message ---

    def _carry(self, flight: Flight, more_ns: int = 0, *, in_order: bool = True) -> None:
        line = flight.line
        arrival_ns = self._loop.now_ns + more_ns + line.latency.draw_ns(line.rng)
        if in_order:
            arrival_ns = line.last_ns = max(arrival_ns, line.last_ns + 1)
        line.flying += 1
        self._loop.at(arrival_ns, flight)

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
            if not line.held:
                line.held_since_ns = self._loop.now_ns
            line.held.append(flight)
            return
        self.in_flight[line.source] -= 1
        if self._on_cut == "reset":
            self.refuse(flight, CONNECT_TIMEOUT_NS)
        else:
            self.tell(flight, "dropped")

    def _pass(self, line: _Line, flight: Flight) -> None:
        """Pass a bad link that is open: each of its disturbances does its own."""
        more_ns, copies, in_order = 0, 1, True
        for how, done in line.bad:
            done.seen += 1
            if how.loss and line.rng.random() < how.loss:
                done.lost += 1
                copies = 0
            if how.duplicate and line.rng.random() < how.duplicate:
                done.duplicated += 1
                copies *= 2
            if how.reorder and line.rng.random() < how.reorder:
                done.reordered += 1
                in_order = False
                more_ns += int(line.latency.draw_ns(line.rng) * line.rng.random() * REORDERED_WITHIN)
            if how.delay_ms or how.jitter_ms:
                done.delayed += 1
                more_ns += int((how.delay_ms + line.rng.random() * how.jitter_ms) * 1e6)
        self.in_flight[line.source] += copies - 1
        if not copies:
            self.tell(flight, "lost")
        for copy in range(copies):
            again = flight if copy == 0 else Flight(self, line, flight.message, flight.unreached, flight.label)
            self._carry(again, more_ns, in_order=in_order)

    def _count(self, line: _Line, what: str) -> None:
        for _, done in line.bad:
            done.seen += 1
            setattr(done, what, getattr(done, what) + 1)

    def _give_up(self, line: _Line) -> int:
        """Forget what is held, and say how much that was."""
        given_up, line.held = line.held, []
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
            at_ns = next_attempt_ns(line.held_since_ns, self._loop.now_ns) if self._on_cut == "hold" else 0
            wait_ns = max(0, at_ns - self._loop.now_ns)
            self._loop.after(wait_ns, lambda: self._release(line), f"{line.source}>{line.target} sent again")
        line.look()

    def _release(self, line: _Line) -> None:
        if not line.cuts and not line.clogged:
            held, line.held = line.held, []
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


def next_attempt_ns(since_ns: int, now_ns: int) -> int:
    """When TCP next sends what it has tried to send since then: attempts 0.2 s, 0.6 s, 1.4 s, 3 s … later."""
    return next(attempt for attempt in _attempts(since_ns) if attempt >= now_ns)


def _attempts(since_ns: int) -> Iterator[int]:
    wait_ns = RETRANSMIT_NS
    while True:
        since_ns += wait_ns
        yield since_ns
        wait_ns = min(2 * wait_ns, RETRANSMIT_NS_MAX)
