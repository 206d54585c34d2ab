"""The simulated world: every node a host in this process, on virtual time.

A crash fences a node's ports first: its callbacks that are still in the heap find nothing to do, and nothing of it
reaches the world after its death. The corpse is kept until the run ends, because dropping a conversation would run
its `finally` blocks. This file knows lives and deaths; it does not know what the nodes say to each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from harness import plugins
from harness.contracts import Changed, Inspector, Session
from harness.sim.disk import SimDisk
from harness.sim.loop import Event, SimLoop
from harness.sim.loop import run as run_virtual
from harness.sim.network import SimNetwork, latency_ns
from harness.spec import RunSpec
from nemesis.powers import Network, PowerError, Powers, Processes
from node.client.client import ChannelError
from node.core.messages import DebugRequest, DebugResponse, PeerMessage, Request, Response
from node.runtime.host import Host
from node.runtime.memory import Image

T = TypeVar("T")

START_NS_MIN, START_NS_MAX = 30_000_000, 150_000_000
"""How long a node takes to start."""


class _Life:
    """One life of a node, from start to death: its ports, and the fence around them."""

    def __init__(self, cluster: SimCluster, node: str, rng: Random, image: Image | None) -> None:
        self.node = node
        self.alive = True
        self.left = False
        self.gone = asyncio.Event()
        self.asked: dict[int, Callable[[Response | DebugResponse | None], None]] = {}
        self._cluster = cluster
        self._loop = cluster.loop
        self._next_asker = 1
        self.disk = SimDisk(cluster.loop, node, Random(rng.getrandbits(64)), image, self.guard)
        self.host: Host = cluster.build(node, self.disk, self, self, Random(rng.getrandbits(64)), self._leave)

    def ask(self, request: Request | DebugRequest, answer: Callable[[Any], None]) -> None:
        """A client's request has arrived; the answer is None when the node dies before it answers."""
        asker, self._next_asker = self._next_asker, self._next_asker + 1
        self.asked[asker] = answer
        self.guard(lambda: self.host.asked(asker, request))

    def guard(self, act: Callable[[], None]) -> None:
        """Let the node act; an exception is the end of it, as it is of a process."""
        if not self.alive:
            return
        try:
            act()
        except Exception as error:
            self._cluster.crashed(self, f"{type(error).__name__}: {error}")

    def fence(self) -> None:
        """From now on nothing comes in and nothing goes out; whoever waits for an answer learns that there is
        none.
        """
        self.alive = False
        self.gone.set()
        waiting, self.asked = self.asked, {}
        for answer in waiting.values():
            answer(None)

    def _leave(self) -> None:
        self.left = True
        self.gone.set()

    # --- the clock port ---

    def now_ns(self) -> int:
        """Virtual time."""
        return self._loop.now_ns

    def offset_ns(self) -> int:
        """Nobody sets clocks off yet."""
        return 0

    def after(self, delay_ns: int, callback: Callable[[], None]) -> Event:
        """Call back on virtual time, unless the node has died."""
        return self._loop.after(delay_ns, lambda: self.guard(callback), f"{self.node} timer {delay_ns}")

    # --- the transport port ---

    @property
    def sending(self) -> int:
        """What this node has sent and nobody has received."""
        return self._cluster.links.in_flight[self.node]

    def send(self, peer: str, message: PeerMessage) -> None:
        """Send to another node."""
        self._cluster.links.send(
            self.node, peer, message, lambda: self.guard(lambda: self.host.peer_unreached(peer, message))
        )

    def reply(self, asker: int, response: Response | DebugResponse) -> None:
        """Answer a client."""
        answer = self.asked.pop(asker, None)
        if answer is not None:
            answer(response)

    def redial(self, peer: str) -> None:
        """Links here never need it: what is dropped is not retransmitted."""


