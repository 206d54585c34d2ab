"""The world of local processes: real nodes, real kills, real cuts, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from checkers.history import Outcome, read
from checkers.verdict import Answer
from harness.contracts import Reply, Session, Step
from harness.directory import HISTORY
from harness.plugins import find_scenarios
from harness.runs import carry_out
from harness.spec import RunSpec
from harness.systems.dynamo import cluster_config
from harness.worlds import processes
from harness.worlds.node_process import NodeProcess
from nemesis.powers import Network, PowerError, Processes
from node.core.changes import History
from node.core.ring import ring_of

ROOT = Path(__file__).parents[2]
NODES = ("n1", "n2", "n3", "n4", "n5")


def nothing(_node: str, _event: str, _detail: dict[str, Any]) -> None:
    """Nobody listens."""


def spec(**options: Any) -> RunSpec:
    """A spec for this world."""
    return RunSpec(**{"scenario": "test", "world": "processes", "seed": 1, "keys": 10, **options})


def children() -> list[str]:
    """The processes that this one has started and that still run, by their commands."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return [command for command in found if "multiprocessing" in command and "resource_tracker" not in command]


@pytest.mark.parametrize("name", ["partition-halves", "crash-kill"])
def test_same_verdicts_as_in_simulation(name: str, tmp_path: Path) -> None:
    """One scenario, two worlds, one verdict; and afterwards no process of ours is left."""
    answers = []
    for world in ("sim", "processes"):
        directory = tmp_path / world
        directory.mkdir()
        faults = find_scenarios(name)[name].faults
        run = spec(scenario=name, world=world, faults=faults, time_limit_s=5.0, settings={"anti_entropy_ms": 500})
        answers.append(carry_out(run, directory, "").judgement)

    assert [judgement.answer for judgement in answers] == [Answer.VALID] * 2, answers[1]
    assert children() == []


@pytest.mark.parametrize("world", ["sim", "processes"])
def test_a_node_that_cannot_come_back_is_convicted(world: str, tmp_path: Path) -> None:
    """It dies at every start after the first: no reason for the harness to give up, every reason for a verdict."""
    run = spec(world=world, faults=("kill",), time_limit_s=4.0, settle_limit_s=2.0, variant="tests.harness.stillborn")
    finished = carry_out(run, tmp_path, "")

    verdicts = {verdict.checker: verdict.answer for verdict in finished.judgement.verdicts}
    assert finished.judgement.answer is Answer.INVALID
    assert verdicts["crashes"] is Answer.INVALID


def test_kill_9_of_all_nodes_after_acknowledgements(tmp_path: Path) -> None:
    """What was acknowledged is there after every node was killed at once, at W = 2 on real disks."""

    async def story() -> None:
        async with processes.open(spec(), tmp_path, nothing) as cluster:
            power = cluster.powers[Processes]
            session = await cluster.session("c")
            puts = [_put(f"c.{n}", NODES[n % 5], f"k{n}") for n in range(60)]
            replies = await asyncio.gather(*(session.invoke(put, b"") for put in puts))
            await asyncio.gather(*(power.kill(node) for node in NODES))
            await session.close()
            await asyncio.gather(*(power.start(node) for node in NODES))

            acknowledged = [put for put, reply in zip(puts, replies, strict=True) if reply.outcome is Outcome.OK]
            inspector = await cluster.inspector()
            dumps = [await inspector.held(node) for node in NODES]
            await inspector.close()
            held = {version.value for dump in dumps for entry in dump or () for version in entry.versions}
            assert len(acknowledged) >= 20  # a node that has just started may not know all others yet
            assert [put.op for put in acknowledged if put.value not in held] == []

    asyncio.run(story())


def test_a_cut_is_exact_and_survives_a_restart(tmp_path: Path) -> None:
    """A one-way cut drops one direction only, counts what it drops, and a node that is restarted comes back into it."""

    async def story() -> None:
        small = spec(nodes=3, keys=3)
        key = _coordinated_by("n1", small)
        async with processes.open(small, tmp_path, nothing) as cluster:
            network, power = cluster.powers[Network], cluster.powers[Processes]
            session = await cluster.session("c")
            async with network.cut([("n1", "n2")]) as cut:
                first = await _accepted(session, "n1", key)
                await power.kill("n1")
                await power.start("n1")
                second = await _accepted(session, "n1", key)
                counts = await cluster.proxies["n1"].counters()
                assert counts["n2"].dropped > 0
            await session.close()
            assert [ack.node for reply in (first, second) for ack in reply.acks] == ["n1", "n3"] * 2
            assert list(cut) == [("n1", "n2")]
            assert cut["n1", "n2"].dropped == cut["n1", "n2"].seen >= counts["n2"].dropped

    asyncio.run(story())


