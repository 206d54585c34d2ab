"""Drive clients: take each one's operations in turn, wait as its pace says, invoke, record.

A closed loop: a client has one operation under way and thinks between two. This file knows operations and time. It
does not know what system answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

from checkers.history import Completed, Invoked
from harness.contracts import Session, Step
from harness.recorder import Recorder


class Client:
    """One client: its session, its operations and the contexts that they yielded."""

    def __init__(self, session: Session, steps: Iterator[Step], recorder: Recorder) -> None:
        self._session = session
        self._steps = steps
        self._recorder = recorder
        self._contexts: dict[str, bytes] = {}

    async def run(self, until_ns: int, pace: Random, think_s: float) -> None:
        """Invoke operations until that time of the run, thinking `think_s` on average between two."""
        while self._recorder.now_ns() < until_ns:
            await self.take()
            await asyncio.sleep(pace.expovariate(1 / think_s) if think_s else 0)

    async def take(self) -> None:
        """Invoke the next operation, and record what became of it."""
        step = next(self._steps)
        context = self._contexts.get(step.context_of) if step.context_of else None
        self._recorder.write(
            Invoked(
                at=self._recorder.now_ns(),
                op=step.op,
                client=step.client,
                node=step.node,
                f=step.f,
                key=step.key,
                value=step.value,
                context_of=step.context_of if context is not None else None,
            )
        )
        reply = await self._session.invoke(step, context or b"")
        if reply.context is not None:
            self._contexts[step.op] = reply.context
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
