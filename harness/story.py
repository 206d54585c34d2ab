"""The story of a run: prepare, load, stress, heal, settle, repair. One function, read from top to bottom.

Where nodes repair each other by themselves (anti-entropy), the last phase only waits for that; elsewhere it reads every
key with repair.
The same story is told in every world; only what `cluster` is differs. It writes a history and decides nothing:
judging comes afterwards, from the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from checkers.history import FaultChanged, PhaseBegan
from harness import plugins
from harness.clients import Client, as_drawn
from harness.company import Company
from harness.contracts import Cluster, Session, Step
from harness.open_loop import InFlight, OpenLoop, due_times
from harness.recorder import Recorder
from harness.script import LOAD, Script
from harness.settling import Settling
from harness.spec import RunSpec
from nemesis.powers import CureError
from nemesis.runner import FaultEvent
from nemesis.runner import run as run_nemesis
from nemesis.schedule import Injection, Schedule

REPAIR_ATTEMPTS = 5


@dataclass(frozen=True)
class Plot:
    """What is to happen: the spec, the faults, and the operations where they are given and not drawn."""

    spec: RunSpec
    schedule: Schedule
    script: Script | None = None

    @property
    def load(self) -> tuple[Step, ...]:
        """The writes that make sure that there is something to lose: one for each key."""
        return _loading(self.spec) if self.script is None else self.script.load

    @property
    def began_ns(self) -> int:
        """The time of the run before which the stress phase does not begin."""
        return 0 if self.script is None else self.script.began_ns

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that is touched."""
        return tuple(f"k{number}" for number in range(self.spec.keys)) if self.script is None else self.script.keys


async def tell(plot: Plot, cluster: Cluster, recorder: Recorder) -> None:
    """Run a plot on a cluster that has just been started, and leave it healed, quiet and dumped."""
    spec = plot.spec
    system = plugins.system(spec.system)
    inspector = await cluster.inspector()
    company = Company(cluster, spec)
    settling = Settling(
        inspector,
        company.in_reach,
        recorder,
        apart_s=system.quiet_apart_s(spec),
        limit_s=spec.settle_limit_s,
        operator=cluster.operator,
    )
    try:
        _phase(recorder, "load")
        await _load(plot, cluster, recorder)
        await _until(plot.began_ns, recorder)

        _phase(recorder, "stress")
        with suppress(CureError):  # the history has it: a fault that failed to heal
            await _stress(plot, cluster, recorder, settling)

        _phase(recorder, "heal")
        await company.heal()

        _phase(recorder, "settle")
        await settling.quiet("handoff")

        _phase(recorder, "repair")
        apart_s = repaired_apart_s(spec)
        if apart_s is None:
            await _repair(plot.keys, cluster, company.in_reach())
        await settling.quiet("final", apart_s or system.quiet_apart_s(spec))
    finally:
        await inspector.close()


def repaired_apart_s(spec: RunSpec) -> float | None:
    """How far apart two looks at a cluster are that repairs itself; None for one that does not."""
    of_system = getattr(plugins.system(spec.system), "repaired_apart_s", None)
    apart_s: float | None = of_system(spec) if of_system is not None else None
    return apart_s


def _loading(spec: RunSpec) -> tuple[Step, ...]:
    load_value, nodes = getattr(plugins.workload(spec.workload), "load_value", str), spec.node_ids
    return tuple(
        Step(
            op=f"load.{number}",
            client=LOAD,
            node=nodes[number % len(nodes)],
            f="put",
            key=f"k{number}",
            value=load_value(f"load.{number}"),
        )
        for number in range(spec.keys)
    )


async def _load(plot: Plot, cluster: Cluster, recorder: Recorder) -> None:
    """Write every key once."""
    session = await cluster.session(LOAD)
    client = Client(session, iter(plot.load), recorder)
    try:
        for _ in plot.load:
            await client.take()
    finally:
        await session.close()


