"""The world of local processes: every node a process, every node's way out through a link proxy of its own.

It needs neither root nor Docker. What one node sends to another passes the sender's proxy, which drops it while the
link is cut; so cuts are exact, one way or both, and a node that is killed and started again comes back into the same
cut. Clients and the view from outside reach the nodes directly.

This file knows addresses, processes and proxies. It does not know what passes between them.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from harness import plugins
from harness.contracts import Changed, Inspector, Operator, Session
from harness.operators import Ring
from harness.spec import RunSpec
from harness.worlds.link_proxy import LinkProxy
from harness.worlds.node_logs import NodeLogs
from harness.worlds.node_process import NodeProcess
from harness.worlds.proxy import Address, ProxySpec
from nemesis.cures import to_the_end
from nemesis.powers import Cut, Link, Membership, Network, PowerError, Powers, Processes, Traffic
from node.client.client import Channel
from node.client.tcp import dial
from node.runtime.settings import Settings

T = TypeVar("T")

POWERS = (Network, Processes, Membership)

HOST = "127.0.0.1"
START_S = 15.0
POLL_S = 0.02


class LinkNetwork:
    """The links between the nodes, as their proxies let them pass."""

    def __init__(self, proxies: dict[str, LinkProxy]) -> None:
        self.nodes = tuple(proxies)
        self._proxies = proxies
        self._cut: dict[Link, None] = {}

    @asynccontextmanager
    async def cut(self, links: Sequence[Link]) -> AsyncIterator[Cut]:
        """Drop what enters these links; in force when the context opens, healed when it closes."""
        twice = [f"{source}>{target}" for source, target in links if (source, target) in self._cut]
        if twice:
            raise PowerError(f"already cut: {', '.join(twice)}")
        targets: dict[str, list[str]] = {}
        for source, target in links:
            targets.setdefault(source, []).append(target)
        traffic: dict[Link, Traffic] = {link: Traffic() for link in links}
        self._cut.update(dict.fromkeys(links))
        try:
            await asyncio.gather(*(self._proxies[source].block(cut) for source, cut in targets.items()))
            yield traffic
        finally:
            for link in links:
                del self._cut[link]
            healed = await asyncio.gather(*(self._proxies[source].heal(cut) for source, cut in targets.items()))
            for source, counts in zip(targets, healed, strict=True):
                for target, count in counts.items():
                    traffic[source, target].seen = count.seen
                    traffic[source, target].dropped = count.dropped


class ProcessCluster:
    """The nodes of one run, as processes, and the powers over them."""

    def __init__(self, spec: RunSpec, directory: Path, changed: Changed, ports: dict[str, tuple[int, int]]) -> None:
        self.nodes = spec.all_ids
        self.powers: Powers = {}
        self.operator: Operator | None = None
        self.proxies: dict[str, LinkProxy] = {}
        self.logs = NodeLogs(directory / "logs")
        self._spec = spec
        self._directory = directory
        self._changed = changed
        self._ports = ports
        self._system = plugins.system(spec.system)
        self._processes: dict[str, NodeProcess] = {}
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    async def open(self) -> None:
        """Start the proxies of all nodes, then the nodes that the cluster begins with."""
        routes: dict[str, Address] = {node: (HOST, port) for node, (port, _) in self._ports.items()}
        for node in self.nodes:
            self.proxies[node] = await LinkProxy.start(ProxySpec(node, routes))
        self.operator = self._system.operator(self._spec, self._dialler("operator", "client"), self._address)
        ring = Ring(self, self.operator, self._spec.node_ids, self._spec.spare_ids)
        self.powers = {Network: LinkNetwork(self.proxies), Processes: self, Membership: ring}
        await asyncio.gather(*(self.start(node) for node in self._spec.node_ids))

    async def close(self) -> None:
        """End the nodes, then the proxies; what has ended already is no error, and what fails stops nothing else."""
        if self.operator is not None:
            await self.operator.close()
        nodes, proxies = self._processes.values(), self.proxies.values()
        outcomes: list[object] = await asyncio.gather(*(node.kill() for node in nodes), return_exceptions=True)
        outcomes += await asyncio.gather(*(proxy.stop() for proxy in proxies), return_exceptions=True)
        self.logs.close()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def now_ns(self) -> int:
        """Nanoseconds since the cluster was opened."""
        return round((self._loop.time() - self._began) * 1e9)

    def running(self, node: str) -> bool:
        """Whether the node's process is there."""
        return node in self._processes and self._processes[node].running

    async def start(self, node: str) -> None:
        """Start a node and wait until it answers."""
        if self.running(node):
            raise PowerError(f"{node} is running")

        def ended(code: int | None) -> None:
            self._changed(node, "exited", {"code": code})

        process = NodeProcess(self._settings(node), self._spec.variant, self.logs, ended)
        self._processes[node] = process
        process.start()
        await self._answering(node, process)
        self._changed(node, "started", {})

    async def kill(self, node: str) -> None:
        """End a node with SIGKILL."""
        code = await self._living(node).kill()
        if code != -signal.SIGKILL:
            self._changed(node, "exited", {"code": code})
            raise PowerError(f"{node} exited by itself, with {code}, before it could be killed")
        self._changed(node, "killed", {})

    async def stop(self, node: str) -> None:
        """Ask a node to drain and leave; one that does not in time is killed, and that is an error."""
        process = self._living(node)
        try:
            code = await process.stop()
        except PowerError as error:
            await process.kill()
            self._changed(node, "killed", {})
            raise PowerError(f"{error}; it was killed") from error
        if code != 0:
            self._changed(node, "exited", {"code": code})
            raise PowerError(f"{node} was asked to leave and ended with exit code {code}")
        self._changed(node, "stopped", {"code": code})

    async def wipe(self, node: str) -> None:
        """Empty the data directory of a node that is not running."""
        if self.running(node):
            raise PowerError(f"{node} is running; only the disk of a node that is down can be emptied")
        shutil.rmtree(self._data(node), ignore_errors=True)
        self._changed(node, "wiped", {})

    async def session(self, client: str) -> Session:
        """Open a client session."""
        session: Session = self._system.session(self._spec, self._dialler(client, "client"), client)
        return session

    async def inspector(self) -> Inspector:
        """Open the view from outside."""
        inspector: Inspector = self._system.inspector(self._spec, self._dialler("inspector", "debug"))
        return inspector

    def _settings(self, node: str) -> Settings:
        listen, debug = self._ports[node]
        return Settings(
            node=node,
            cluster=self._system.cluster_config(self._spec),
            listen=(HOST, listen),
            debug=(HOST, debug),
            addresses={peer: (HOST, port) for peer, (port, _) in self._ports.items() if peer != node},
            egress=self.proxies[node].address,
            data=str(self._data(node)),
            engine=cast(Any, self._spec.engine),
            reuse_port=True,
            log_file=str(self.logs.directory / f"{node}.log"),
        )

    def _address(self, node: str) -> str:
        """Where a node is dialled, as an operator says it; what others send to it still passes their proxies."""
        return f"{HOST}:{self._ports[node][0]}"

    def _data(self, node: str) -> Path:
        return self._directory / "data" / node

    def _living(self, node: str) -> NodeProcess:
        if not self.running(node):
            raise PowerError(f"{node} is not running")
        return self._processes[node]

    def _dialler(self, name: str, role: Any) -> Callable[[str], Coroutine[Any, Any, Channel]]:
        async def dialled(node: str) -> Channel:
            listen, debug = self._ports[node]
            return await dial((HOST, debug if role == "debug" else listen), node, name, role)

        return dialled

    async def _answering(self, node: str, process: NodeProcess) -> None:
        """Poll the debug port until the node answers, or has ended, or the bound is reached."""
        inspector = await self.inspector()
        try:
            async with asyncio.timeout(START_S):
                while await inspector.work(node) is None:
                    if not process.running:
                        raise PowerError(f"{node} ended while it was starting; see {self.logs.directory}/{node}.log")
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise PowerError(f"{node} did not answer within {START_S:g} s of its start") from error
        finally:
            await inspector.close()


def probe() -> str | None:
    """Why nodes cannot be processes of this machine, or None."""
    if sys.platform != "linux":
        return f"local processes need Linux, this is {sys.platform}; use --world sim"
    return None


@asynccontextmanager
async def open(spec: RunSpec, directory: Path, changed: Changed) -> AsyncIterator[ProcessCluster]:
    """Start the nodes of a run on loopback ports that are reserved until it ends."""
    assert threading.current_thread() is threading.main_thread(), "nodes live as long as the thread that starts them"
    with ExitStack() as sockets:
        ports = {node: (_reserved(sockets), _reserved(sockets)) for node in spec.all_ids}
        cluster = ProcessCluster(spec, directory, changed, ports)
        try:
            await cluster.open()
            yield cluster
        finally:
            await to_the_end(cluster.close())


def _reserved(sockets: ExitStack) -> int:
    """Bind a free port without listening, so that nobody else takes it between two lives of a node."""
    reserved = sockets.enter_context(socket.socket())
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((HOST, 0))
    port: int = reserved.getsockname()[1]
    return port


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run the story of a run in real time."""
    return asyncio.run(main)
