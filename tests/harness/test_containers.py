"""The containers world on a real engine: cuts, kills, and that nothing is left behind, however a run ends.

Where no engine can be used these tests are skipped, with the reason that the world itself gives.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from checkers.history import Outcome
from harness.contracts import Step, WorldError
from harness.spec import RunSpec
from harness.worlds import containers
from harness.worlds.containers import ContainerCluster
from harness.worlds.containers_engine import Engine, Made
from harness.worlds.containers_owner import OURS, PID, RUN, of_run, orphaned, started
from harness.worlds.containers_recipe import Recipe
from harness.worlds.containers_rules import counters
from harness.worlds.image import image_name
from nemesis.powers import Network, PowerError, Processes

pytestmark = pytest.mark.containers

SPEC = RunSpec(scenario="calm", world="containers", seed=1, nodes=3, settings={"request_timeout_ms": 400})
BOUND_S = 15.0

Told = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def usable() -> None:
    """Skip where containers cannot be used, and say why."""
    reason = containers.probe()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine for a look from outside."""
    looking = Engine(f"test-{os.getpid()}", image_name(), 2)
    try:
        yield looking
    finally:
        looking.remove(of_run(looking.run))
        looking.close()


def everything(engine: Engine) -> list[str]:
    """Containers, networks and volumes that this process owns, and volumes that nobody owns and none uses: by name.

    Other processes may be at work on the same engine; what is theirs carries their labels.
    """
    api = engine.client.api
    mine = {"label": [OURS, f"{PID}={os.getpid()}"]}
    found = [container["Names"][0] for container in api.containers(all=True, filters=mine)]
    found += [network["Name"] for network in api.networks(filters=mine)]
    found += [volume["Name"] for volume in api.volumes(filters=mine)["Volumes"] or []]
    unused = api.volumes(filters={"dangling": True})["Volumes"] or []
    return sorted(found + [volume["Name"] for volume in unused if not volume["Labels"]])


