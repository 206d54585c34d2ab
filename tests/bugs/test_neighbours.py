"""A planted bug is wrong in one part only: the unit tests of its neighbours pass with it, those that pin the part do
not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from harness.plugins import find_scenarios
from tests.bugs.test_convictions import EVERY_BUG
from tests.node.core.cluster import NODE_MODULE

MOVES = ("moving_quorums", "transfers", "gathering", "gossip")
ROOT = Path(__file__).parents[2]
CONVERSATIONS = ("gets", "puts", "forwarding", "handoff", "probing", "node")
FAILED = re.compile(r"^FAILED \S+::(\w+)", re.MULTILINE)


def _neighbours(bug: ModuleType) -> tuple[str, ...]:
    """The tests of the conversations; those of moves as well where the bug is one of the ring, or they pin it too."""
    known = "".join((ROOT / f"tests/node/core/test_{name}.py").read_text() for name in CONVERSATIONS)
    elsewhere = any(f"def {name}(" not in known for name in bug.PINNED)
    return (*CONVERSATIONS, *MOVES) if elsewhere or bug.SCENARIO in find_scenarios("ring") else CONVERSATIONS


@EVERY_BUG
def test_only_the_tests_of_the_replaced_part_fail(bug: ModuleType) -> None:
    """With the bug in the node, the tests of the conversations fail exactly where they pin the part that it
    replaces.
    """
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *(f"tests/node/core/test_{name}.py" for name in _neighbours(bug)),
        ],
        cwd=ROOT,
        env={**os.environ, NODE_MODULE: bug.__name__},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert set(FAILED.findall(finished.stdout)) == set(bug.PINNED), finished.stdout
    assert re.search(r"\d{2,} passed", finished.stdout), finished.stdout
