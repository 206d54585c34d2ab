"""The lives of nodes in containers: started, killed, stopped, wiped, and seen to end by themselves.

Each life has a thread that waits for its end, so that an end is noticed when it comes and nobody has to ask. Whether
it was wanted is decided by the exit code as well as by the wish: a node that exits just before it is killed has not
been killed. This file knows lives and their codes; it does not know what a node says, nor how Docker is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.contracts import Changed
from harness.worlds.containers_engine import Engine, Made
from nemesis.cures import to_the_end
from nemesis.powers import PowerError

START_S = 30.0
"""How long a node may take from its start to its first answer."""
STOP_S = 20.0
"""How long a node may take to drain and leave."""
END_S = 10.0
"""How long after a SIGKILL a container may seem to live."""
POLL_S = 0.03
KILLED = 137
"""The exit code of a process that a SIGKILL ended."""


class _StillThereError(PowerError):
    """A signal has not ended a process."""


@dataclass(eq=False)
class _Life:
    """One life of a node. `wanted` means that somebody is ending it and will say so."""

    ended: asyncio.Future[tuple[int, str]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    wanted: bool = False


class Nodes:
    """The power over the nodes' processes; `made` may be filled after this, but before a node is started."""

    def __init__(
        self,
        nodes: Sequence[str],
        made: Mapping[str, Made],
        engine: Engine,
        answers: Callable[[str], Awaitable[bool]],
        changed: Changed,
    ) -> None:
        self.nodes = tuple(nodes)
        self._engine = engine
        self._made = made
        self._answers = answers
        self._changed = changed
        self._lives: dict[str, _Life] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    def running(self, node: str) -> bool:
        """Whether the node's process is there."""
        return node in self._lives

    async def start(self, node: str) -> None:
        """Start a node that is down, and wait until it answers."""
        async with self._turn(node):
            if node in self._lives:
                raise PowerError(f"{node} is running")
            life = await to_the_end(self._begin(node))
            await self._until_it_answers(node, life)
            self._changed(node, "started", {})

    async def kill(self, node: str) -> None:
        """End a node at once."""
        async with self._turn(node):
            code, words = await self._end(node, "SIGKILL", END_S)
            if code != KILLED:
                self._exited(node, code, words)
                raise PowerError(f"{node} exited by itself, with {code}, before it could be killed")
            self._changed(node, "killed", {})

    async def stop(self, node: str) -> None:
        """Ask a node to drain, and wait until it has left; one that does not is killed, and that is an error."""
        async with self._turn(node):
            try:
                code, words = await self._end(node, "SIGTERM", STOP_S)
            except _StillThereError as error:
                await self._end(node, "SIGKILL", END_S)
                self._changed(node, "killed", {})
                raise PowerError(f"{error}; it was killed") from error
            if code != 0:
                self._exited(node, code, words)
                raise PowerError(f"{node} did not leave in good order: it exited with {code}: {words}")
            self._changed(node, "stopped", {})

    async def wipe(self, node: str) -> None:
        """Empty the disk of a node that is down."""
        async with self._turn(node):
            if node in self._lives:
                raise PowerError(f"{node} is running; only the disk of a node that is down can be emptied")
            await self._engine.do(self._engine.wipe, self._made[node].holder)
            self._changed(node, "wiped", {})

    def _turn(self, node: str) -> asyncio.Lock:
        return self._turns.setdefault(node, asyncio.Lock())

    async def _begin(self, node: str) -> _Life:
        container = self._made[node].node
        await self._engine.do(self._engine.start, container)
        life = self._lives[node] = _Life()

        def gone(code: int, words: str) -> None:
            del self._lives[node]
            life.ended.set_result((code, words))
            if not life.wanted:
                self._exited(node, code, words)

        self._engine.watch(container, gone)
        return life

    def _exited(self, node: str, code: int, words: str) -> None:
        self._changed(node, "exited", {"code": code, "error": words})

    async def _until_it_answers(self, node: str, life: _Life) -> None:
        try:
            async with asyncio.timeout(START_S):
                while not await self._answers(node):
                    if life.ended.done():
                        code, words = life.ended.result()
                        raise PowerError(f"{node} exited with {code} before it answered: {words}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise PowerError(f"{node} did not answer within {START_S:g} s of its start") from error

    async def _end(self, node: str, signal: str, within_s: float) -> tuple[int, str]:
        """Send the signal and wait for the end; the caller says what became of it."""
        life = self._lives.get(node)
        if life is None:
            raise PowerError(f"{node} is not running")
        life.wanted = True
        try:
            await self._engine.do(self._engine.signal, self._made[node].node, signal)
            async with asyncio.timeout(within_s):
                return await asyncio.shield(life.ended)
        except TimeoutError as error:
            raise _StillThereError(f"{node} was still there {within_s:g} s after {signal}") from error
        finally:
            life.wanted = False
