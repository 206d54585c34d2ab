"""The containers world: every node a container with an address of its own, every partition a real one.

A node is two containers: a holder of the network's namespace, the disk and the rules, which lives as long as the run,
and the node, which the faults end and start again. Whatever happens, everything that a run has made is removed at its
end, and what a killed harness left is removed by the next run.

This file knows a run from its first container to its last. How Docker is asked, what a rule looks like, and how a node
lives and dies is in the files beside it. `docs/containers.md` says what it needs, and what to do when it does not work.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from harness import plugins
from harness.contracts import Changed, Inspector, Operator, Session, WorldError
from harness.operators import Ring
from harness.spec import RunSpec
from harness.story import together
from harness.worlds.containers_engine import Engine, Made
from harness.worlds.containers_logs import json_lines
from harness.worlds.containers_nodes import Nodes
from harness.worlds.containers_owner import of_run, orphaned
from harness.worlds.containers_probe import no_rules, probe, prove
from harness.worlds.containers_recipe import DEBUG_PORT, PORT, recipe
from harness.worlds.containers_rules import BEGIN, RESTORE, Cuts
from harness.worlds.image import image_name
from nemesis.cures import each, to_the_end
from nemesis.powers import Membership, Network, PowerError, Powers, Processes
from node.client import tcp
from node.runtime.wire import Role

__all__ = ["open", "probe", "run"]

T = TypeVar("T")

POWERS = (Network, Processes, Membership)

FIRST_ADDRESS = 10
"""The lower ones are for the host's end of the network, and for what is put beside the nodes by hand."""

log = logging.getLogger(__name__)


class ContainerCluster:
    """The nodes of one run, each behind its address, and the powers over them."""

    def __init__(self, spec: RunSpec, engine: Engine, addresses: Mapping[str, str], changed: Changed) -> None:
        self.nodes = spec.all_ids
        self.addresses = dict(addresses)
        self._spec = spec
        self._system = plugins.system(spec.system)
        self._engine = engine
        self._made: dict[str, Made] = {}
        self._lives = Nodes(self.nodes, self._made, engine, self._answers, changed)
        dialler = self._dialler("operator", PORT, "client")
        self.operator: Operator = self._system.operator(spec, dialler, lambda node: f"{self.addresses[node]}:{PORT}")
        ring = Ring(self._lives, self.operator, spec.node_ids, spec.spare_ids)
        cuts = Cuts(self.addresses, self._execute)
        self.powers: Powers = {Network: cuts, Processes: self._lives, Membership: ring}
        self._began = time.monotonic_ns()

    def now_ns(self) -> int:
        """Real time."""
        return time.monotonic_ns() - self._began

    def running(self, node: str) -> bool:
        """Whether the node's process is there."""
        return self._lives.running(node)

    async def start(self, node: str) -> None:
        """Start a node that is down, and wait until it answers."""
        await self._lives.start(node)

    async def session(self, client: str) -> Session:
        """Open a client session; clients stand outside of all partitions."""
        session: Session = self._system.session(self._spec, self._dialler(client, PORT, "client"), client)
        return session

    async def inspector(self) -> Inspector:
        """Open the view from outside, through the debug ports."""
        inspector: Inspector = self._system.inspector(self._spec, self._dialler("inspector", DEBUG_PORT, "debug"))
        return inspector

    async def begin(self) -> None:
        """Make all containers, start the nodes to begin with, and prove meanwhile that partitions will be real."""
        config = self._system.cluster_config(self._spec)

        async def make(node: str) -> None:
            parts = recipe(node, self.addresses, config, self._spec)
            self._made[node] = await self._engine.do(self._engine.make, parts)

        async def prepare(node: str) -> None:
            await self._execute(node, RESTORE, BEGIN)

        await each(self.nodes, make)
        try:
            await each(self.nodes, prepare)
        except PowerError as error:
            raise no_rules(error) from error
        await together([prove(self.addresses, self._execute), *(self.start(node) for node in self._spec.node_ids)])

    async def _answers(self, node: str) -> bool:
        inspector = await self.inspector()
        try:
            return await inspector.work(node) is not None
        finally:
            await inspector.close()

    async def _execute(self, node: str, script: str, *args: str) -> str:
        return await self._engine.do(self._engine.execute, self._made[node].holder, script, *args)

    def _dialler(self, name: str, port: int, role: Role) -> Callable[[str], Awaitable[tcp.TcpChannel]]:
        async def dial(node: str) -> tcp.TcpChannel:
            return await tcp.dial((self.addresses[node], port), node, name, role)

        return dial


@asynccontextmanager
async def open(spec: RunSpec, directory: Path, changed: Changed) -> AsyncIterator[ContainerCluster]:
    """Start the nodes of a run; raises `WorldError` when that cannot be done here."""
    reason = await asyncio.to_thread(probe)
    if reason is not None:
        raise WorldError(reason)
    name = f"{os.getpid()}-{secrets.token_hex(3)}"
    engine = await to_the_end(asyncio.to_thread(Engine, name, image_name(), len(spec.all_ids)))
    try:
        try:
            cluster = await _begun(spec, engine, changed)
        except PowerError as error:
            raise WorldError(f"the cluster did not start: {error}") from error
        try:
            yield cluster
        finally:
            await cluster.operator.close()
    finally:
        await to_the_end(_leave(engine, directory / "logs"))


async def _begun(spec: RunSpec, engine: Engine, changed: Changed) -> ContainerCluster:
    try:
        await engine.do(engine.remove, orphaned)
    except PowerError as error:
        log.warning("what a killed harness left could not be removed; %s", error)
    prefix = await engine.do(engine.network)
    addresses = {node: f"{prefix}.{FIRST_ADDRESS + place}" for place, node in enumerate(spec.all_ids)}
    cluster = ContainerCluster(spec, engine, addresses, changed)
    await cluster.begin()
    return cluster


async def _leave(engine: Engine, logs: Path) -> None:
    """Save the logs, and remove everything of the run, however far it came."""
    engine.leave()
    mine = of_run(engine.run)
    try:
        _save(logs, await engine.do(engine.logs, mine))
    except PowerError as error:
        log.warning("the nodes' logs could not be saved: %s", error)
    try:
        await engine.do(engine.remove, mine)
    except PowerError as error:
        raise WorldError(f"run {engine.run}: {error}; its label is keelhaul.run={engine.run}") from error
    finally:
        await asyncio.to_thread(engine.close)


def _save(logs: Path, printed: Mapping[str, bytes]) -> None:
    logs.mkdir(parents=True, exist_ok=True)
    for node, text in printed.items():
        lines = "".join(f"{line}\n" for line in json_lines(node, text))
        (logs / f"{node}.log").write_text(lines, encoding="utf-8")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run the story of a run on real time."""
    return asyncio.run(main)
