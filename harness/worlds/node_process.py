"""One node as a process of this machine: start it, end it, notice when it ends by itself.

Processes are spawned from the main thread, because they are killed when the thread that made them ends: whatever
becomes of the harness, no node outlives it. This file knows processes and signals, not what a node does.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from logging.handlers import QueueHandler
from multiprocessing.process import BaseProcess
from typing import Any

import msgspec

from harness.worlds.node_logs import NodeLog, NodeLogs
from harness.worlds.spawning import spawn
from nemesis.powers import PowerError
from node.runtime.settings import Settings

STOP_S = 10.0


def _serve(settings: bytes, variant: str | None, queue: Any) -> None:
    """The target of the process: the same `serve` as the command's, with a log that goes to the harness."""
    from harness.systems.dynamo import node_type  # noqa: PLC0415 - in the child only
    from node.runtime.main import serve  # noqa: PLC0415

    # An interrupt at the terminal goes to all processes, but how a node ends is for the harness to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    decoded = msgspec.json.decode(settings, type=Settings).checked()
    code = serve(decoded, node_type=node_type(variant), log_handler=QueueHandler(queue), parent_death=True)
    raise SystemExit(code)


class NodeProcess:
    """The process of one life of a node. `ended` is called with the exit code when it ends unasked."""

    def __init__(
        self, settings: Settings, variant: str | None, logs: NodeLogs, ended: Callable[[int | None], None]
    ) -> None:
        self._node = settings.node
        self._log: NodeLog = logs.life(settings.node)
        self._ended = ended
        self._asked = False
        self._gone = asyncio.Event()
        context = multiprocessing.get_context("spawn")
        arguments = (msgspec.json.encode(settings), variant, self._log.queue)
        self._process: BaseProcess = context.Process(target=_serve, args=arguments, name=settings.node, daemon=True)
        self._loop = asyncio.get_running_loop()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process.pid is not None and not self._gone.is_set()

    def start(self) -> None:
        """Start the process; to be called in the main thread."""
        try:
            spawn(self._process)
        except BaseException:
            self._log.close(killed=True)
            raise
        self._loop.add_reader(self._process.sentinel, self._reap)

    async def kill(self) -> int | None:
        """End it at once, and return its exit code when it is gone."""
        return await self._end(signal.SIGKILL)

    async def stop(self) -> int | None:
        """Ask it to leave, and return its exit code; raises `PowerError` when it does not leave in time."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int | None:
        if self._process.pid is None:
            return None
        self._asked = True
        if self.running:
            os.kill(self._process.pid, number)
        try:
            async with asyncio.timeout(STOP_S):
                await self._gone.wait()
        except TimeoutError as error:
            raise PowerError(f"{self._node} did not end within {STOP_S:g} s of {number.name}") from error
        return self._process.exitcode

    def _reap(self) -> None:
        self._loop.remove_reader(self._process.sentinel)
        self._process.join()
        self._gone.set()
        code = self._process.exitcode
        self._log.close(killed=code is None or code < 0)
        if not self._asked:
            self._ended(code)
