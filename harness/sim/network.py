"""The simulated network: directed links with latency, in order, that can be cut.

What one node sends to another arrives in the order in which it was sent, as over TCP. A cut link drops what enters it
while it is cut, and counts that. A message to a node that is down comes back as unreached: its connection is refused.

This file knows addresses and callbacks, not what is sent.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.sim.loop import SimLoop
from nemesis.powers import Cut, Link, Traffic

LATENCY_US_MEDIAN = 350
LATENCY_SIGMA = 0.6
"""A log-normal one-way delay: a local network with a tail (median 0.35 ms, p99.9 about 2.2 ms)."""


@dataclass
class _Line:
    """One directed link: its own random delays, and when its last message arrives."""

    rng: random.Random
    last_ns: int = 0
    cuts: list[Traffic] = field(default_factory=list)


Receive = Callable[[str, Any], None]


class SimNetwork:
    """All links between the cluster's nodes."""

    def __init__(self, loop: SimLoop, nodes: Sequence[str], seed: int) -> None:
        self.nodes = tuple(nodes)
        self.in_flight = dict.fromkeys(self.nodes, 0)
        self._loop = loop
        self._receivers: dict[str, Receive] = {}
        self._lines = {
            (source, target): _Line(random.Random(f"{seed}:link:{source}>{target}"))
            for source in nodes
            for target in nodes
            if source != target
        }

    def attach(self, node: str, receive: Receive) -> None:
        """A node is there, and this is what it hears with."""
        self._receivers[node] = receive

    def detach(self, node: str) -> None:
        """A node is gone; whoever sends to it finds its connection refused."""
        self._receivers.pop(node, None)

    def send(self, source: str, target: str, message: Any, unreached: Callable[[], None]) -> None:
        """Carry a message; `unreached` is called, after a round trip, when nobody is there to take it."""
        line = self._lines[source, target]
        if line.cuts:
            for traffic in line.cuts:
                traffic.seen += 1
                traffic.dropped += 1
            return
        delay_ns = latency_ns(line.rng)
        arrival_ns = max(self._loop.now_ns + delay_ns, line.last_ns + 1)
        line.last_ns = arrival_ns
        self.in_flight[source] += 1
        label = f"{source}>{target} {type(message).__name__}"

        def arrive() -> None:
            self.in_flight[source] -= 1
            receive = self._receivers.get(target)
            if receive is not None:
                receive(source, message)
            else:
                self._loop.after(delay_ns, unreached, f"{label} unreached")

        self._loop.after(arrival_ns - self._loop.now_ns, arrive, label)

    @asynccontextmanager
    async def cut(self, links: Sequence[Link]) -> AsyncIterator[Cut]:
        """Drop what enters these links, for as long as the context is open."""
        cut = {link: Traffic() for link in links}
        for link, traffic in cut.items():
            self._lines[link].cuts.append(traffic)
        try:
            yield cut
        finally:
            for link, traffic in cut.items():
                cuts = self._lines[link].cuts
                cuts[:] = [other for other in cuts if other is not traffic]


def latency_ns(rng: random.Random) -> int:
    """Draw the one-way delay of one message."""
    return int(LATENCY_US_MEDIAN * 1000 * math.exp(rng.gauss(0, LATENCY_SIGMA)))
