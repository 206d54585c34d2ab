"""Nodes as processes, for tests: start one, read its log, ask it, end it. None of them outlives its test."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from node.client.client import Client, DebugClient
from node.client.tcp import TcpChannel, dial
from node.runtime.tcp import bound
from tests.node.runtime.loops import LOCAL

ROOT = Path(__file__).parents[3]


def free_port() -> list[Any]:
    """A host and a port that nobody listens on just now."""
    with bound((LOCAL, 0)) as sock:
        return [LOCAL, sock.getsockname()[1]]


def alone(directory: Path, **settings: Any) -> dict[str, Any]:
    """Settings of the only node of a cluster."""
    return {
        "node": "n1",
        "cluster": {"members": ["n1"], "secret": "s", "n": 1, "r": 1, "w": 1},
        "listen": [LOCAL, 0],
        "addresses": {},
        "data": str(directory / "data"),
        "debug": [LOCAL, 0],
        **settings,
    }


class NodeProcess:
    """A node as a process: its log as it comes, and clients of it once it listens."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.log: list[dict[str, Any]] = []
        self.client = Client(self._dial, [name], "c", timeout_ms=5000)
        self.debug = DebugClient(self._dial_debug, timeout_ms=5000)
        self._process = process
        self._name = name

    async def event(self, name: str) -> dict[str, Any]:
        """The next record of that event."""
        while True:
            line = await self._line()
            assert line is not None, f"no {name}: {self.log} {await self.errors()}"
            if line.get("event") == name:
                return line

    async def incarnation(self) -> str:
        """The incarnation, of a node that listens."""
        return (await self.debug.status(self._name)).incarnation

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def exit(self) -> int:
        """The exit code, when the process has ended and all of its log has been read."""
        while await self._line() is not None:
            pass
        return await self._process.wait()

    async def errors(self) -> str:
        """What it wrote to standard error, when the process has ended."""
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()

    async def _line(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            return None
        self.log.append(json.loads(line))
        return self.log[-1]

    async def _dial(self, node: str) -> TcpChannel:
        return await dial(self._address("listen"), node, "c")

    async def _dial_debug(self, node: str) -> TcpChannel:
        return await dial(self._address("debug"), node, "c", "debug")

    def _address(self, which: str) -> tuple[str, int]:
        return next(tuple(line[which]) for line in self.log if line.get("event") == "listening")


@asynccontextmanager
async def started(settings: dict[str, Any], *, prefix: Sequence[str] = ()) -> AsyncIterator[NodeProcess]:
    """A node's process, killed at the end if it has not ended; `prefix` is a command to start it with."""
    file = Path(settings["data"]).parent / f"{settings['node']}.json"
    file.write_text(json.dumps(settings))
    async with ran([*prefix, sys.executable, "-m", "node", "--config", str(file)], settings["node"]) as process:
        yield process


@asynccontextmanager
async def ran(command: Sequence[str], name: str = "n1") -> AsyncIterator[NodeProcess]:
    """A process that is a node, by any command."""
    pipe = asyncio.subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, env=environment
    )
    node = NodeProcess(process, name)
    try:
        yield node
    finally:
        await node.client.close()
        await node.debug.close()
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(5):
            await process.communicate()


@asynccontextmanager
async def listening(settings: dict[str, Any]) -> AsyncIterator[NodeProcess]:
    """A node's process that accepts requests."""
    async with started(settings) as node:
        await node.event("listening")
        yield node
