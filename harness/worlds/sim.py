"""The simulated world: every node a host in this process, on virtual time.

This file knows the cluster: who lives, on which disk and by which clock, and what can be done to whom. What a process,
a link, a clock and a disk are is told in `harness.sim`; what the nodes say to each other is none of its business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from harness import plugins
from harness.contracts import Changed, Inspector, Operator, Session
from harness.operators import Ring
from harness.sim.clock import SimClock
from harness.sim.latency import Chance, Latency
from harness.sim.life import Life
from harness.sim.loop import SimLoop
from harness.sim.loop import run as run_virtual
from harness.sim.network import SimNetwork
from harness.sim.storage import Storage, storage
from harness.sim.watching import Entry, WatchedEngine, Watcher
from harness.spec import RunSpec
from nemesis.powers import (
    Clocks,
    Connections,
    Disks,
    Links,
    Membership,
    Network,
    Pauses,
    PowerError,
    Powers,
    Processes,
    Skew,
    Speed,
    Traffic,
)
from node.client.client import ChannelError
from node.core.messages import DebugRequest, Request
from node.runtime.ports import Engine

T = TypeVar("T")

POWERS = (Network, Links, Connections, Processes, Pauses, Speed, Clocks, Disks, Membership)

PORT = 7100
"""Nodes are dialled by their names; an address is what operators see."""

START_NS_MIN, START_NS_MAX = 30_000_000, 150_000_000
"""How long a node takes to start."""


class SimChannel:
    """A client's connection to a node; clients stand outside of all partitions."""

    def __init__(self, cluster: SimCluster, node: str, chance: Chance) -> None:
        self._cluster = cluster
        self._node = node
        self._chance = chance

    async def request(self, message: Request | DebugRequest) -> Any:
        """Send a request and wait for the answer."""
        loop = self._cluster.loop
        future: asyncio.Future[Any] = loop.create_future()
        label = f"{self._node} {type(message).__name__}"

        def resolve(outcome: Any) -> None:
            if not future.done():
                future.set_exception(outcome) if isinstance(outcome, Exception) else future.set_result(outcome)

        def answer(response: Any) -> None:
            lost = ChannelError(f"{self._node} went away before it answered", sent=True)
            outcome = lost if response is None else response
            loop.after(self._delay_ns(), lambda: resolve(outcome), f"{label} answered")

        def arrive() -> None:
            life = self._cluster.lives.get(self._node)
            if life is None:
                resolve(ChannelError(f"{self._node} refuses the connection", sent=False))
            else:
                life.ask(message, answer)

        loop.after(self._delay_ns(), arrive, label)
        return await future

    def _delay_ns(self) -> int:
        return self._cluster.latency.draw_ns(self._chance.at(self._cluster.loop.now_ns))

    async def close(self) -> None:
        """Nothing is open."""