def host_rules() -> str:
    """The host's own rules, without counters; empty where they cannot be read."""
    if shutil.which("iptables-save") is None or os.geteuid() != 0:
        return ""
    saved = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout
    return "\n".join(line.partition("[")[0] for line in saved.splitlines() if not line.startswith("#"))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait, with a bound, until something holds."""
    async with asyncio.timeout(BOUND_S):
        while not await holds():
            await asyncio.sleep(0.05)


class Writer:
    """A client that writes one key after the other."""

    def __init__(self, cluster: ContainerCluster) -> None:
        self._cluster = cluster
        self._count = 0

    async def put(self, node: str) -> Outcome:
        """Write through a node, as a client who has just come, and say what became of it."""
        self._count += 1
        session = await self._cluster.session(f"c{self._count}")
        step = Step(op=f"o{self._count}", client="c", node=node, f="put", key=f"k{self._count}", value="v")
        try:
            return (await session.invoke(step, b"")).outcome
        finally:
            await session.close()

    def accepted(self, node: str) -> Callable[[], Awaitable[bool]]:
        """Whether a write through that node is accepted now."""

        async def accepted() -> bool:
            return await self.put(node) is Outcome.OK

        return accepted


def lived(directory: Path, story: Callable[[ContainerCluster, Told], Coroutine[Any, Any, None]]) -> Told:
    """Run a story on a cluster of three; returns what was told of its nodes."""
    told: Told = []

    async def main() -> None:
        def changed(node: str, event: str, detail: dict[str, Any]) -> None:
            told.append((node, event, detail))

        async with containers.open(SPEC, directory, changed) as cluster:
            await story(cluster, told)

    containers.run(main())
    return told


def test_a_short_run(tmp_path: Path, engine: Engine) -> None:
    """Cut, kill while cut, heal, an unasked-for death, an empty disk; then nothing is left but the logs."""
    before, rules = everything(engine), host_rules()

    async def story(cluster: ContainerCluster, told: Told) -> None:
        writer = Writer(cluster)
        assert await writer.put("n1") is Outcome.OK
        await _cut_and_killed(cluster, writer)
        await until(writer.accepted("n1"))
        await _dead_unasked(cluster, engine, told)
        await _emptied(cluster)
        assert host_rules() == rules

    told = lived(tmp_path, story)
    events = [(node, event) for node, event, _ in told]
    assert sorted(events[:3]) == [(node, "started") for node in SPEC.node_ids]
    assert events[3:] == [
        *(("n1", "killed"), ("n1", "started")),
        *(("n3", "exited"), ("n3", "started")),
        *(("n2", "stopped"), ("n2", "started"), ("n2", "killed"), ("n2", "wiped"), ("n2", "started")),
    ]
    assert everything(engine) == before
    assert host_rules() == rules
    logs = sorted((tmp_path / "logs").iterdir())
    assert [log.name for log in logs] == ["n1.log", "n2.log", "n3.log"]
    assert all("time" in json.loads(line) for log in logs for line in log.read_text().splitlines())


async def _cut_and_killed(cluster: ContainerCluster, writer: Writer) -> None:
    """A node that is cut off cannot be written through, also not after it was killed and started again."""
    links = [("n1", "n2"), ("n1", "n3"), ("n2", "n1"), ("n3", "n1")]
    async with cluster.powers[Network].cut(links) as traffic:
        assert await writer.put("n1") is not Outcome.OK
        await cluster.powers[Processes].kill("n1")
        assert not cluster.running("n1")
        await cluster.start("n1")
        assert await writer.put("n1") is not Outcome.OK
        await until(writer.accepted("n2"))
    assert all(count.seen == count.dropped for count in traffic.values()), traffic
    assert traffic["n1", "n2"].dropped
    assert traffic["n1", "n3"].dropped


async def _dead_unasked(cluster: ContainerCluster, engine: Engine, told: Told) -> None:
    """Somebody else ends a node: it is noticed, and the node can be started again."""
    mine = {"label": [f"{PID}={os.getpid()}", "keelhaul.node=n3", "keelhaul.role=node"]}
    (victim,) = engine.client.api.containers(filters=mine)
    engine.signal(victim["Id"], "SIGKILL")

    async def noticed() -> bool:
        return not cluster.running("n3")

    await until(noticed)
    assert told[-1][:2] == ("n3", "exited")
    assert told[-1][2]["code"] == 137
    await cluster.start("n3")


async def _emptied(cluster: ContainerCluster) -> None:
    """What a node holds outlives a good end, and not a wipe."""
    processes = cluster.powers[Processes]
    inspector = await cluster.inspector()
    try:
        await processes.stop("n2")
        await cluster.start("n2")
        assert await inspector.held("n2")
        await processes.kill("n2")
        await processes.wipe("n2")
        await cluster.start("n2")
        assert await inspector.held("n2") == ()
    finally:
        await inspector.close()


def test_a_node_that_does_not_start_leaves_nothing_behind(tmp_path: Path, engine: Engine) -> None:
    """A module that is not a node: its last words are the reason, and its log is kept."""
    before = everything(engine)
    spec = RunSpec(scenario="calm", world="containers", seed=1, nodes=3, variant="tests.house.source")

    async def main() -> None:
        async with containers.open(spec, tmp_path, lambda *_: None):
            pytest.fail("this is no node")

    with pytest.raises(WorldError, match=r"the cluster did not start: n\d exited with 1 before it answered: .*pytest"):
        containers.run(main())
    assert everything(engine) == before
    assert "No module named 'pytest'" in (tmp_path / "logs" / "n1.log").read_text()


@pytest.mark.parametrize("after_s", [0.3, 0.9, 1.5])
def test_a_start_that_is_cancelled_leaves_nothing_behind(after_s: float, tmp_path: Path, engine: Engine) -> None:
    """In the middle of whatever it was doing then."""
    before = everything(engine)

    async def main() -> None:
        async with asyncio.timeout(after_s), containers.open(SPEC, tmp_path, lambda *_: None):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        containers.run(main())
    assert everything(engine) == before


def made_by(engine: Engine, pid: int, run: str) -> Made:
    """A network and two containers that carry another owner's labels."""
    engine.run = run
    engine._labels |= {RUN: run, PID: str(pid), "keelhaul.pid-started": _begin_of(pid)}
    prefix = engine.network()
    return engine.make(Recipe("n1", f"{prefix}.10"))


def _begin_of(pid: int) -> str:
    try:
        return started(pid)
    except OSError:
        return "1"


def test_orphans_are_reaped_and_nothing_of_the_living(engine: Engine) -> None:
    """One owner is dead; the other one lives, and is not this process."""
    with subprocess.Popen(["true"]) as dead:
        pass
    before = everything(engine)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        try:
            theirs = made_by(engine, living.pid, f"test-living-{living.pid}")
            orphan = made_by(engine, dead.pid, f"test-orphan-{dead.pid}")
            engine.remove(orphaned)
            left = [container["Id"] for container in engine.client.api.containers(all=True, filters={"label": OURS})]
            assert {theirs.holder, theirs.node} <= set(left)
            assert not {orphan.holder, orphan.node} & set(left)
            networks = [network["Name"] for network in engine.client.api.networks(filters={"label": OURS})]
            assert f"keelhaul-test-living-{living.pid}" in networks
            assert f"keelhaul-test-orphan-{dead.pid}" not in networks
        finally:
            engine.remove(of_run(f"test-living-{living.pid}"))
            engine.remove(of_run(f"test-orphan-{dead.pid}"))
            living.communicate()
    assert everything(engine) == before


def test_a_command_that_fails_in_a_holder_says_what_it_said(engine: Engine) -> None:
    """A rule that iptables does not take changes nothing, and is an error."""
    made = engine.make(Recipe("n1", f"{engine.network()}.10"))
    with pytest.raises(PowerError, match="a command in a namespace holder ended with"):
        engine.execute(
            made.holder, 'printf %s "$1" | iptables-restore --noflush', "*filter\n-A NOWHERE -j DROP\nCOMMIT\n"
        )
    assert counters(engine.execute(made.holder, "iptables-save -c -t filter")) == {}
