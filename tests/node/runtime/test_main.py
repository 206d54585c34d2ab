"""A node as a process: signals, exit codes, one clear line for whoever started it; and what survives its death."""

from __future__ import annotations

import asyncio
import json
import logging.handlers
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from node.client.client import OutcomeUnknownError, RequestFailedError
from node.core.facts import ClientAsked, Command, Fact
from node.core.node import Node
from node.runtime.main import main as node_main
from node.runtime.main import serve
from node.runtime.settings import Settings
from node.runtime.tcp import bound
from tests.node.runtime.loops import LOCAL, deaf, run, until
from tests.node.runtime.processes import NodeProcess, alone, free_port, listening, ran, started


def test_a_node_that_leaves_cleanly_comes_back_with_everything(tmp_path: Path) -> None:
    """SIGTERM: exit 0, the value is there; every life has an incarnation of its own."""

    async def main() -> None:
        settings = alone(tmp_path)
        async with listening(settings) as node:
            await node.client.put(b"k", b"v")
            incarnation = await node.incarnation()
            node.signal(signal.SIGTERM)
            assert await node.exit() == 0
            assert [line["event"] for line in node.log] == ["started", "listening", "draining", "left"]
        async with listening(settings) as node:
            assert await node.incarnation() != incarnation
            assert [version.value for version in (await node.client.get(b"k")).versions] == [b"v"]

    run(main)


def test_a_node_that_was_killed_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """SIGKILL right after the last answer: every value is there, under a new incarnation."""

    async def main() -> None:
        settings = alone(tmp_path)
        async with listening(settings) as node:
            incarnation = await node.incarnation()
            await asyncio.gather(*(node.client.put(b"%d" % number, b"v") for number in range(50)))
            node.signal(signal.SIGKILL)
            assert await node.exit() == -signal.SIGKILL
        async with listening(settings) as node:
            assert await node.incarnation() != incarnation
            assert {entry.key for entry in await node.debug.dump("n1")} == {b"%d" % number for number in range(50)}

    run(main)


def test_three_processes_are_a_cluster(tmp_path: Path) -> None:
    """What one takes, the others give; one that is killed is missed, and nothing is lost."""

    async def main() -> None:
        members = ["n1", "n2", "n3"]
        addresses = {name: free_port() for name in members}
        cluster = {"cluster": {"members": members, "secret": "s"}, "addresses": addresses}
        many = [
            alone(tmp_path, **cluster, node=name, listen=addresses[name], data=str(tmp_path / name)) for name in members
        ]
        async with listening(many[0]) as n1, listening(many[1]) as n2, listening(many[2]) as n3:
            put = await n1.client.put(b"k", b"v", w=3)
            assert sorted(ack.node for ack in put.acks) == members
            n3.signal(signal.SIGKILL)
            await n3.exit()
            assert [version.value for version in (await n2.client.get(b"k")).versions] == [b"v"]
            await n2.client.put(b"k2", b"v")

    run(main)


def waiting(directory: Path, peers: tuple[str, int]) -> dict[str, Any]:
    """Settings of a node whose peers neither answer nor refuse."""
    members = ["n1", "n2", "n3"]
    return alone(
        directory,
        cluster={"members": members, "secret": "s", "peer_timeout_ms": 5000, "request_timeout_ms": 5000},
        addresses={"n2": list(peers), "n3": list(peers)},
    )


def test_a_node_finishes_what_it_has_begun(tmp_path: Path) -> None:
    """Asked to leave, it takes nothing new, and answers the put that was under way before it goes."""

    async def main() -> None:
        with deaf() as peers:
            async with listening(waiting(tmp_path, peers)) as node:
                put = asyncio.create_task(node.client.put(b"k", b"v", timeout_ms=600))
                while not (await node.debug.status("n1")).work["requests"]:
                    pass
                node.signal(signal.SIGTERM)
                await node.event("draining")
                with pytest.raises(RequestFailedError, match="shutting-down: n1 is shutting down"):
                    await node.client.get(b"k")
                with pytest.raises(OutcomeUnknownError, match="unavailable: 1 of W = 2 replicas confirmed to n1"):
                    await put
                assert await node.exit() == 0

    run(main)


def test_a_second_signal_ends_a_node_at_once(tmp_path: Path) -> None:
    """Whatever is still under way."""

    async def main() -> None:
        with deaf() as peers:
            async with listening(waiting(tmp_path, peers)) as node:
                put = asyncio.create_task(node.client.put(b"k", b"v", timeout_ms=60_000))
                while not (await node.debug.status("n1")).work["requests"]:
                    pass
                node.signal(signal.SIGTERM)
                await node.event("draining")
                node.signal(signal.SIGTERM)
                assert await node.exit() == 128 + signal.SIGTERM
                with pytest.raises(OutcomeUnknownError, match="lost"):
                    await put

    run(main)


async def put_much(node: NodeProcess, acknowledged: set[bytes]) -> None:
    """Ten megabytes, and which of them arrived."""
    for number in range(100):
        await node.client.put(b"%02d" % number, bytes(100_000))
        acknowledged.add(b"%02d" % number)


