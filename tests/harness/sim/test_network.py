"""The simulated network: in order on each link, cut where it is cut, and honest about who was not reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from harness.sim.loop import run, virtual
from harness.sim.network import SimNetwork
from nemesis.powers import Traffic

NODES = ("n1", "n2", "n3")


class _Bench:
    """A network whose nodes write down what they hear, and when."""

    def __init__(self, seed: int = 1) -> None:
        self.loop = virtual()
        self.network = SimNetwork(self.loop, NODES, seed)
        self.heard: list[tuple[str, str, str]] = []
        self.times: list[int] = []
        self.unreached: list[str] = []
        for node in NODES:
            self.attach(node)

    def attach(self, node: str) -> None:
        """Let a node hear."""

        def receive(source: str, message: str, _ring: str) -> None:
            self.heard.append((source, node, message))
            self.times.append(self.loop.now_ns)

        self.network.attach(node, receive)

    def send(self, source: str, target: str, message: str) -> None:
        """Send, and write down if it comes back."""
        self.network.send(source, target, message, lambda _peer, text: self.unreached.append(text))

    def run(self, script: Callable[[], Awaitable[None]]) -> None:
        """Run a script, and let everything arrive."""

        async def main() -> None:
            await script()
            await asyncio.sleep(1)

        run(main(), self.loop)


def test_a_link_keeps_the_order_of_sending() -> None:
    """As TCP does, although every message draws a delay of its own; between links there is no order."""
    bench = _Bench()

    async def script() -> None:
        for number in range(200):
            bench.send("n1", "n2", f"{number}")
            bench.send("n3", "n2", f"{number}")

    bench.run(script)
    for source in ("n1", "n3"):
        assert [message for who, _, message in bench.heard if who == source] == [f"{n}" for n in range(200)]
    mixed = [who for who, _, _ in bench.heard]
    assert mixed != ["n1", "n3"] * 200
    assert len(set(bench.times)) > 300, "and no two of one link arrive at once"


def test_messages_take_time() -> None:
    """Nothing arrives within the step that sends it."""
    bench = _Bench()

    async def script() -> None:
        bench.send("n1", "n2", "hello")
        assert bench.heard == []

    bench.run(script)
    assert bench.times[0] > 0


def test_a_links_delays_are_its_own() -> None:
    """Traffic on one link does not move another one's delays: the streams are named after the links."""
    alone, together = _Bench(), _Bench()

    async def quiet() -> None:
        alone.send("n1", "n2", "hello")

    async def busy() -> None:
        for _ in range(50):
            together.send("n2", "n3", "noise")
        together.send("n1", "n2", "hello")

    alone.run(quiet)
    together.run(busy)
    arrival = together.times[together.heard.index(("n1", "n2", "hello"))]
    assert arrival == alone.times[0]


def test_a_cut_drops_what_enters_one_direction_and_counts_it() -> None:
    """The other direction, and other links, do not notice; what was under way already arrives."""
    bench = _Bench()
    seen: dict[tuple[str, str], Traffic] = {}

    async def script() -> None:
        bench.send("n1", "n2", "before")
        async with bench.network.cut([("n1", "n2")]) as cut:
            bench.send("n1", "n2", "dropped")
            bench.send("n1", "n2", "dropped too")
            bench.send("n2", "n1", "back")
            bench.send("n1", "n3", "beside")
            await asyncio.sleep(1)
            seen.update(cut)
        bench.send("n1", "n2", "after")

    bench.run(script)
    assert sorted(message for _, _, message in bench.heard) == ["after", "back", "before", "beside"]
    assert seen == {("n1", "n2"): Traffic(seen=2, dropped=2)}
    assert bench.unreached == [], "silence, not certainty"


def test_two_cuts_of_one_link_heal_one_by_one() -> None:
    """The link is whole when the last of them is healed, and each has counted its own."""
    bench = _Bench()
    counts: list[int] = []

    async def script() -> None:
        async with bench.network.cut([("n1", "n2")]) as outer:
            async with bench.network.cut([("n1", "n2")]) as inner:
                bench.send("n1", "n2", "dropped twice over")
            bench.send("n1", "n2", "still dropped")
            counts.extend([outer["n1", "n2"].dropped, inner["n1", "n2"].dropped])
        bench.send("n1", "n2", "whole")

    bench.run(script)
    assert [message for _, _, message in bench.heard] == ["whole"]
    assert counts == [2, 1]


def test_a_cut_heals_when_its_fault_is_cancelled() -> None:
    """A fault carries its cure."""
    bench = _Bench()

    async def fault() -> None:
        async with bench.network.cut([("n1", "n2")]):
            await asyncio.sleep(100)

    async def script() -> None:
        task = asyncio.ensure_future(fault())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bench.send("n1", "n2", "whole")

    bench.run(script)
    assert [message for _, _, message in bench.heard] == ["whole"]


def test_a_node_that_is_down_is_unreached_and_the_sender_learns_it_later() -> None:
    """Its connection is refused; not within the step that sends, and not by silence."""
    bench = _Bench()

    async def script() -> None:
        bench.network.detach("n2")
        bench.send("n1", "n2", "lost")
        assert bench.unreached == []
        await asyncio.sleep(1)
        assert bench.unreached == ["lost"]
        bench.attach("n2")
        bench.send("n1", "n2", "arrives")

    bench.run(script)
    assert bench.unreached == ["lost"]
    assert [message for _, _, message in bench.heard] == ["arrives"]


def test_in_flight_counts_what_was_sent_and_has_not_arrived() -> None:
    """By sender; what is dropped is not in flight, and quiet is zero."""
    bench = _Bench()

    async def script() -> None:
        bench.send("n1", "n2", "one")
        bench.send("n1", "n3", "two")
        async with bench.network.cut([("n2", "n3")]):
            bench.send("n2", "n3", "dropped")
        assert bench.network.in_flight == {"n1": 2, "n2": 0, "n3": 0}
        await asyncio.sleep(1)
        assert bench.network.in_flight == dict.fromkeys(NODES, 0)

    bench.run(script)


def test_one_seed_is_one_network() -> None:
    """And another seed is another one."""

    def times(seed: int) -> list[int]:
        bench = _Bench(seed)

        async def script() -> None:
            for _ in range(20):
                bench.send("n1", "n2", "hello")

        bench.run(script)
        return bench.times

    assert times(1) == times(1)
    assert times(1) != times(2)
