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
from node.runtime.ports import Engine
from node.runtime.process import new_event_loop
from node.runtime.tcp import TcpTransport, bound

T = TypeVar("T")
LOCAL = "127.0.0.1"


def run(main: Callable[[], Coroutine[Any, Any, T]], *, timeout_s: float = 10.0) -> T:
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
        while not true():  # noqa: ASYNC110 - whoever makes it true does not say so
            await asyncio.sleep(0.002)


async def eventually(true: Callable[[], Awaitable[object]], *, timeout_s: float = 5.0) -> None:
    """Ask again until it is true."""
    async with asyncio.timeout(timeout_s):
        while not await true():  # noqa: ASYNC110 - whoever makes it true does not say so
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

    def __init__(
        self, node: str, config: ClusterConfig, sock: socket.socket, routes: dict[str, tuple[str, int]]
    ) -> None:
        self.engine: Engine = MemoryStore()
        self.node = Node(node, config, self.engine, Random(node))
        self.transport = TcpTransport(node, self.node.ring.digest, routes)
        self.host = Host(self.node, self.engine, self.transport, LoopClock(asyncio.get_running_loop()), lambda: None)
        self.address: tuple[str, int] = sock.getsockname()
        self.debug_address: tuple[str, int]
        self._sock = sock

    async def start(self) -> None:
        """Start the node, and listen."""
        self.transport.attach(self.host)
        self.host.start()
        incarnation = self.node.replica.incarnation
        await self.transport.listen(self._sock, incarnation)
        self.debug_address = await self.transport.listen(bound((LOCAL, 0)), incarnation, debug=True)


class InLoopCluster:
    """Some nodes in one loop, to be used as a context; `addresses` may lead through something in between."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.config = ClusterConfig(members=names, secret="s", **settings)
        ports = {name: bound((LOCAL, 0)) for name in names}
        self.addresses = {name: (LOCAL, sock.getsockname()[1]) for name, sock in ports.items()}
        self.nodes = {name: InLoopNode(name, self.config, sock, self.addresses) for name, sock in ports.items()}
        self.client = Client(self._dial, names, "c")
        self.debug = DebugClient(self._dial_debug)

    async def __aenter__(self) -> InLoopCluster:
        """Start all nodes."""
        for node in self.nodes.values():
            await node.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of all sockets."""
        await self.client.close()
        await self.debug.close()
        for node in self.nodes.values():
            await node.transport.close()

    async def _dial(self, node: str) -> TcpChannel:
        return await dial(self.nodes[node].address, node, "c")

    async def _dial_debug(self, node: str) -> TcpChannel:
        return await dial(self.nodes[node].debug_address, node, "c", "debug")
