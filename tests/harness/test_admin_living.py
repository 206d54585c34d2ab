"""The operator's commands against real nodes: what `docs/operating.md` says, line by line."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.node.runtime.processes import ROOT
from tests.node.runtime.test_membership import Living, lived


async def keelhaul(*arguments: str) -> tuple[int, str, str]:
    """Run a command as an operator would: exit code, output, errors."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "harness", "admin", *arguments), stdout=pipe, stderr=pipe, cwd=ROOT
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def test_a_node_joins_and_is_seen_to(tmp_path: Path) -> None:
    """Joined in one line, asked about at any node; what makes no sense is refused in the node's own words."""

    async def story(cluster: Living) -> None:
        await cluster.start("n4", "--listen", cluster.at("n4"))
        at = ("--at", cluster.at("n1"))
        code, out, err = await keelhaul("join", "n4", cluster.at("n4"), "--commit", *at)
        assert (code, err) == (0, "")
        assert out.startswith("staged: join n4\n")
        await cluster.settled("n1", "n2", "n3", "n4")

        code, out, err = await keelhaul("status", "--at", cluster.at("n4"), "--json")
        told = json.loads(out)
        assert (code, err, list(told["nodes"]), told["silent"]) == (0, "", ["n1", "n2", "n3", "n4"], {})
        assert len({report["ring"] for report in told["nodes"].values()}) == 1
        for command in ("status", "ring", "plan", "transfers", "hints", "anti-entropy"):
            code, out, err = await keelhaul(command, *at)
            assert (code, err) == (0, ""), command
        code, out, err = await keelhaul("locate", "k", *at)
        assert (code, len(out.splitlines())) == (0, 4)

        code, out, err = await keelhaul("join", "n4", cluster.at("n4"), *at)
        assert (code, out) == (1, "")
        assert err.startswith("keelhaul: join n4: ")

    lived(tmp_path, story)
