"""How many puts one node makes durable on each engine, how long an opening takes, and what compaction costs.

`python -m benchmarks.store`: one node with N = R = W = 1, the shipped host on a real loop, real files in a temporary
directory (`--directory`, where another disk is to be measured), 64 askers in the same process, each with one put under
way at a time, values of 200 bytes, each put replacing what the asker wrote to that key before. Rounds alternate between
the engines, and the median is reported. No network, no client library: what is left is the node and its engine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median

from rich.console import Console
from rich.table import Table

from node.core.config import ClusterConfig
from node.core.messages import DebugResponse, PeerMessage, Put, Response, Written
from node.core.node import Node
from node.core.store import Space
from node.runtime.clock import LoopClock
from node.runtime.disk import Synced
from node.runtime.files import Files
from node.runtime.host import Host
from node.runtime.log_store import COMPACT_BYTES, LogStore
from node.runtime.memory import MemoryStore
from node.runtime.ports import Engine
from node.runtime.process import new_event_loop
from node.runtime.sqlite import SqliteStore

ASKERS = 64
KEYS_EACH = 256
VALUE = bytes(200)
ROUNDS = 3
WARM_S, MEASURED_S = 0.3, 1.5
RECORDS = 100_000
BATCH = 64
REQUEST_NS = 10_000_000_000

ENGINES: dict[str, Callable[[Path], Engine]] = {
    "log": lambda directory: LogStore(Files(directory)),
    "sqlite": SqliteStore,
    "memory": lambda directory: MemoryStore(),  # noqa: ARG005 - the others need it
}


class Askers:
    """A transport whose clients are in this process: an answer is followed by the same asker's next put."""

    sending = 0
    host: Host

    def __init__(self) -> None:
        self.answered = 0
        self._puts = [0] * ASKERS
        self._contexts: dict[bytes, bytes] = {}
        self._keys = [b""] * ASKERS

    def put(self, asker: int) -> None:
        """Put the next value of an asker's next key."""
        number = self._puts[asker]
        self._puts[asker] += 1
        key = self._keys[asker] = b"%d:%d" % (asker, number % KEYS_EACH)
        self.host.asked(asker, Put(f"{asker}:{number}", key, VALUE, self._contexts.get(key, b""), REQUEST_NS))

    def reply(self, asker: int, response: Response | DebugResponse) -> None:
        """Count, and put again."""
        assert isinstance(response, Written), response
        self.answered += 1
        self._contexts[self._keys[asker]] = response.context
        asyncio.get_running_loop().call_soon(self.put, asker)

    def send(self, peer: str, message: PeerMessage) -> None:
        """There is nobody to send to."""
        raise AssertionError(f"{message} to {peer}")

    def redial(self, peer: str) -> None:
        """There is nobody to dial."""


async def putting(engine: Engine) -> tuple[float, float]:
    """Puts acknowledged in one second by one node on this engine, and microseconds of processor time for each."""
    loop = asyncio.get_running_loop()
    config = ClusterConfig(members=("n1",), secret="benchmark", n=1, r=1, w=1)
    node = Node("n1", config, engine, Random("benchmark"), durable=engine.durable)
    askers = Askers()
    host = askers.host = Host(node, engine, askers, LoopClock(loop), lambda: None)
    host.start()
    for asker in range(ASKERS):
        loop.call_soon(askers.put, asker)
    await asyncio.sleep(WARM_S)
    before, began, worked = askers.answered, time.perf_counter(), time.process_time()
    await asyncio.sleep(MEASURED_S)
    answered = askers.answered - before
    return answered / (time.perf_counter() - began), (time.process_time() - worked) / answered * 1e6


def round_of(name: str, root: Path) -> tuple[float, float]:
    """One round of one engine, in a directory of its own."""
    with tempfile.TemporaryDirectory(dir=root) as directory, closing(ENGINES[name](Path(directory))) as engine:
        gc.collect()
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(putting(engine))


def fill(engine: Engine) -> float:
    """Seconds to commit so many records in batches."""
    began = time.perf_counter()
    for number in range(RECORDS):
        engine.stage(Space.DATA, b"%012d" % (number * 7919 % RECORDS), VALUE)
        if number % BATCH == BATCH - 1:
            engine.commit(lambda: None)
    engine.commit(lambda: None)
    return time.perf_counter() - began


def opening(name: str, root: Path) -> float:
    """Seconds to open an engine that holds the records, and to read the first page."""
    with tempfile.TemporaryDirectory(dir=root) as path:
        with closing(ENGINES[name](Path(path))) as engine:
            fill(engine)
        began = time.perf_counter()
        with closing(ENGINES[name](Path(path))) as engine:
            assert len(engine.scan(Space.DATA, b"", 256)) == 256
            return time.perf_counter() - began


def overwriting(compact_bytes: int, root: Path) -> tuple[float, float]:
    """Commits a second, and the longest commit in ms, of a log that is written over four times."""
    with (
        tempfile.TemporaryDirectory(dir=root) as directory,
        closing(LogStore(Files(Path(directory)), compact_bytes=compact_bytes)) as store,
    ):
        times = []
        for number in range(4 * RECORDS // 4):
            store.stage(Space.DATA, b"%012d" % (number % (RECORDS // 4)), VALUE)
            if number % BATCH == BATCH - 1:
                began = time.perf_counter()
                store.commit(lambda: None)
                times.append(time.perf_counter() - began)
        return len(times) / sum(times), max(times) * 1000


def work_us(records: int = 50_000) -> float:
    """Microseconds of processor time to stage and commit one value of 200 bytes alone, without any disk."""

    class Nowhere(Files):
        """Real files that are never synced."""

        def sync(self, name: str, done: Synced) -> None:  # noqa: ARG002 - the port's
            """Be done."""
            done(None)

    with (
        tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory,
        closing(LogStore(Nowhere(Path(directory)))) as store,
    ):
        began = time.process_time()
        for number in range(records):
            store.stage(Space.DATA, b"%012d" % (number % 5000), VALUE)
            store.commit(lambda: None)
        return (time.process_time() - began) / records * 1e6


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--directory", type=Path, help="where to make the temporary directories")
    root = parser.parse_args(argv).directory or Path(tempfile.gettempdir())
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in ENGINES}
    for _ in range(ROUNDS):
        for name, measured in rounds.items():
            measured.append(round_of(name, root))
    console = Console(width=110)
    table = Table(
        "engine", "puts/s, median", "of rounds", "times sqlite", "processor us a put", f"opening {RECORDS}, s"
    )
    slowest = median(rate for rate, _ in rounds["sqlite"])
    for name, measured in rounds.items():
        rate, work = (median(column) for column in zip(*measured, strict=True))
        opened = "-" if name == "memory" else f"{opening(name, root):.2f}"
        each = " ".join(f"{one:.0f}" for one, _ in measured)
        table.add_row(name, f"{rate:.0f}", each, f"{rate / slowest:.2f}", f"{work:.0f}", opened)
    console.print(table)
    for label, compact_bytes in (("with compaction", COMPACT_BYTES), ("without", 1 << 40)):
        rate, longest = overwriting(compact_bytes, root)
        console.print(f"log, batches of {BATCH}, {label}: {rate:.0f} commits/s, the longest {longest:.1f} ms")
    console.print(f"log, one value staged and committed, syncs left out: {work_us():.1f} us of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