def test_a_store_that_fails_ends_the_node(tmp_path: Path) -> None:
    """One line, exit 74; nothing was acknowledged that is not there afterwards."""

    async def main() -> None:
        acknowledged: set[bytes] = set()
        async with started(alone(tmp_path), prefix=("bash", "-c", 'ulimit -f 2000; exec "$@"', "bash")) as node:
            await node.event("listening")
            with pytest.raises(OutcomeUnknownError, match="lost"):
                await put_much(node, acknowledged)
            assert await node.exit() == os.EX_IOERR
            last = node.log[-1]
            assert (last["event"], last["level"]) == ("store-failed", "critical")
            assert last["text"].startswith(f"the store failed: {tmp_path}/data/")
            assert await node.errors() == ""
        async with listening(alone(tmp_path)) as node:
            held = {entry.key for entry in await node.debug.dump("n1")}
            assert acknowledged
            assert held >= acknowledged

    run(main)


BROKEN = """
import sys
from node.runtime.main import main
from tests.node.runtime.test_main import Broken
sys.exit(main(sys.argv[1:], node_type=Broken))
"""


class Broken(Node):
    """A node with a bug that its own assertions find."""

    def handle(self, fact: Fact, now_ns: int) -> list[Command]:
        """Break at the first client."""
        assert not isinstance(fact, ClientAsked), "this cannot be"
        return super().handle(fact, now_ns)


def test_a_node_that_is_broken_ends(tmp_path: Path) -> None:
    """An assertion of its own: it says which, and exits 70 instead of going on in a state that cannot be."""

    async def main() -> None:
        file = tmp_path / "n1.json"
        file.write_text(json.dumps(alone(tmp_path)))
        async with ran([sys.executable, "-c", BROKEN, "--config", str(file)]) as node:
            await node.event("listening")
            with pytest.raises(OutcomeUnknownError):
                await node.client.put(b"k", b"v")
            assert await node.exit() == os.EX_SOFTWARE
            assert node.log[-1]["text"] == "the node is broken: AssertionError('this cannot be')"
            assert "in handle" in node.log[-1]["traceback"]

    run(main)


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    """Exit 69, for either port; the data directory is left alone."""

    async def main() -> None:
        with bound((LOCAL, 0)) as sock:
            sock.listen()
            address = [LOCAL, sock.getsockname()[1]]
            for port in ("listen", "debug"):
                async with started(alone(tmp_path, **{port: address})) as node:
                    assert await node.exit() == os.EX_UNAVAILABLE
                    line = f"keelhaul-node: cannot listen on {LOCAL}:{address[1]}: address already in use\n"
                    assert await node.errors() == line
        assert not (tmp_path / "data").exists()

    run(main)


def test_a_data_directory_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    """Exit 69; the node that has it goes on."""

    async def main() -> None:
        async with listening(alone(tmp_path)) as first, started(alone(tmp_path)) as second:
            assert await second.exit() == os.EX_UNAVAILABLE
            line = f"keelhaul-node: the data directory {tmp_path}/data is in use by another process\n"
            assert await second.errors() == line
            await first.client.put(b"k", b"v")

    run(main)


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--config", "/no/such/file"], os.EX_USAGE, "keelhaul-node: cannot read /no/such/file: No such file"),
        ([], os.EX_USAGE, "keelhaul-node: --node is missing; give --config FILE, or --node, --cluster and --data"),
        (["--what"], os.EX_USAGE, "usage: keelhaul-node"),
        (["--help"], 0, ""),
    ],
)
def test_bad_arguments(argv: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 64, and a line that says what is wrong."""
    assert node_main(argv) == code
    assert capsys.readouterr().err.startswith(said)


def test_a_node_does_not_outlive_its_parent(tmp_path: Path) -> None:
    """If that was asked for."""
    parent = "import os, subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read(1); os.kill(os.getpid(), 9)"

    async def main() -> None:
        settings = alone(tmp_path)
        (tmp_path / "n1.json").write_text(json.dumps(settings))
        node = [sys.executable, "-m", "node", "--config", str(tmp_path / "n1.json"), "--die-with-parent"]
        async with ran([sys.executable, "-c", parent, *node]) as process:
            await process.event("listening")
            process.signal(signal.SIGKILL)
            assert await process.exit() == -signal.SIGKILL, "and its log has ended, so nobody writes to it any more"

    run(main)


def child(settings: dict[str, Any], records: Any) -> None:
    """Be a node in a process that somebody else has made."""
    sys.exit(serve(msgspec.convert(settings, Settings), log_handler=logging.handlers.QueueHandler(records)))


def test_a_node_in_a_process_of_somebody_else(tmp_path: Path) -> None:
    """The same node; its log goes where the owner says, and to a file."""
    context = multiprocessing.get_context("spawn")
    records = context.Queue()
    log_file = tmp_path / "n1.log"
    process = context.Process(target=child, args=(alone(tmp_path, log_file=str(log_file)), records), daemon=True)
    process.start()
    assert [records.get(timeout=10).event for _ in range(2)] == ["started", "listening"]
    process.terminate()
    process.join(10)
    assert process.exitcode == 0
    assert [json.loads(line)["event"] for line in log_file.read_text().splitlines()][-2:] == ["draining", "left"]
    process.close()
    records.close()
    records.join_thread()


def test_a_node_imports_no_more_than_it_needs() -> None:
    """Its start is part of every restart that a test waits for."""
    said = subprocess.run(
        [sys.executable, "-c", "import sys, node.runtime.main; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {"rich", "click", "networkx", "docker", "harness", "checkers", "nemesis", "reports", "multiprocessing"}
    assert not heavy & set(said)


def test_no_node_is_left() -> None:
    """Of all that were started above."""

    async def main() -> None:
        await until(lambda: not multiprocessing.active_children())

    run(main)
