"""The workload as asyncio code, for the kernels that are asyncio loops: one task a client, a future for each quorum.

It is written in two ways. As `tasks` each message and its answer are one task that sleeps while they travel, which is
how asyncio code is written. As `callbacks` they are bare callbacks of the loop, the fastest way that asyncio has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from benchmarks.kernels.workload import CLIENTS, EACH, TIMEOUT_NS, Delays, W, targets


class Nodes:
    """What the nodes hold, and the messages between them."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._loop = asyncio.get_running_loop()
        self._travelling: dict[asyncio.Task[None], None] = {}
        self.held: dict[tuple[int, str], int] = {}

    async def write(self, client: int, operation: int, *, as_tasks: bool) -> bool:
        """One operation; returns whether it found its quorum in time."""
        acks: set[int] = set()
        reached: asyncio.Future[None] = self._loop.create_future()

        def arrived(node: int) -> None:
            self.held[node, f"k{client}"] = operation

        def acked(node: int) -> None:
            acks.add(node)
            if len(acks) >= W and not reached.done():
                reached.set_result(None)

        send = self._send_as_task if as_tasks else self._send_as_callbacks
        for node in targets(client, operation):
            send(node, arrived, acked)
        try:
            async with asyncio.timeout(TIMEOUT_NS / 1e9):
                await reached
        except TimeoutError:
            return False
        return True

    async def end(self) -> None:
        """Wait for the messages whose quorum was there before them."""
        await asyncio.gather(*self._travelling)

    def _send_as_task(self, node: int, arrived: Callable[[int], None], acked: Callable[[int], None]) -> None:
        async def travel() -> None:
            await asyncio.sleep(self._delays.draw() / 1e9)
            arrived(node)
            await asyncio.sleep(self._delays.draw() / 1e9)
            acked(node)

        task = asyncio.create_task(travel())
        self._travelling[task] = None
        task.add_done_callback(self._travelling.pop)

    def _send_as_callbacks(self, node: int, arrived: Callable[[int], None], acked: Callable[[int], None]) -> None:
        def arrive() -> None:
            arrived(node)
            self._loop.call_later(self._delays.draw() / 1e9, acked, node)

        self._loop.call_later(self._delays.draw() / 1e9, arrive)


async def main(seed: int, *, as_tasks: bool) -> int:
    """All clients at once; returns how many operations found their quorum."""
    nodes = Nodes(Delays(seed))

    async def client(number: int) -> int:
        return sum([await nodes.write(number, operation, as_tasks=as_tasks) for operation in range(EACH)])

    reached = sum(await asyncio.gather(*(client(number) for number in range(CLIENTS))))
    await nodes.end()
    return reached
