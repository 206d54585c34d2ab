"""A simulated network whose nodes write down what they hear, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from harness.sim.latency import Latency
from harness.sim.loop import run, virtual
from harness.sim.network import SimNetwork

NODES = ("n1", "n2", "n3")


class Wires:
    """Three nodes; `heard` is who said what to whom, `times` when, `unreached` what came back."""

    def __init__(self, seed: int = 1, *, on_cut: str = "drop", latency: Latency | None = None) -> None:
        self.loop = virtual()
        self.network = SimNetwork(self.loop, NODES, seed, on_cut=on_cut, latency=latency)
        self.heard: list[tuple[str, str, str]] = []
        self.times: list[int] = []
        self.unreached: list[str] = []
        self.least_in_flight = 0
        for node in NODES:
            self.attach(node)

    def attach(self, node: str) -> None:
        """Let a node hear."""

        def receive(source: str, message: str, _ring: str) -> None:
            self.heard.append((source, node, message))
            self.times.append(self.loop.now_ns)
            self.least_in_flight = min(self.least_in_flight, *self.network.in_flight.values())

        self.network.attach(node, receive)

    def send(self, source: str, target: str, message: str) -> None:
        """Send, and write down if it comes back."""
        self.network.send(source, target, message, lambda _peer, text: self.unreached.append(text))

    async def send_each(self, count: int, *, every_ms: float = 1.0, source: str = "n1", target: str = "n2") -> None:
        """Send numbers, one after the other."""
        for number in range(count):
            self.send(source, target, f"{number}")
            await asyncio.sleep(every_ms / 1000)

    @property
    def numbers(self) -> list[int]:
        """The numbers that were heard, in order."""
        return [int(message) for _, _, message in self.heard]

    @property
    def in_flight(self) -> int:
        """How much is under way in all."""
        return sum(self.network.in_flight.values())

    def run(self, script: Callable[[], Awaitable[None]], *, then_s: float = 1.0) -> None:
        """Run a script, and let everything arrive."""

        async def main() -> None:
            await script()
            await asyncio.sleep(then_s)

        run(main(), self.loop)