class SimChannel:
    """A client's connection to a node; clients stand outside of all partitions."""

    def __init__(self, cluster: SimCluster, node: str, rng: Random) -> None:
        self._cluster = cluster
        self._node = node
        self._rng = rng

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
            loop.after(latency_ns(self._rng), lambda: resolve(outcome), f"{label} answered")

        def arrive() -> None:
            life = self._cluster.lives.get(self._node)
            if life is None:
                resolve(ChannelError(f"{self._node} refuses the connection", sent=False))
            else:
                life.ask(message, answer)

        loop.after(latency_ns(self._rng), arrive, label)
        return await future

    async def close(self) -> None:
        """Nothing is open."""


class SimCluster:
    """The nodes of one simulated run, and the powers over them."""

    def __init__(self, spec: RunSpec, loop: SimLoop, changed: Changed) -> None:
        self.nodes = spec.node_ids
        self.loop = loop
        self.links = SimNetwork(loop, self.nodes, spec.seed)
        self.lives: dict[str, _Life] = {}
        self.powers: Powers = {Network: self.links, Processes: self}
        self._system = plugins.system(spec.system)
        self.build = self._system.builder(spec)
        self._spec = spec
        self._changed = changed
        self._images: dict[str, Image] = {}
        self._corpses: list[_Life] = []
        self._rng = {node: Random(f"{spec.seed}:node:{node}") for node in self.nodes}

    def now_ns(self) -> int:
        """Virtual time."""
        return self.loop.now_ns

    def running(self, node: str) -> bool:
        """Whether the node lives."""
        return node in self.lives

    async def start(self, node: str) -> None:
        """Begin a new life of a node, on what its last one left on the disk."""
        if node in self.lives:
            raise PowerError(f"{node} is running")
        rng = self._rng[node]
        await asyncio.sleep(rng.randint(START_NS_MIN, START_NS_MAX) / 1e9)
        life = self.lives[node] = _Life(self, node, rng, self._images.get(node))
        self.links.attach(node, lambda source, message: life.guard(lambda: life.host.peer_said(source, message)))
        life.guard(life.host.start)
        if not life.alive:
            raise PowerError(f"{node} ended while it was starting")
        self._changed(node, "started", {})

    async def kill(self, node: str) -> None:
        """End a node at once."""
        life = self._living(node)
        self._bury(life)
        life.disk.crash()
        self._changed(node, "killed", {})

    async def stop(self, node: str) -> None:
        """Ask a node to drain, and wait until it has left."""
        life = self._living(node)
        life.guard(life.host.drain)
        await life.gone.wait()
        if not life.alive:
            raise PowerError(f"{node} was asked to leave and ended before it had left")
        self._bury(life)
        self._changed(node, "stopped", {})

    async def wipe(self, node: str) -> None:
        """Empty the disk of a node that is down."""
        if node in self.lives:
            raise PowerError(f"{node} is running; only the disk of a node that is down can be emptied")
        self._images.pop(node, None)
        self._changed(node, "wiped", {})

    def crashed(self, life: _Life, error: str) -> None:
        """A node ended by its own fault."""
        self._bury(life)
        life.disk.crash()
        self._changed(life.node, "exited", {"error": error})

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
            return SimChannel(self, node, Random(f"{self._spec.seed}:client:{client}>{node}"))

        return dial

    def _living(self, node: str) -> _Life:
        if node not in self.lives:
            raise PowerError(f"{node} is not running")
        return self.lives[node]

    def _bury(self, life: _Life) -> None:
        del self.lives[life.node]
        self.links.detach(life.node)
        self._images[life.node] = life.disk.image
        self._corpses.append(life)
        life.fence()


def probe() -> str | None:
    """A simulation can be had anywhere."""
    return None


@asynccontextmanager
async def open(spec: RunSpec, directory: Path, changed: Changed) -> AsyncIterator[SimCluster]:  # noqa: ARG001 - no files here
    """Start the nodes of a run on the running virtual loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop), "the simulated world runs on a SimLoop"
    cluster = SimCluster(spec, loop, changed)
    await asyncio.gather(*(cluster.start(node) for node in cluster.nodes))
    yield cluster


def run(main: Coroutine[Any, Any, T], loop: SimLoop) -> T:
    """Run the story of a run on virtual time."""
    return run_virtual(main, loop)
