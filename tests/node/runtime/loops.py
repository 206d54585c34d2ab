"""What tests of sockets share: a loop that forgives nothing, waiting with a bound, and nodes in one loop.

Nothing here sleeps to let something happen; `until` looks again until it has happened, or fails.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any, TypeVar

from node.client.client import Client, DebugClient
from node.client.tcp import TcpChannel, dial
from node.core.config import ClusterConfig
from node.core.node import Node
from node.runtime.clock import LoopClock
from node.runtime.host import Host
from node.runtime.memory import MemoryStore
from node.runtime.process import new_event_loop
from node.runtime.tcp import TcpTransport, bound

T = TypeVar("T")
LOCAL = "127.0.0.1"


def run(main: Callable[[], Coroutine[Any, Any, T]], *, timeout_s: float = 20.0) -> T:
    """Run on the loop that nodes run on; whatever is raised in a callback fails the test."""
    raised: list[dict[str, Any]] = []

    async def bounded() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
        async with asyncio.timeout(timeout_s):
            return await main()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        result = runner.run(bounded())
    assert not raised, raised
    return result


async def until(true: Callable[[], object], *, timeout_s: float = 5.0) -> None:
    """Look again until it is true."""
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.002)


async def eventually(true: Callable[[], Awaitable[object]], *, timeout_s: float = 5.0) -> None:
    """Ask again until it is true."""
    async with asyncio.timeout(timeout_s):
        while not await true():
            await asyncio.sleep(0.005)


@contextmanager
def deaf() -> Iterator[tuple[str, int]]:
    """An address that neither takes nor refuses connections: its queue is full, so the kernel ignores whoever dials."""
    with ExitStack() as stack:
        sock = stack.enter_context(bound((LOCAL, 0)))
        sock.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(sock.getsockname())
        yield LOCAL, sock.getsockname()[1]


class InLoopNode:
    """A node on real sockets in the running loop, with its debug port on."""

    def __init__(self, node: str, config: ClusterConfig, addresses: dict[str, tuple[str, int]]) -> None:
        self._id = node
        self._config = config
        self._addresses = addresses
        self._image = MemoryStore().image
        self.debug_address = (LOCAL, 0)
        self.transport: TcpTransport

    async def rise(self) -> None:
        """Begin a life on what was committed in the last one, and listen."""
        engine = MemoryStore(self._image)
        node = Node(self._id, self._config, engine, Random(self._id), durable=engine.durable)
        self.transport = TcpTransport(self._id, self._config.cluster, self._addresses)
        host = Host(node, engine, self.transport, LoopClock(asyncio.get_running_loop()), lambda: None)
        self.transport.attach(host)
        host.start()
        self.transport.life = node.membership.life
        await self.transport.listen(bound(self._addresses[self._id]))
        self.debug_address = await self.transport.listen(bound(self.debug_address), debug=True)


class InLoopCluster:
    """Some nodes in one loop, and clients of theirs; to be used as a context."""

    def __init__(self, *names: str, **settings: Any) -> None:
        # Patient, because the machine may be busy with other things, and no test here is about time-outs.
        config = ClusterConfig(members=names, secret="s", **{"peer_timeout_ms": 2000, **settings}).checked()
        with ExitStack() as stack:
            ports = {name: stack.enter_context(bound((LOCAL, 0))) for name in names}
            self.addresses = {name: (LOCAL, int(sock.getsockname()[1])) for name, sock in ports.items()}
        self.nodes = {name: InLoopNode(name, config, self.addresses) for name in names}
        self.client = Client(self._dial, names, "c", timeout_ms=8000)
        self.debug = DebugClient(self._dial_debug, timeout_ms=8000)

    async def __aenter__(self) -> InLoopCluster:
        """Start all nodes."""
        for node in self.nodes.values():
            await node.rise()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of all sockets."""
        await self.client.close()
        await self.debug.close()
        for node in self.nodes.values():
            await node.transport.close()

    async def _dial(self, node: str) -> TcpChannel:
        return await dial(self.addresses[node], node, "c")

    async def _dial_debug(self, node: str) -> TcpChannel:
        return await dial(self.nodes[node].debug_address, node, "c", "debug")
