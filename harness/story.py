"""The story of a run: prepare, load, stress, heal, settle, repair. One function, read from top to bottom.

The same story is told in every world; only what `cluster` is differs. It writes a history and decides nothing:
judging comes afterwards, from the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from checkers.history import FaultChanged, PhaseBegan
from harness import plugins
from harness.clients import Client, as_drawn
from harness.contracts import Cluster, Step
from harness.open_loop import InFlight, OpenLoop
from harness.recorder import Recorder
from harness.settling import Settling
from harness.spec import RunSpec
from nemesis.powers import CureError, PowerError
from nemesis.runner import FaultEvent
from nemesis.runner import run as run_nemesis
from nemesis.schedule import Injection, Schedule

REPAIR_ATTEMPTS = 5


async def tell(spec: RunSpec, cluster: Cluster, schedule: Schedule, recorder: Recorder) -> None:
    """Run the spec on a cluster that has just been started, and leave it healed, quiet and dumped."""
    system = plugins.system(spec.system)
    inspector = await cluster.inspector()
    settling = Settling(
        inspector, cluster.nodes, recorder, apart_s=system.quiet_apart_s(spec), limit_s=spec.settle_limit_s
    )
    try:
        _phase(recorder, "load")
        await _load(spec, cluster, recorder)

        _phase(recorder, "stress")
        with suppress(CureError):  # the history has it: a fault that failed to heal
            await _stress(spec, cluster, schedule, recorder, settling)

        _phase(recorder, "heal")
        await _heal(cluster)

        _phase(recorder, "settle")
        await settling.quiet("handoff")

        _phase(recorder, "repair")
        await _repair(spec, cluster)
        await settling.quiet("final")
    finally:
        await inspector.close()


async def _load(spec: RunSpec, cluster: Cluster, recorder: Recorder) -> None:
    """Write every key once, so that there is something to lose."""
    session = await cluster.session("load")
    load_value = getattr(plugins.workload(spec.workload), "load_value", str)
    steps = (
        Step(
            op=f"load.{number}",
            client="load",
            node=cluster.nodes[number % len(cluster.nodes)],
            f="put",
            key=f"k{number}",
            value=load_value(f"load.{number}"),
        )
        for number in range(spec.keys)
    )
    client = Client(session, steps, recorder)
    try:
        for _ in range(spec.keys):
            await client.take()
    finally:
        await session.close()


async def _stress(spec: RunSpec, cluster: Cluster, schedule: Schedule, recorder: Recorder, settling: Settling) -> None:
    """Let clients work while the nemesis does."""
    until_ns = recorder.now_ns() + int(spec.time_limit_s * 1e9)
    think_s = spec.concurrency / spec.rate if spec.rate else 0.0
    workload, in_flight = plugins.workload(spec.workload), InFlight()
    patience_s = plugins.system(spec.system).quiet_apart_s(spec)  # longer than any request takes

    async def client(name: str) -> None:
        session = await cluster.session(name)
        steps = workload.operations(Random(f"{spec.seed}:operations:{name}"), name, cluster.nodes, spec.keys)
        one = Client(session, steps, recorder, getattr(workload, "value_of", as_drawn))
        try:
            if spec.open_loop:
                dues = Random(f"{spec.seed}:arrivals:{name}")
                await OpenLoop(one, recorder, in_flight).run(until_ns, dues, 1 / think_s, patience_s)
            else:
                await one.run(until_ns, Random(f"{spec.seed}:pace:{name}"), think_s)
        finally:
            await session.close()

    async def look(injection: Injection) -> None:
        if injection.plan.links:
            await settling.dump(f"fault-{injection.id}")

    def record(event: FaultEvent) -> None:
        recorder.write(_fault_record(recorder.now_ns(), event))

    nemesis = run_nemesis(schedule, cluster.powers, record, look)
    await together([nemesis, *(client(f"c{number}") for number in range(1, spec.concurrency + 1))])


async def _heal(cluster: Cluster) -> None:
    """Start every node that is not running. One that cannot start is for the checkers to see: dead, or silent."""
    down = [node for node in cluster.nodes if not cluster.running(node)]
    for answer in await asyncio.gather(*(cluster.start(node) for node in down), return_exceptions=True):
        if isinstance(answer, BaseException) and not isinstance(answer, PowerError):
            raise answer


async def _repair(spec: RunSpec, cluster: Cluster) -> None:
    """Read every key once with repair: until there is anti-entropy, nothing else mends a key that handoff did not."""
    session = await cluster.session("repair")
    try:
        for number in range(spec.keys):
            for attempt in range(REPAIR_ATTEMPTS):
                node = cluster.nodes[(number + attempt) % len(cluster.nodes)]
                if await session.read_repairing(f"k{number}", node):
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
