"""A node as a process on the log engine: killed, full, and damaged."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from node.client.client import OutcomeUnknownError
from tests.node.runtime.loops import run
from tests.node.runtime.processes import NodeProcess, alone, listening, started
from tests.node.runtime.test_main import put_much


async def values(node: NodeProcess, count: int) -> list[bytes]:
    """What the node answers for the first so many keys."""
    return [(await node.client.get(b"%d" % number)).versions[0].value for number in range(count)]


def test_a_killed_node_comes_back_with_everything(tmp_path: Path) -> None:
    """All that was acknowledged, each time under a new incarnation."""

    async def main() -> None:
        settings = alone(tmp_path, engine="log")
        incarnations = []
        for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGTERM):
            async with listening(settings) as node:
                incarnations.append(await node.incarnation())
                if len(incarnations) == 1:
                    for number in range(20):
                        await node.client.put(b"%d" % number, b"value %d" % number)
                assert await values(node, 20) == [b"value %d" % number for number in range(20)]
                node.signal(ending)
                assert await node.exit() == (0 if ending == signal.SIGTERM else -signal.SIGKILL)
        assert len(set(incarnations)) == 3

    run(main)


def test_a_full_disk_ends_the_node_and_loses_nothing(tmp_path: Path) -> None:
    """One line, exit 74; when there is space again, all that was acknowledged is there."""

    async def main() -> None:
        settings = alone(tmp_path, engine="log")
        acknowledged: set[bytes] = set()
        async with started(settings, prefix=("bash", "-c", 'ulimit -f 2000; exec "$@"', "bash")) as node:
            await node.event("listening")
            with pytest.raises(OutcomeUnknownError, match="lost"):
                await put_much(node, acknowledged)
            assert await node.exit() == os.EX_IOERR
            assert node.log[-1]["event"] == "store-failed"
            assert node.log[-1]["text"].startswith(f"the store failed: {tmp_path}/data/00000001.segment: ")
        async with listening(settings) as node:
            held = {entry.key for entry in await node.debug.dump("n1")}
            assert acknowledged
            assert held >= acknowledged

    run(main)


def test_a_node_steps_aside_when_its_log_is_corrupt(tmp_path: Path) -> None:
    """One line that names file, offset and what is wrong; exit 74; nothing is served."""

    async def main() -> None:
        settings = alone(tmp_path, engine="log")
        async with listening(settings) as node:
            for number in range(5):
                await node.client.put(b"%d" % number, b"v")
            node.signal(signal.SIGKILL)
            await node.exit()
        segment = tmp_path / "data" / "00000001.segment"
        content = bytearray(segment.read_bytes())
        content[content.index(b"keelhaul") + 150] ^= 1
        segment.write_bytes(content)
        async with started(settings) as node:
            assert await node.exit() == os.EX_IOERR
            assert (await node.errors()).startswith(f"keelhaul-node: {segment} is corrupt at byte ")

    run(main)
