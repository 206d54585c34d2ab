"""One of five nodes loses its disk, and anti-entropy brings everything back while clients go on.

`python -m tests.campaigns.full_repair [--keys 100000]`: five node processes on loopback; so many keys are loaded; 200
operations a second in an open loop, first for a while undisturbed, then while one node is killed, its data directory is
emptied and it is started again. Counted: how long until it keeps every key again that it has a seat for, how many keys
anti-entropy brought and how many came otherwise (hints, writes, read repair), the foreground's 99th percentile before
and meanwhile, and how the slices of background work fell and rose. Exit code 0 when all is as wanted, else 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic

from rich.console import Console

from node.client.admin import Admin
from node.client.client import Channel, Client, OutcomeUnknownError, RequestFailedError
from node.client.tcp import dial
from node.core.admin_messages import NodeReport
from node.core.ring import POSITION_BITS, RING_BITS, position

NODES = ("n1", "n2", "n3", "n4", "n5")
VICTIM = "n3"
VALUE = bytes(100)
LOADERS = 64
RATE = 200
CALM_S, AFTER_S = 20.0, 100.0
REPAIRED_WITHIN_S = 120.0
LOOK_S = 0.5


@dataclass
class Processes:
    """The nodes as processes; `ports` says where each of them listens."""

    directory: Path
    ports: dict[str, int]
    settings: Sequence[str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, node: str) -> None:
        """Start a node on what is in its directory."""
        cluster = ",".join(f"{name}=127.0.0.1:{port}" for name, port in self.ports.items())
        words = ["--node", node, "--cluster", cluster, "--data", str(self.directory / node), "--secret", "a secret"]
        log = (self.directory / f"{node}.log").open("ab")
        self.running[node] = subprocess.Popen(
            [sys.executable, "-m", "node", *words, "--die-with-parent", *self.settings], stdout=log, stderr=log
        )

    def kill(self, node: str) -> None:
        """End a node at once."""
        process = self.running.pop(node)
        process.send_signal(signal.SIGKILL)
        process.wait()

    async def dial(self, node: str) -> Channel:
        """A client's connection to a node."""
        return await dial(("127.0.0.1", self.ports[node]), node, "campaign")


