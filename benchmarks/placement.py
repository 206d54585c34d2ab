"""How well each partitioning strategy balances load, what a membership change moves, and how long it takes to compute.

`python -m benchmarks.placement` prints three tables; nothing in the first two depends on the machine:

- Figure 8 of the paper (Dynamo, 6.2) beside ours: 30 nodes, N = 3, the mean over `--rings` rings of each size, fewer of
  the large ones but in strategy 2. Strategy 3 twice: with tokens dealt at random, as in the figure, and as ours are;
- a cluster of strategy 3 that grows from 3 nodes to 48 and shrinks again, with Q = 1024, and one of 200: tokens moved,
  copies of partitions that come to stand elsewhere (N times the tokens, but for what distinctness displaces), and the
  load balancing efficiency beside the best that whole tokens allow;
- the processor time of a founding, a join and a leave, the median of five rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from statistics import fmean, median

from rich.console import Console
from rich.table import Table

from node.core import claims
from node.core.changes import Member
from node.core.placement import Layout, found, placed

N = 3
SIZE = 30
PARTITIONS = 1024
ROUNDS = 5
SHOWN = (4, 5, 6, 8, 12, 16, 24, 32, 48, 200)
PAPER = {
    60: (0.520, 0.532, 0.861),
    120: (0.609, 0.610, 0.869),
    240: (0.690, 0.701, 0.901),
    480: (0.759, 0.760, 0.920),
    960: (0.821, 0.822, 0.941),
    1920: (0.869, 0.851, 0.960),
    3840: (0.909, 0.881, 0.971),
    7680: (0.931, 0.870, 0.981),
    15360: (0.950, 0.851, 0.981),
    30720: (0.960, 0.841, 0.990),
}
"""Figure 8, read off its vector paths: strategies 1, 2 and 3 by the size of the metadata."""


def nodes(number: int, ring: int = 0) -> list[Member]:
    """So many nodes, whose names, and so whose tokens, differ from ring to ring."""
    return [Member(f"r{ring}n{at:03d}") for at in range(number)]


def at_random(members: Sequence[Member], partitions: int, ring: int) -> Layout:
    """Strategy 3 with Q/S tokens each, dealt by chance and nothing else."""
    owners = [member.node for member in members] * (partitions // len(members))
    Random(f"figure 8:{ring}").shuffle(owners)
    tokens = {(at + 1) * claims.RING // partitions: owner for at, owner in enumerate(owners)}
    return placed(members, tokens, strategy=3)


def efficiency(metadata: int, curve: int, ring: int) -> float:
    """Of strategies 1, 2 (with Q = 1024), 3 with random tokens, and 3 as ours."""
    members, share = nodes(SIZE, ring), metadata // SIZE
    if curve == 1:
        return found(members, strategy=1, partitions=0, tokens=share).efficiency(N)
    if curve == 2:
        return found(members, strategy=2, partitions=PARTITIONS, tokens=share).efficiency(N)
    if curve == 3:
        return at_random(members, metadata, ring).efficiency(N)
    return found(members, strategy=3, partitions=metadata, tokens=0).efficiency(N)


def figure_8(rings: int) -> Table:
    """The paper's figure beside ours."""
    table = Table("metadata", "strategy 1", "paper", "strategy 2", "paper", "3, random", "paper", "3, ours")
    for metadata, paper in PAPER.items():
        few = max(2, min(rings, rings * 1000 // metadata))
        one, two, three, ours = (
            f"{fmean(efficiency(metadata, curve, ring) for ring in range(rings if curve == 2 else few)):.3f}"
            for curve in (1, 2, 3, 4)
        )
        first, second, third = (f"{value:.3f}" for value in paper)
        table.add_row(str(metadata), one, first, two, second, three, third, ours)
    return table


def copies(before: Layout, after: Layout) -> int:
    """How many nodes come to keep a partition that did not."""
    lists = [(before.replicas(index, N), after.replicas(index, N)) for index in range(len(after.ends))]
    return sum(len(set(new) - set(old)) for old, new in lists)


def changes() -> Table:
    """What joins and leaves move."""
    table = Table("change", "tokens", "ceil(Q/S)", "copies", f"{N} a token", "efficiency", "at best")

    def row(before: Layout, after: Layout) -> None:
        smaller, larger = sorted((before, after), key=lambda layout: len(layout.roster))
        few, many = len(smaller.roster), len(larger.roster)
        if many not in SHOWN:
            return
        (node,) = [node for node in larger.members if node not in smaller.members]
        tokens, size = larger.tokens_of(node), len(after.roster)
        best = PARTITIONS / size / -(-PARTITIONS // size)
        name = f"join, {few} to {many}" if after is larger else f"leave, {many} to {few}"
        moved, most = (f"{tokens}", f"{-(-PARTITIONS // many)}")
        balance = (f"{after.efficiency(N):.3f}", f"{best:.3f}")
        table.add_row(name, moved, most, f"{copies(before, after)}", f"{N * tokens}", *balance)

    layout = found(nodes(3), strategy=3, partitions=PARTITIONS, tokens=0)
    for number in range(3, 48):
        layout, before = layout.joined(Member(f"x{number:03d}"), f"join {number}"), layout
        row(before, layout)
    rng = Random("leaving")
    for number in range(48, 3, -1):
        layout, before = layout.left(rng.choice(list(layout.members)), f"leave {number}"), layout
        row(before, layout)
    layout = found(nodes(199), strategy=3, partitions=PARTITIONS, tokens=0)
    row(layout, layout.joined(Member("x"), "join"))
    return table


def processor_ms(work: Callable[[], object]) -> float:
    """The median time of a few rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return median(times) * 1000


def times() -> Table:
    """How long a layout takes, without any memory of having made it before."""
    table = Table("nodes", "founding, ms", "join, ms", "leave, ms", f"all {N} replicas, ms", "all lists, ms")
    for size in (3, 5, 10, 30, 100, 200):
        members = nodes(size)
        layout = found(members, strategy=3, partitions=PARTITIONS, tokens=0)
        joiner, leaver = Member("x"), members[1].node
        remaining = [member for member in members if member.node != leaver]
        works = (
            partial(claims.dealt, members, PARTITIONS),
            partial(claims.stolen, layout.owners, members, joiner, "salt"),
            partial(claims.spread, layout.owners, remaining, leaver, "salt"),
            partial(_lists, layout, N),
            partial(_lists, layout, size),
        )
        table.add_row(str(size), *(f"{processor_ms(work):.1f}" for work in works))
    return table


def _lists(layout: Layout, n: int) -> None:
    layout._replicas.clear()
    for index in range(len(layout.ends)):
        layout.replicas(index, n)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rings", type=int, default=40, help="over how many rings to take the mean (default 40)")
    rings = parser.parse_args(argv).rings
    console = Console(width=110)
    for table in (figure_8(rings), changes(), times()):
        console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
