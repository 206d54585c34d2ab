"""The open loop: operations begin when they are due, whether or not earlier ones have ended.

A client that waits for an answer before it asks again asks a slow store less, and the slow answers are those that are
never asked for (coordinated omission). Here each client's due times are drawn beforehand, and latency counts from
them.

- An operation that names the context of one still under way waits for that one's end; its latency counts the wait.
- At most `IN_FLIGHT_MAX` operations of all clients are under way, those that wait included. One that comes due beyond
  is recorded as failed, "not sent": it certainly had no effect, and it is not kept quiet either.
- When the time is over, what is under way gets `patience_s` to be sent, and as long again to be answered. What still
  waits for a context then is recorded as not sent, what has no answer stays without one: nobody knows.
- A write that turns out to have nothing to do uses its due time up, and is not recorded.

This file knows due times. It does not know what is asked, nor what system answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from harness.clients import Client
from harness.contracts import Step
from harness.recorder import Recorder

IN_FLIGHT_MAX = 1000


@dataclass
class InFlight:
    """How many operations of all clients are under way, and how many may be."""

    limit: int = IN_FLIGHT_MAX
    number: int = 0


@dataclass
class _UnderWay:
    """An operation that has come due, and what those who name it wait for."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


def due_times(rng: Random, begin_ns: int, per_s: float) -> Iterator[int]:
    """Draw times at which operations are due, without end: a Poisson process, as of many clients unknown to each
    other.
    """
    at = float(begin_ns)
    while True:
        at += rng.expovariate(per_s) * 1e9
        yield round(at)


class OpenLoop:
    """One client's open loop; `in_flight` is shared by all clients of the run."""

    def __init__(self, client: Client, recorder: Recorder, in_flight: InFlight) -> None:
        self._client = client
        self._recorder = recorder
        self._in_flight = in_flight
        self._under_way: dict[str, _UnderWay] = {}
        self._defects: list[Exception] = []
        self._send_until_ns = 0

    async def run(self, dues: Iterable[int], until_ns: int, patience_s: float) -> None:
        """Begin an operation at each time that it is due, before that time of the run, and wait for the last."""
        self._send_until_ns = until_ns + int(patience_s * 1e9)
        try:
            for due in dues:
                if due >= until_ns:
                    break
                await asyncio.sleep(self._seconds_until(due))
                self._raise_defects()
                self._begin(self._client.draw(), due)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds_until(self._send_until_ns) + patience_s):
                    while self._under_way:
                        await next(iter(self._under_way.values())).ended.wait()
        finally:
            tasks = [each.task for each in self._under_way.values() if each.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._raise_defects()

    def _begin(self, step: Step, due: int) -> None:
        """Begin an operation, or say that there is no room for it."""
        if self._in_flight.number >= self._in_flight.limit:
            self._client.refuse(step, due, f"{self._in_flight.limit} operations are under way")
            return
        self._in_flight.number += 1
        this = self._under_way[step.op] = _UnderWay()
        this.task = asyncio.get_running_loop().create_task(self._attend(step, due, this))

    async def _attend(self, step: Step, due: int, this: _UnderWay) -> None:
        """See an operation to its end. A defect is kept for the loop to raise: nobody awaits this task by itself."""
        try:
            await self._carry_out(step, due)
        except Exception as error:
            self._defects.append(error)
        finally:
            self._in_flight.number -= 1
            del self._under_way[step.op]
            this.ended.set()

    async def _carry_out(self, step: Step, due: int) -> None:
        named = self._under_way.get(step.context_of) if step.context_of else None
        if named is not None:
            try:
                async with asyncio.timeout(self._seconds_until(self._send_until_ns)):
                    await named.ended.wait()
            except TimeoutError:
                self._client.refuse(step, due, f"{step.context_of} had not ended when the time was over")
                return
        ready = self._client.prepare(step)
        if ready is not None:
            await self._client.invoke(ready, due)

    def _raise_defects(self) -> None:
        if self._defects:
            raise self._defects[0]

    def _seconds_until(self, at_ns: int) -> float:
        return max(0, at_ns - self._recorder.now_ns()) / 1e9
