"""Drive clients: take each one's operations in turn, wait as its pace says, invoke, record.

Here is the closed loop: a client has one operation under way and thinks between two. The open loop, in which
operations come due by the clock, is `harness.open_loop`; both prepare and invoke alike. This file knows operations
and time. It does not know what system answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from checkers.history import NOT_SENT, Completed, Invoked, Outcome, Version
from harness.contracts import Reply, Session, Step, ValueOf
from harness.recorder import Recorder
from harness.script import Timed

READS_KEPT = 64
"""How many of its last reads a client remembers what they returned; a step that edits an older one edits nothing
known, as if that read had failed.
"""


def as_drawn(step: Step, _read: tuple[Version, ...] | None) -> str | None:
    """The value of a step that depends on no read."""
    return step.value


class Ready(NamedTuple):
    """A step whose value is known, with the context that it carries, or None for a blind one."""

    step: Step
    context: bytes | None


class Client:
    """One client: its session, its operations, the contexts that they yielded and what its last reads returned."""

    def __init__(
        self, session: Session, steps: Iterator[Step], recorder: Recorder, value_of: ValueOf = as_drawn
    ) -> None:
        self._session = session
        self._steps = steps
        self._recorder = recorder
        self._value_of = value_of
        self._contexts: dict[str, bytes] = {}
        self._reads: dict[str, tuple[Version, ...] | None] = {}

    async def run(self, until_ns: int, pace: Random, think_s: float) -> None:
        """Invoke operations until that time of the run, thinking `think_s` on average between two."""
        while self._recorder.now_ns() < until_ns:
            await self.take()
            await asyncio.sleep(pace.expovariate(1 / think_s) if think_s else 0)

    async def play(self, script: Sequence[Timed], began_ns: int) -> None:
        """Invoke these operations, each at its time or after the one before."""
        for at_ns, step in ((timed.at_ns, timed.step) for timed in script):
            delay_ns = began_ns + at_ns - self._recorder.now_ns()
            if delay_ns > 0:
                await asyncio.sleep(delay_ns / 1e9)
            self._recorder.drew(step)
            ready = self.prepare(step)
            if ready is not None:
                await self.invoke(ready)

    async def take(self) -> None:
        """Invoke the next operation that has something to do, and record what became of it."""
        ready = None
        while ready is None:  # a workload draws a read before each write that may have nothing to do
            ready = self.prepare(self.draw())
        await self.invoke(ready)

    def draw(self) -> Step:
        """The next step."""
        step = next(self._steps)
        self._recorder.drew(step)
        return step

    def prepare(self, step: Step) -> Ready | None:
        """Put in what earlier operations yielded; None when there is nothing to do."""
        context = self._contexts.get(step.context_of) if step.context_of else None
        if step.edit is None:
            return Ready(step, context)
        read = self._reads.get(step.context_of) if step.context_of else None
        value = self._value_of(step, read)
        if value is None:
            return None
        # Without what the read returned its context must not be used: it would cover what is not in the value.
        return Ready(replace(step, value=value), context if read is not None else None)

    async def invoke(self, ready: Ready, due: int | None = None) -> None:
        """Invoke an operation, and record what became of it."""
        step, context = ready
        self._record_invoked(step, due, carried=context is not None)
        if step.f == "get":
            self._remember(step.op)
        reply = await self._session.invoke(step, context or b"")
        if reply.context is not None:
            self._contexts[step.op] = reply.context
            if step.op in self._reads:
                self._reads[step.op] = reply.versions
        self._record_completed(step, reply)

    def refuse(self, step: Step, due: int, why: str) -> None:
        """Record an operation that came due and was not sent: it certainly had no effect."""
        self._record_invoked(step, due, carried=False)
        self._record_completed(step, Reply(Outcome.FAILED, error=f"{NOT_SENT}: {why}"))

    def _remember(self, op: str) -> None:
        """Make room for what a read will return; the oldest read is forgotten, also when its answer is still due."""
        self._reads[op] = None
        if len(self._reads) > READS_KEPT:
            del self._reads[next(iter(self._reads))]

    def _record_invoked(self, step: Step, due: int | None, *, carried: bool) -> None:
        self._recorder.write(
            Invoked(
                at=self._recorder.now_ns(),
                op=step.op,
                client=step.client,
                node=step.node,
                f=step.f,
                key=step.key,
                value=step.value,
                context_of=step.context_of if carried else None,
                due=due,
            )
        )

    def _record_completed(self, step: Step, reply: Reply) -> None:
        self._recorder.write(
            Completed(
                at=self._recorder.now_ns(),
                op=step.op,
                outcome=reply.outcome,
                error=reply.error,
                versions=reply.versions,
                dot=reply.dot,
                coordinator=reply.coordinator,
                acks=reply.acks,
                ring=reply.ring,
            )
        )
