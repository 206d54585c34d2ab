"""The handle on a link proxy: start it, cut and heal through it, stop it.

For use on an event loop: it waits for answers without threads. This file knows the proxy's process and its commands,
not what the proxy does with frames.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from harness.worlds.proxy import Address, ProxySpec, serve
from harness.worlds.spawning import spawn
from nemesis.cures import to_the_end
from nemesis.powers import PowerError, Traffic

START_S = 15.0
STOP_S = 3.0


class LinkProxy:
    """A running proxy; made by `LinkProxy.start`. Commands return when they are in force; all raise `PowerError`."""

    def __init__(self, node: str, process: SpawnProcess, control: Connection) -> None:
        self.node = node
        self.address: Address
        self._process = process
        self._control = control
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._dead = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control.fileno(), self._read)

    @classmethod
    async def start(cls, spec: ProxySpec) -> LinkProxy:
        """Start the proxy in a process of its own, and wait until it listens.

        To be called in the main thread: the proxy is killed when the thread that made it ends.
        """
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(spec, theirs), name=f"links of {spec.node}", daemon=True)
        spawn(process)
        theirs.close()
        proxy = cls(spec.node, process, ours)
        try:
            address = await proxy._answer(START_S)
            if isinstance(address, str):
                raise PowerError(f"the link proxy of {spec.node} cannot start: {address}")
        except BaseException:
            await to_the_end(proxy.stop())
            raise
        proxy.address = (address[0], address[1])
        return proxy

    async def block(self, destinations: Sequence[str]) -> None:
        """Drop every frame to these nodes from now on; those blocked already stay so."""
        await self._command("block", list(destinations))

    async def heal(self, destinations: Sequence[str]) -> dict[str, Traffic]:
        """Let frames to these nodes pass; returns what each of the cuts did."""
        healed: dict[str, Traffic] = await self._command("heal", list(destinations))
        return healed

    async def counters(self) -> dict[str, Traffic]:
        """What the cuts in force did so far, by destination."""
        counters: dict[str, Traffic] = await self._command("counters", None)
        return counters

    async def route(self, node: str, address: Address) -> None:
        """Say where a destination listens now."""
        await self._command("route", {node: address})

    async def stop(self) -> None:
        """End the proxy's process, by force if it does not end by itself; to be called once."""
        try:
            if not self._dead:
                await self._command("stop", None)
        except PowerError:
            pass
        finally:
            self._lose()
            await self._ended()
            self._control.close()
            self._process.close()

    async def _command(self, name: str, argument: object) -> Any:
        if self._dead:
            raise self._gone()
        try:
            self._control.send((name, argument))
        except OSError as error:
            self._lose()
            raise self._gone() from error
        return await self._answer(STOP_S)

    async def _answer(self, timeout_s: float) -> Any:
        answer = self._loop.create_future()
        self._waiting.append(answer)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            raise PowerError(f"the link proxy of {self.node} did not answer within {timeout_s:g} s") from error

    def _read(self) -> None:
        try:
            result = self._control.recv()
        except (EOFError, OSError):
            self._lose()
            return
        answer = self._waiting.popleft()
        if not answer.done():
            answer.set_result(result)

    def _lose(self) -> None:
        """The proxy is gone: nobody will be answered any more."""
        if not self._dead:
            self._dead = True
            self._loop.remove_reader(self._control.fileno())
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(self._gone())

    async def _ended(self) -> None:
        """Wait for the process to end, and end it if it takes too long."""
        ended = asyncio.Event()
        self._loop.add_reader(self._process.sentinel, ended.set)
        try:
            async with asyncio.timeout(STOP_S):
                await ended.wait()
        except TimeoutError:
            self._process.kill()
            self._process.join()
        finally:
            self._loop.remove_reader(self._process.sentinel)
        self._process.join()

    def _gone(self) -> PowerError:
        return PowerError(f"the link proxy of {self.node} is gone")
