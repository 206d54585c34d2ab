"""Carry a schedule out: inject each fault at its time, heal it at its time, and say what came of it.

This file knows when and in which order; what a fault does is in its file, and what becomes of the events is the
caller's business. Time is the running loop's, so the same code runs on a virtual clock.

A fault that could not be injected is an event, and the run goes on. A fault that could not be *cured* is an event too,
the other faults go on and are healed, and at the end `run` raises `CureError`: no such run ends healed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

from nemesis.catalog import load, missing_powers
from nemesis.cures import to_the_end
from nemesis.powers import CureError, Effect, PowerError, Powers
from nemesis.schedule import Injection, held


@dataclass(frozen=True)
class FaultEvent:
    """Something happened to a fault; the fields are those of the history's record, without the time.

    `requested` is when its time came, `started` when it is in force, `healed` when it is no longer, with its proof; on
    `failed`, `detail` also has a `reason`. Every requested fault ends with exactly one of the last two.
    """

    id: int
    name: str
    event: Literal["requested", "started", "healed", "failed"]
    detail: dict[str, Any]
    delivered: bool | None = None
    observed: dict[str, Any] = field(default_factory=dict)


Record = Callable[[FaultEvent], None]
BeforeHeal = Callable[[Injection], Awaitable[None]]


async def run(
    schedule: Sequence[Injection], powers: Powers, record: Record, before_heal: BeforeHeal | None = None
) -> None:
    """Carry the schedule out, counted from now; return when everything in it has been healed.

    `before_heal` is awaited while the fault is still in force, just before its cure; it is left out when the run is
    cancelled. Cancellation heals what is in force, and `run` ends only when that is done. Raises `PowerError` before
    anything happens when the schedule needs a power that is not granted.
    """
    lacking = missing_powers(dict.fromkeys(injection.name for injection in schedule), powers)
    if lacking:
        raise PowerError("; ".join(lacking))
    nemesis = _Nemesis(powers, record, before_heal)
    strikes = [asyncio.ensure_future(nemesis.strike(injection)) for injection in schedule]
    everything = asyncio.gather(*strikes)
    try:
        await asyncio.shield(everything)
    finally:
        # Cancelled once each, and by us: a cancellation passed on by gather would not wait for the cures.
        for strike in strikes:
            strike.cancel()
        await to_the_end(_all_ended([*strikes, everything]))
        if nemesis.uncured:
            raise CureError("; ".join(nemesis.uncured))


async def _all_ended(strikes: Sequence[asyncio.Future[Any]]) -> None:
    await asyncio.gather(*strikes, return_exceptions=True)


class _Nemesis:
    """One run's nemesis: the clock it counts from, and who holds which node or link."""

    def __init__(self, powers: Powers, record: Record, before_heal: BeforeHeal | None) -> None:
        self._powers = powers
        self._record = record
        self._before_heal = before_heal
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._locks: dict[str, asyncio.Lock] = {}
        self.uncured: list[str] = []

    async def strike(self, injection: Injection) -> None:
        """One injection from its time to its cure, and its last event."""
        await self._until(injection.at_ns)
        self._tell(injection, "requested")
        effect: Effect | None = None
        trouble: Exception | None = None
        try:
            async with AsyncExitStack() as stack:
                await self._hold(injection, stack)
                fault = load(injection.name)
                inject = fault.inject(self._powers[fault.NEEDS], injection.plan)
                effect = await stack.enter_async_context(inject)
                self._tell(injection, "started")
                await self._until(injection.until_ns)
                trouble = await self._look_before_heal(injection)
        except PowerError as error:
            self._failed(injection, error, effect)
        except BaseException as error:
            # Cancelled, or a defect: the stack has run the cure, and the cure did not complain.
            self._ended(injection, error, effect)
            raise
        else:
            self._ended(injection, None, effect)
        if trouble is not None:
            raise trouble

    async def _until(self, at_ns: int) -> None:
        """Sleep until that time of the schedule; not at all when it has passed."""
        delay = self._began + at_ns / 1e9 - self._loop.time()
        if delay > 0:
            await asyncio.sleep(delay)

    async def _hold(self, injection: Injection, stack: AsyncExitStack) -> None:
        """Wait until no other fault holds what this one is for: a cure may take longer than the schedule thought.

        Locks are taken in one order everywhere, so nobody waits in a circle.
        """
        for thing in sorted(held(injection)):
            await stack.enter_async_context(self._locks.setdefault(thing, asyncio.Lock()))
        if self._loop.time() >= self._began + injection.until_ns / 1e9:
            raise PowerError("its time was over before it could begin")

    async def _look_before_heal(self, injection: Injection) -> Exception | None:
        """Call the hook; its failure must not pass for the fault's, so it is handed back and raised after the cure."""
        if self._before_heal is None:
            return None
        try:
            await self._before_heal(injection)
        except Exception as error:
            return error
        return None

    def _failed(self, injection: Injection, error: PowerError, effect: Effect | None) -> None:
        if isinstance(error, CureError):
            self.uncured.append(f"{injection.name} (fault {injection.id}): {error}")
        self._tell(injection, "failed", effect, reason=_story(error))

    def _ended(self, injection: Injection, error: BaseException | None, effect: Effect | None) -> None:
        if effect is not None:
            self._tell(injection, "healed", effect)
        else:
            self._tell(injection, "failed", reason=f"never in force: {error!r}")

    def _tell(
        self,
        injection: Injection,
        event: Literal["requested", "started", "healed", "failed"],
        effect: Effect | None = None,
        **more: str,
    ) -> None:
        detail = injection.plan.described() | more
        delivered = effect.delivered if effect else None
        observed = dict(effect.observed) if effect else {}
        self._record(FaultEvent(injection.id, injection.name, event, detail, delivered, observed))


def _story(error: PowerError) -> str:
    """What happened, and what it happened on top of, where that was a power's failure as well."""
    before = error.__context__
    if isinstance(before, PowerError) and before is not error.__cause__:
        return f"{error}; after {before}"
    return str(error)