async def _until(at_ns: int, recorder: Recorder) -> None:
    delay_ns = at_ns - recorder.now_ns()
    if delay_ns > 0:
        await asyncio.sleep(delay_ns / 1e9)


async def _stress(plot: Plot, cluster: Cluster, recorder: Recorder, settling: Settling) -> None:
    """Let clients work while the nemesis does."""
    cast = _Cast(plot, cluster, recorder)

    async def client(name: str) -> None:
        session = await cluster.session(name)
        try:
            await cast.act(name, session)
        finally:
            await session.close()

    async def look(injection: Injection) -> None:
        if injection.plan.links:
            await settling.dump(f"fault-{injection.id}")

    def record(event: FaultEvent) -> None:
        recorder.write(_fault_record(recorder.now_ns(), event))

    nemesis = run_nemesis(plot.schedule, cluster.powers, record, look)
    await together([nemesis, *(client(name) for name in cast.names)])


class _Cast:
    """The clients of the stress phase, in a closed or an open loop, with operations that are drawn or given."""

    def __init__(self, plot: Plot, cluster: Cluster, recorder: Recorder) -> None:
        self._spec = spec = plot.spec
        self._script = plot.script
        self._nodes = cluster.nodes
        self._recorder = recorder
        self._workload = plugins.workload(spec.workload)
        self._in_flight = InFlight()
        self._began_ns = recorder.begin()
        self._until_ns = self._began_ns + int(spec.time_limit_s * 1e9)
        self.names = (
            tuple(f"c{number}" for number in range(1, spec.concurrency + 1))
            if plot.script is None
            else plot.script.clients
        )

    async def act(self, name: str, session: Session) -> None:
        """One client's part, to its end."""
        spec = self._spec
        client = Client(session, self._steps(name), self._recorder, getattr(self._workload, "value_of", as_drawn))
        think_s = spec.concurrency / spec.rate if spec.rate else 0.0
        if spec.open_loop:
            patience_s = plugins.system(spec.system).quiet_apart_s(spec)  # longer than any request takes
            open_loop = OpenLoop(client, self._recorder, self._in_flight)
            await open_loop.run(self._dues(name, think_s), self._until_ns, patience_s)
        elif self._script is not None:
            await client.play(self._script.of(name), self._began_ns)
        else:
            await client.run(self._until_ns, Random(f"{spec.seed}:pace:{name}"), think_s)

    def _steps(self, name: str) -> Iterator[Step]:
        if self._script is not None:
            return (timed.step for timed in self._script.of(name))
        rng = Random(f"{self._spec.seed}:operations:{name}")
        steps: Iterator[Step] = self._workload.operations(rng, name, self._nodes, self._spec.keys)
        return steps

    def _dues(self, name: str, think_s: float) -> Iterator[int]:
        if self._script is not None:
            return (self._began_ns + timed.at_ns for timed in self._script.of(name))
        return due_times(Random(f"{self._spec.seed}:arrivals:{name}"), self._began_ns, 1 / think_s)


async def _repair(keys: Sequence[str], cluster: Cluster, nodes: Sequence[str]) -> None:
    """Read every key once with repair: without anti-entropy nothing else mends a key that handoff did not."""
    session = await cluster.session("repair")
    try:
        for number, key in enumerate(keys):
            for attempt in range(REPAIR_ATTEMPTS):
                node = nodes[(number + attempt) % len(nodes)]
                if await session.read_repairing(key, node):
                    break
    finally:
        await session.close()


async def together(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all of it at once; if one part fails or all are cancelled, end the others before saying so."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _phase(recorder: Recorder, name: str) -> None:
    recorder.write(PhaseBegan(at=recorder.now_ns(), name=name))


def _fault_record(at: int, event: FaultEvent) -> FaultChanged:
    return FaultChanged(
        at=at,
        id=event.id,
        name=event.name,
        event=event.event,
        detail=event.detail,
        delivered=event.delivered,
        observed=event.observed,
    )
