"""A process that learns that it may not be its node any more: one line, exit 69, and not another word to anybody."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from node.client.client import OutcomeUnknownError
from node.core.facts import ClientAsked, Command, Fact, Reply, Resign
from node.core.messages import Refused
from node.core.node import Node
from tests.node.runtime.loops import run
from tests.node.runtime.processes import alone, ran

RESIGNING = """
import sys
from node.runtime.main import main
from tests.node.runtime.test_resigning import Resigning
sys.exit(main(sys.argv[1:], node_type=Resigning))
"""


class Resigning(Node):
    """A node that answers its first client, and in the same breath finds that somebody else is it."""

    def handle(self, fact: Fact, now_ns: int) -> list[Command]:
        """Answer, and resign."""
        if not isinstance(fact, ClientAsked):
            return super().handle(fact, now_ns)
        answer = Refused(getattr(fact.request, "request", ""), "code", "text", definite=True)
        return [Reply(fact.asker, answer), Resign("another process is this node: it says so")]


def test_a_node_that_resigns_says_nothing_more(tmp_path: Path) -> None:
    """What it had begun to say in that very turn does not leave the process."""

    async def main() -> None:
        file = tmp_path / "n1.json"
        file.write_text(json.dumps(alone(tmp_path)))
        async with ran([sys.executable, "-c", RESIGNING, "--config", str(file)]) as node:
            await node.event("listening")
            with pytest.raises(OutcomeUnknownError, match="lost"):
                await node.client.put(b"k", b"v")
            assert await node.exit() == os.EX_UNAVAILABLE
            assert node.log[-1]["event"] == "resigned"
            assert await node.errors() == "keelhaul-node: n1: another process is this node: it says so\n"

    run(main)