@contextmanager
def processes(settings: Sequence[str]) -> Iterator[Processes]:
    """All nodes, in a directory that is deleted afterwards."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keelhaul-")))
        found = Processes(directory, {}, settings)
        with ExitStack() as taken:
            for node in NODES:
                sock = taken.enter_context(socket.socket())
                sock.bind(("127.0.0.1", 0))
                found.ports[node] = sock.getsockname()[1]
        try:
            for node in NODES:
                found.start(node)
            yield found
        finally:
            for node in list(found.running):
                found.kill(node)


@dataclass
class Foreground:
    """Clients that ask at times fixed beforehand; a latency counts from when the operation was due."""

    client: Client
    keys: int
    latencies_s: list[tuple[float, float]] = field(default_factory=list)
    failed: int = 0

    async def run(self, ended: asyncio.Event) -> None:
        """Ask until it is ended, and wait for what is under way."""
        rng, under_way = Random("foreground"), set[asyncio.Task[None]]()
        due = monotonic()
        while not ended.is_set():
            due += 1 / RATE
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ended.wait()), max(0.0, due - monotonic()))
            task = asyncio.create_task(self._one(rng.random() < 0.5, rng.randrange(self.keys), due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _one(self, writes: bool, key: int, due: float) -> None:
        try:
            if writes:
                got = await self.client.get(name(key))
                await self.client.put(name(key), VALUE, context=got.context)
            else:
                await self.client.get(name(key))
        except (RequestFailedError, OutcomeUnknownError):
            self.failed += 1
        self.latencies_s.append((due, monotonic() - due))

    def p99_ms(self, began: float, ended: float) -> float:
        """The 99th percentile of what was due in between."""
        found = sorted(latency for due, latency in self.latencies_s if began <= due < ended)
        return found[int(len(found) * 0.99)] * 1000 if found else 0.0


def name(number: int) -> bytes:
    """A key."""
    return b"key %d" % number


async def load(client: Client, keys: int) -> None:
    """Write every key once."""
    numbers = iter(range(keys))

    async def loader() -> None:
        for number in numbers:
            while True:
                with suppress(RequestFailedError, OutcomeUnknownError):
                    await client.put(name(number), VALUE)
                    break

    await asyncio.gather(*(loader() for _ in range(LOADERS)))


async def reports(admin: Admin) -> dict[str, NodeReport]:
    """What each node says of itself; those that do not answer are left out."""

    async def one(node: str) -> tuple[str, NodeReport | None]:
        try:
            return node, await admin.node(node)
        except RequestFailedError:
            return node, None

    found = await asyncio.gather(*map(one, NODES))
    return {node: report for node, report in found if report is not None}


async def kept_by(admin: Admin, node: str, keys: int) -> int:
    """How many of the keys a node has a seat for."""
    ends = [(seats.end, node in seats.nodes) for seats in (await admin.ring(NODES[0])).seats]
    places = (position(name(number)) >> (POSITION_BITS - RING_BITS) for number in range(keys))
    return sum(next(mine for end, mine in ends if place < end) for place in places)


def brought(before: dict[str, NodeReport], after: dict[str, NodeReport]) -> int:
    """How many keys anti-entropy has repaired on all nodes together since then."""

    def total(found: dict[str, NodeReport]) -> int:
        return sum(
            report.anti_entropy[counter] for report in found.values() for counter in ("repaired_here", "repaired_there")
        )

    lost = before[VICTIM].anti_entropy
    return total(after) - total(before) + lost["repaired_here"] + lost["repaired_there"]


@dataclass
class Seen:
    """What looking at the nodes has shown: all slices that each of them had, and what the victim keeps."""

    slices: dict[str, list[float]] = field(default_factory=dict)
    kept: int = 0
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self, admin: Admin, ended: asyncio.Event) -> None:
        """Look twice a second, until it is ended."""
        while not ended.is_set():
            found = await reports(admin)
            for node, report in found.items():
                self.slices.setdefault(node, []).append(report.background.slices)
            self.kept = found[VICTIM].keys if VICTIM in found else 0
            self.looked.set()
            await asyncio.sleep(LOOK_S)

    async def until(self, until: float, wanted: int | None = None) -> None:
        """Wait until then, or until the victim keeps as many keys as are wanted."""
        self.kept = 0
        while monotonic() < until and (wanted is None or self.kept < wanted):
            self.looked.clear()
            await self.looked.wait()


async def campaign(nodes: Processes, keys: int) -> dict[str, object]:
    """The whole of it; returns the figures."""
    client, admin = Client(nodes.dial, NODES, "campaign", timeout_ms=3000), Admin(nodes.dial, "campaign")
    foreground, ended, seen = Foreground(client, keys), asyncio.Event(), Seen()
    looking = asyncio.create_task(seen.look(admin, ended))
    began = monotonic()
    await load(client, keys)
    loaded_s = monotonic() - began
    working = asyncio.create_task(foreground.run(ended))
    calm = monotonic()
    await seen.until(calm + CALM_S)
    before, wanted = await reports(admin), await kept_by(admin, VICTIM, keys)
    nodes.kill(VICTIM)
    shutil.rmtree(nodes.directory / VICTIM)
    wiped = monotonic()
    nodes.start(VICTIM)
    await seen.until(wiped + 2 * REPAIRED_WITHIN_S, wanted)
    repaired = monotonic()
    after = await reports(admin)
    await seen.until(repaired + AFTER_S)
    ended.set()
    await asyncio.gather(working, looking)
    return {
        "keys": keys,
        "loaded_s": round(loaded_s, 1),
        "wanted": wanted,
        "kept": after[VICTIM].keys,
        "repaired_s": round(repaired - wiped, 1),
        "repaired_by_anti_entropy": brought(before, after),
        "p99_ms_calm": round(foreground.p99_ms(calm, wiped), 1),
        "p99_ms_repair": round(foreground.p99_ms(wiped, repaired), 1),
        "p99_ms_after": round(foreground.p99_ms(repaired, monotonic()), 1),
        "failed": foreground.failed,
        "operations": len(foreground.latencies_s),
        "slices": {node: (had[0], min(had), had[-1]) for node, had in seen.slices.items()},
    }


def main() -> int:
    """Print the figures, and say whether they are as wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100_000, help="how many keys (100000)")
    parser.add_argument("--set", action="append", default=[], help="a constant of the cluster, as NAME=NUMBER")
    given = parser.parse_args()
    settings = [word for pair in given.set for word in ("--set", pair)]
    with processes(settings) as nodes:
        figures = asyncio.run(campaign(nodes, given.keys))
    Console().print_json(json.dumps(figures))
    wanted = figures["kept"] == figures["wanted"] and float(str(figures["repaired_s"])) <= REPAIRED_WITHIN_S
    calm, meanwhile = float(str(figures["p99_ms_calm"])), float(str(figures["p99_ms_repair"]))
    return 0 if wanted and meanwhile <= 2 * calm else 1


if __name__ == "__main__":
    sys.exit(main())