def test_an_interrupt_heals_stops_and_judges(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a cut: healed, no process left, the history judged by what was recorded."""
    run = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "partition-halves", "--world", "processes", "--time-limit", "60"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    asyncio.run(_until_started(tmp_path, "partition-halves"))
    assert len(_living_in(tmp_path)) > 10
    os.kill(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=30)

    history = read(tmp_path / "runs" / "latest" / HISTORY)
    assert history.ended is not None
    assert history.ended.interrupted is not None
    assert [fault.event for fault in history.faults][-1] == "healed"
    assert run.returncode == 2, output
    assert "interrupted" in output
    assert _living_in(tmp_path) == []


def test_an_interrupt_of_the_whole_terminal_is_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C goes to every process of the terminal, also to those that are only starting; they leave it to the run."""
    run = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "calm", "--world", "processes", "--time-limit", "30"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    asyncio.run(_until(lambda: len(_living_in(tmp_path)) > 3))
    os.killpg(run.pid, signal.SIGINT)
    _, complaints = run.communicate(timeout=30)

    assert run.returncode == 2
    assert complaints == "keelhaul: interrupted by SIGINT: healing, stopping, then judging what was recorded\n"
    asyncio.run(_until(lambda: _living_in(tmp_path) == []))


def test_a_node_that_dies_while_it_drains_has_not_stopped(tmp_path: Path) -> None:
    """It is reported as what it is, and whoever asked it to leave is told."""
    told: list[tuple[str, dict[str, Any]]] = []

    def changed(_node: str, event: str, detail: dict[str, Any]) -> None:
        told.append((event, detail))

    async def story() -> None:
        small = spec(nodes=3, variant="tests.node.undrained")
        async with processes.open(small, tmp_path, changed) as cluster:
            with pytest.raises(PowerError, match=f"n1 was asked to leave and ended with exit code {os.EX_SOFTWARE}"):
                await cluster.powers[Processes].stop("n1")
            assert not cluster.running("n1")

    asyncio.run(story())
    assert told == [("started", {})] * 3 + [("exited", {"code": os.EX_SOFTWARE})]


def test_closing_ends_all_there_is_whatever_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One node that cannot be ended and a cancellation in the middle spare nothing else; the failure is told."""

    async def story() -> None:
        task = asyncio.current_task()
        assert task is not None
        async with processes.open(spec(nodes=3), tmp_path, nothing) as cluster:
            one, *_ = cluster._processes.values()
            never = NodeProcess(cluster._settings("n1"), None, cluster.logs, lambda _code: None)
            assert not never.running
            assert await never.kill() is None
            never._log.close(killed=True)

            async def failing() -> None:
                await NodeProcess.kill(one)
                asyncio.get_running_loop().call_soon(task.cancel)
                raise PowerError("n1 will not go")

            monkeypatch.setattr(one, "kill", failing)
            task.cancel()
            await asyncio.sleep(0)

    async def main() -> None:
        with pytest.raises(PowerError, match="n1 will not go"):
            await asyncio.create_task(story())

    asyncio.run(main())
    assert children() == []


def _living_in(directory: Path) -> list[str]:
    """The processes whose working directory this is, as those of every run started here are."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").resolve() == directory.resolve():
                found.append(process.name)
    return found


def _coordinated_by(node: str, run: RunSpec) -> str:
    """A key that the node is the first to keep, in the ring that the cluster is founded with."""
    ring = ring_of(cluster_config(run), History())
    return next(key for key in (f"k{number}" for number in count()) if ring.at(key.encode()).seats[0] == node)


def _put(op: str, node: str, key: str) -> Step:
    return Step(op=op, client="c", node=node, f="put", key=key, value=op)


async def _accepted(session: Session, node: str, key: str) -> Reply:
    """Put until it succeeds: a node that has just been started may not have reached anybody yet."""
    async with asyncio.timeout(10):
        for number in count(1):
            reply = await session.invoke(_put(f"c.{number}", node, key), b"")
            if reply.outcome is Outcome.OK:
                return reply
    raise AssertionError("counting does not end")


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not holds():
            await asyncio.sleep(0.02)


async def _until_started(directory: Path, fault: str) -> None:
    """Poll the history until the fault is in force."""
    path = directory / "runs" / "latest" / HISTORY
    async with asyncio.timeout(40):
        while not (path.exists() and f'"name":"{fault}","event":"started"' in path.read_text()):
            await asyncio.sleep(0.05)