class SimCluster:
    """The nodes of one simulated run, and the powers over them, all of which it grants itself but for the links'."""

    def __init__(self, spec: RunSpec, loop: SimLoop, changed: Changed, watcher: Watcher | None = None) -> None:
        self.nodes = spec.all_ids
        self.loop = loop
        self.latency = Latency(spec.latency_us, spec.latency_sigma)
        self.links = SimNetwork(loop, self.nodes, spec.world_seed, latency=self.latency, on_cut=spec.on_cut)
        self.lives: dict[str, Life] = {}
        self.clocks = {node: SimClock(loop) for node in self.nodes}
        self.powers: Powers = {
            **dict.fromkeys((Network, Links, Connections), self.links),
            **dict.fromkeys((Processes, Pauses, Speed, Clocks, Disks), self),
        }
        self._system = plugins.system(spec.system)
        self._build = self._system.builder(spec)
        self._spec = spec
        self._changed = changed
        self._watcher = watcher
        if watcher is not None:
            self.links.watch = lambda flight, fate: watcher.flew(loop.now_ns, flight, fate)
        self._corpses: list[Life] = []
        self._copies: dict[str, Callable[[], bool]] = {}
        self._busy: dict[str, tuple[int, Traffic]] = {}
        self._rng = {node: Random(f"{spec.world_seed}:node:{node}") for node in self.nodes}
        self._storages: dict[str, Storage] = {
            node: storage(spec.engine, loop, node, Random(f"{spec.world_seed}:disk:{node}")) for node in self.nodes
        }
        self.operator: Operator | None = None
        if Membership in self._system.POWERS:
            self.operator = self._system.operator(spec, self._dialler("operator"), lambda node: f"{node}:{PORT}")
            ring = Ring(self, self.operator, spec.node_ids, spec.spare_ids)
            self.powers = {**self.powers, Membership: ring}

    def now_ns(self) -> int:
        """Virtual time."""
        return self.loop.now_ns

    def running(self, node: str) -> bool:
        """Whether the node lives."""
        return node in self.lives

    # --- Processes ---

    async def start(self, node: str) -> None:
        """Begin a new life of a node, on what its last one left on the disk."""
        rng = self._rng[node]
        await asyncio.sleep(rng.randint(START_NS_MIN, START_NS_MAX) / 1e9)
        if node in self.lives:
            raise PowerError(f"{node} is running")
        life = self.lives[node] = Life(node, self.loop, self.links, self.clocks[node], self._died)
        life.act(lambda: self._put_together(life, Random(rng.getrandbits(64))))
        if not life.alive:
            raise PowerError(f"{node} ended while it was starting")
        life.busy = self._busy.get(node)
        self.links.attach(node, life.hear)
        self._changed(node, "started", {})

    def _put_together(self, life: Life, rng: Random) -> None:
        life.engine = self._watched(life.node, self._storages[life.node].open(life.act))
        life.host = self._build(life.node, life.engine, life, life, rng, life.leave)
        life.host.start()

    def _watched(self, node: str, engine: Engine) -> Engine:
        watcher = self._watcher
        if watcher is None:
            return engine

        def committed(entries: tuple[Entry, ...]) -> None:
            watcher.committed(self.loop.now_ns, node, entries)

        return WatchedEngine(engine, committed)

    async def kill(self, node: str) -> None:
        """End a node at once."""
        self._bury(self._living(node))
        self._changed(node, "killed", {})

    async def stop(self, node: str) -> None:
        """Ask a node to drain, and wait until it has left."""
        life = self._living(node)
        life.act(life.host.drain)
        await life.gone.wait()
        if not life.alive:
            raise PowerError(f"{node} was asked to leave and ended before it had left")
        self._bury(life)
        self._changed(node, "stopped", {})

    async def wipe(self, node: str) -> None:
        """Empty the disk of a node that is down."""
        self._down(node).wipe()
        self._changed(node, "wiped", {})

    # --- Pauses and Speed ---

    async def pause(self, node: str) -> None:
        """Freeze a node."""
        self._living(node).freeze()
        self._changed(node, "paused", {})

    async def resume(self, node: str) -> None:
        """Let a node go on."""
        if self.paused(node):
            stalled = self.lives[node].thaw(self._rng[node])
            self._changed(node, "resumed", {"stalled": stalled})

    def paused(self, node: str) -> bool:
        """Whether the node is frozen."""
        return node in self.lives and self.lives[node].frozen

    @asynccontextmanager
    async def slow(self, node: str, step_ms: float) -> AsyncIterator[Traffic]:
        """Let each step of the node, in this life and the next, take so long."""
        busy = self._busy[node] = round(step_ms * 1e6), Traffic()
        self._hurry(node)
        try:
            yield busy[1]
        finally:
            del self._busy[node]
            self._hurry(node)

    def _hurry(self, node: str) -> None:
        if node in self.lives:
            self.lives[node].busy = self._busy.get(node)

    # --- Clocks ---

    async def skew(self, node: str, skew: Skew) -> None:
        """Set a node's clock off."""
        self.clocks[node].skew(skew)

    async def seen(self, node: str) -> Skew | None:
        """How far off the clock is that the node reads."""
        life = self.lives.get(node)
        return None if life is None or life.frozen else Skew(life.offset_ns() / 1e6, self.clocks[node].skewed.drift_ppm)

    def reads(self, node: str) -> int:
        """How many times the node has read its clock while it was off."""
        return self.clocks[node].reads

    # --- Disks ---

    @asynccontextmanager
    async def trouble(self, node: str, kind: str, amount: float) -> AsyncIterator[Traffic]:
        """Give a node trouble with its disk."""
        with self._storages[node].trouble(kind, amount) as traffic:
            yield traffic

    async def damage(self, node: str, kind: str) -> int:
        """Damage what is on the disk of a node that is down."""
        return self._down(node).damage(kind)

    async def copy(self, node: str) -> None:
        """Copy the disk of a node that is down."""
        self._copies[node] = self._down(node).copy()

    async def put_back(self, node: str) -> bool:
        """Put the copy in the place of the disk of a node that is down."""
        self._down(node)
        return self._copies[node]()

    # --- clients ---

    async def session(self, client: str) -> Session:
        """Open a client session."""
        session: Session = self._system.session(self._spec, self._dialler(client), client)
        return session

    async def inspector(self) -> Inspector:
        """Open the view from outside."""
        inspector: Inspector = self._system.inspector(self._spec, self._dialler("inspector"))
        return inspector

    def _dialler(self, client: str) -> Callable[[str], Coroutine[Any, Any, SimChannel]]:
        async def dial(node: str) -> SimChannel:
            return SimChannel(self, node, Chance(f"{self._spec.world_seed}:client:{client}>{node}"))

        return dial

    # --- lives and deaths ---

    def _living(self, node: str) -> Life:
        if node not in self.lives:
            raise PowerError(f"{node} is not running")
        return self.lives[node]

    def _down(self, node: str) -> Storage:
        if node in self.lives:
            raise PowerError(f"{node} is running; only the disk of a node that is down can be touched")
        return self._storages[node]

    def _died(self, life: Life, error: str) -> None:
        """A node ended by its own fault."""
        self._bury(life)
        self._changed(life.node, "exited", {"error": error})

    def _bury(self, life: Life) -> None:
        del self.lives[life.node]
        self.links.detach(life.node)
        self._corpses.append(life)
        life.fence()
        self._storages[life.node].crash()


def probe() -> str | None:
    """A simulation can be had anywhere."""
    return None


@asynccontextmanager
async def open(
    spec: RunSpec,
    directory: Path,  # noqa: ARG001 - no files here
    changed: Changed,
    watcher: Watcher | None = None,
) -> AsyncIterator[SimCluster]:
    """Start the nodes of a run on the running virtual loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop), "the simulated world runs on a SimLoop"
    cluster = SimCluster(spec, loop, changed, watcher)
    await asyncio.gather(*(cluster.start(node) for node in spec.node_ids))
    yield cluster


def run(main: Coroutine[Any, Any, T], loop: SimLoop) -> T:
    """Run the story of a run on virtual time."""
    return run_virtual(main, loop)
