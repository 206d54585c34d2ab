"""An operator's orders reach a node whole, and what comes back is told as refused, silent or done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from harness.sim.loop import run, virtual
from harness.spec import RunSpec
from harness.worlds import sim
from nemesis.powers import Membership, OrderRefusedError, PowerError, Processes

SPEC = RunSpec(scenario="calm", world="sim", seed=1, spares=2, nodes=4)

Script = Callable[[Any], Coroutine[Any, Any, None]]


def _on_a_ring(script: Script) -> None:
    """Run a script on the membership of a small simulated cluster."""
    loop = virtual()

    async def main() -> None:
        cluster = sim.SimCluster(SPEC, loop, lambda *_: None)
        await asyncio.gather(*(cluster.start(node) for node in SPEC.node_ids))
        await script(cluster.powers[Membership])
        assert cluster.powers[Processes] is cluster

    run(main(), loop)


def test_a_join_is_staged_planned_and_committed_at_once() -> None:
    """What somebody else had staged there is not committed with it."""

    async def script(ring: Any) -> None:
        assert (ring.nodes, ring.spares) == (("n1", "n2", "n3", "n4"), ("n5", "n6"))
        await asyncio.gather(ring.start("n5"), ring.start("n6"))
        assert await ring.stage("n1", "join", "n6") == 1
        await ring.order("n1", "join", "n5")
        told = await ring.standing("n1")
        assert told.states["n5"] in ("joining", "valid")
        assert "n6" not in told.states
        assert told.moves > 0

    _on_a_ring(script)


def test_orders_at_one_node_at_the_same_moment_do_not_mix() -> None:
    """One desk takes one at a time, and both are carried out."""

    async def script(ring: Any) -> None:
        await asyncio.gather(ring.start("n5"), ring.start("n6"))
        await asyncio.gather(ring.order("n1", "join", "n5"), ring.order("n1", "join", "n6"))
        states = (await ring.standing("n1")).states
        assert {states["n5"], states["n6"]} <= {"joining", "valid"}

    _on_a_ring(script)


def test_a_refusal_is_no_silence() -> None:
    """The one says that nothing has come of it; after the other nobody knows."""

    async def script(ring: Any) -> None:
        with pytest.raises(OrderRefusedError, match="n4"):
            await ring.order("n1", "join", "n4")
        with pytest.raises(OrderRefusedError):
            await ring.commit("n1", "none")
        await ring.kill("n2")
        with pytest.raises(PowerError, match="n2 refuses the connection") as error:
            await ring.order("n2", "leave", "n4")
        assert not isinstance(error.value, OrderRefusedError)

    _on_a_ring(script)
