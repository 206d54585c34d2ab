"""How fast a change of the ring is known everywhere, and how a cluster's load spreads as nodes are added.

`python -m benchmarks.ring [--seeds 100]`, all of it counted on simulated nodes, none of it timed:

- **Gossip** (Dynamo, 4.8.1): 200 nodes that know the same; one of them learns of a join. After how many gossip rounds
  does everybody know, in each of so many seeds?
- **Scaling**: the same load on clusters of 3 to 48 nodes, from coordinators that are drawn. What does one node handle
  of it, in requests that it coordinates, in messages and in bytes?

The nodes are the shipped core, on a heap of events: messages take a millisecond and a bit, commits half of one.
"""

from __future__ import annotations

import argparse
import heapq
from collections import Counter
from collections.abc import Sequence
from random import Random
from statistics import mean, median

import msgspec
from rich.console import Console
from rich.table import Table

from node.core import facts
from node.core.changes import JOIN, Change, History, Member
from node.core.config import ClusterConfig
from node.core.messages import Get, Gossip, Got, Put, Written
from node.core.node import Node
from node.runtime.memory import MemoryStore

MS = 1_000_000
NODES = 200
PARTITIONS = 1024
ROUNDS_WANTED = 12
SIZES = (3, 6, 12, 24, 48)
OPERATIONS = 3000
VALUE = bytes(200)


class Bare:
    """Nodes on a heap of events, and counts of what each of them was told."""

    def __init__(self, size: int, seed: int, **settings: int) -> None:
        names = tuple(f"n{number}" for number in range(1, size + 1))
        self.config = ClusterConfig(members=names, secret="a secret", **settings).checked()
        self.rng = Random(f"{seed}:bare")
        self.now_ns = 0
        self.messages: Counter[str] = Counter()
        self.handled_bytes: Counter[str] = Counter()
        self.replies: list[object] = []
        self._heap: list[tuple[int, int, str, facts.Fact]] = []
        self._sequence = 0
        self._cancelled: set[tuple[str, int]] = set()
        self._encode = msgspec.msgpack.Encoder().encode
        self.nodes = {name: Node(name, self.config, MemoryStore(), Random(f"{seed}:{name}")) for name in names}
        for name, node in self.nodes.items():
            self._do(name, node.start(0))

    def feed(self, name: str, fact: facts.Fact) -> None:
        """Tell a node something now."""
        self._do(name, self.nodes[name].handle(fact, self.now_ns))

    def run(self, until_ns: int) -> None:
        """Let everything happen until then."""
        while self._heap and self._heap[0][0] <= until_ns:
            self.now_ns, _, name, fact = heapq.heappop(self._heap)
            if type(fact) is facts.TimerFired and (name, fact.timer) in self._cancelled:
                self._cancelled.discard((name, fact.timer))
                continue
            if type(fact) is facts.PeerSaid and type(fact.message) is not Gossip:
                self.messages[name] += 1
                self.handled_bytes[name] += len(self._encode(fact.message))
            self.feed(name, fact)
        self.now_ns = until_ns

    def _do(self, name: str, commands: Sequence[facts.Command]) -> None:
        for command in commands:
            match command:
                case facts.Send(to, message, ring) if to in self.nodes:
                    self._later(to, MS + self.rng.randrange(MS), facts.PeerSaid(name, message, ring))
                case facts.SetTimer(timer, delay_ns):
                    self._later(name, delay_ns, facts.TimerFired(timer))
                case facts.CancelTimer(timer):
                    self._cancelled.add((name, timer))
                case facts.Persist(barrier):
                    self._later(name, MS // 2, facts.Committed(barrier))
                case facts.Reply(_, response):
                    self.replies.append(response)

    def _later(self, name: str, delay_ns: int, fact: facts.Fact) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (self.now_ns + delay_ns, self._sequence, name, fact))


def rounds_to_all(seed: int) -> int:
    """After how many seconds of gossip, one round each, all of the nodes know a change that one has learned of."""
    bare = Bare(NODES, seed, partitions=PARTITIONS, anti_entropy_ms=0)
    bare.run(1000 * MS)
    join = Change(1, f"a join, seed {seed}", JOIN, "newcomer", Member("newcomer"), "", "n1", 0, "")
    known = History().with_change(join)
    bare.feed("n1", facts.PeerSaid("n2", Gossip(bare.nodes["n2"].membership.life, known), known.digest))
    for number in range(1, 100):
        bare.run(bare.now_ns + 1000 * MS)
        if all(node.ring.history.changes for node in bare.nodes.values()):
            return number
    return 100


def load_of(size: int, seed: int = 1) -> tuple[float, float, float, float]:
    """Requests, messages and bytes that one node of so many handles of the load, and the largest share of messages
    over the mean.
    """
    bare = Bare(size, seed, anti_entropy_ms=0)
    bare.run(100 * MS)
    bare.messages.clear()
    bare.handled_bytes.clear()
    names, requests = list(bare.nodes), Counter[str]()
    for number in range(OPERATIONS):
        name, key = bare.rng.choice(names), b"key %d" % bare.rng.randrange(1000)
        requests[name] += 1
        asked = Put("p", key, VALUE, b"", 1000 * MS) if number % 2 else Get("g", key, 1000 * MS)
        bare.feed(name, facts.ClientAsked(number, asked))
        bare.run(bare.now_ns + MS)
    bare.run(bare.now_ns + 1000 * MS)
    succeeded = sum(isinstance(reply, Got | Written) for reply in bare.replies)
    assert succeeded == OPERATIONS, f"{OPERATIONS - succeeded} of {OPERATIONS} operations failed"
    told = [bare.messages[name] for name in names]
    return (
        mean(requests[name] for name in names),
        mean(told),
        mean(bare.handled_bytes[name] for name in names),
        max(told) / mean(told),
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds of gossip (100)")
    seeds = parser.parse_args().seeds
    console = Console()
    rounds = [rounds_to_all(seed) for seed in range(1, seeds + 1)]
    within = sum(each <= ROUNDS_WANTED for each in rounds)
    console.print(
        f"gossip: {NODES} nodes, {seeds} seeds: a change is known to all after {min(rounds)} to {max(rounds)} rounds, "
        f"median {median(rounds):g}; within {ROUNDS_WANTED} rounds in {within} of {seeds}",
        highlight=False,
    )
    console.print(_scaling())


def _scaling() -> Table:
    table = Table(title=f"{OPERATIONS} operations, half of them puts: what one node handles", title_justify="left")
    for column in ("nodes", "requests", "messages", "bytes", "messages x nodes", "largest / mean"):
        table.add_column(column, justify="right")
    for size in SIZES:
        requests, messages, handled, worst = load_of(size)
        table.add_row(
            str(size),
            f"{requests:,.0f}",
            f"{messages:,.0f}",
            f"{handled:,.0f}",
            f"{messages * size:,.0f}",
            f"{worst:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
