"""The syncs are real: the kernel is asked to put data on the disk at least once for each commit."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from tests.node.runtime.loops import run
from tests.node.runtime.processes import alone, started


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to see what the kernel is asked")
def test_at_least_one_sync_for_each_commit(tmp_path: Path) -> None:
    """A node under strace: as many fsync or fdatasync calls as commits, or more."""
    seen = tmp_path / "syncs"

    async def main() -> int:
        # -D: the node stays our child, so that our signals reach it.
        strace = ("strace", "-D", "-f", "-e", "trace=fsync,fdatasync", "-o", str(seen))
        async with started(alone(tmp_path), prefix=strace) as node:
            await node.event("listening")
            for number in range(40):
                await node.client.put(b"%d" % number, b"v")
            commits = (await node.debug.status("n1")).commits
            node.signal(signal.SIGTERM)
            assert await node.exit() == 0
        return commits

    commits = run(main)
    syncs = sum("sync(" in line and "= 0" in line for line in seen.read_text().splitlines())
    assert commits >= 40
    assert syncs >= commits
