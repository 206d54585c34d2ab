"""Lives in the simulated world: a node that breaks by itself is never reported as started or stopped."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from harness.sim.loop import virtual
from harness.spec import RunSpec, UsageError
from harness.systems.dynamo import SETTABLE, cluster_config, node_type
from harness.worlds import sim
from nemesis.powers import PowerError, Processes


def _told(variant: str, story: Callable[[Processes], Coroutine[Any, Any, None]], directory: Path) -> list[str]:
    """What is told of n1 while a story happens to a cluster of that variant."""
    told: list[str] = []

    def changed(node: str, event: str, _detail: dict[str, Any]) -> None:
        if node == "n1":
            told.append(event)

    async def main() -> None:
        spec = RunSpec(scenario="test", world="sim", seed=1, nodes=3, variant=variant)
        async with sim.open(spec, directory, changed) as cluster:
            await story(cluster.powers[Processes])
            assert not cluster.running("n1")

    sim.run(main(), virtual())
    return told


def test_a_node_that_breaks_in_its_start_has_not_started(tmp_path: Path) -> None:
    """It has exited, and whoever started it is told."""

    async def story(power: Processes) -> None:
        await power.kill("n1")
        with pytest.raises(PowerError, match="n1 ended while it was starting"):
            await power.start("n1")

    assert _told("tests.harness.stillborn", story, tmp_path) == ["started", "killed", "exited"]


def test_a_node_that_breaks_while_it_drains_has_not_stopped(tmp_path: Path) -> None:
    """The same as with real processes."""

    async def story(power: Processes) -> None:
        with pytest.raises(PowerError, match="n1 was asked to leave and ended before it had left"):
            await power.stop("n1")

    assert _told("tests.node.undrained", story, tmp_path) == ["started", "exited"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n": 1}, f"--set n: give --n instead; there is {', '.join(SETTABLE)}"),
        ({"members": 1}, f"--set members: that cannot be set; there is {', '.join(SETTABLE)}"),
        ({"hints": 1}, f"--set hints: that cannot be set; there is {', '.join(SETTABLE)}"),
        ({"partitions": 70_000}, "--set: partitions is 70000; with 5 members it can be 5 to 4096"),
        ({"object_bytes_max": 0}, "--set: object_bytes_max is 0; it can be 1 to 4194304"),
    ],
)
def test_a_setting_that_cannot_be(settings: dict[str, int], says: str) -> None:
    """It is refused in one line, before any world is opened."""
    with pytest.raises(UsageError) as error:
        cluster_config(RunSpec(scenario="test", world="sim", seed=1, settings=settings))
    assert str(error.value) == says


@pytest.mark.parametrize("module", ["", ".x", "..", "no.such", "json", "tests.harness.sim.test_world"])
def test_a_node_module_that_is_none(module: str) -> None:
    """Whatever its name, it is refused in one line that says where modules are looked up."""
    with pytest.raises(UsageError, match="found from the current directory") as error:
        node_type(module)
    assert "\n" not in str(error.value)


NODE = "no class"
