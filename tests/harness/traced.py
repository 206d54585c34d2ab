"""Carry out simulated runs, one after the other in one process, and print the digest of each: for test_determinism.

``python -m tests.harness.traced SPECS`` takes a JSON list of run specs. What it prints is all that a run may depend on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from checkers.history import Completed, Invoked, read
from harness.directory import HISTORY
from harness.runs import carry_out
from harness.spec import RunSpec


def most_at_once(history: Path) -> int:
    """How many operations were under way at one time, at the most."""
    most = now = 0
    for record in read(history).records:
        now += isinstance(record, Invoked) - isinstance(record, Completed)
        most = max(most, now)
    return most


def main() -> None:
    """Run what standard input asks for."""
    answers = []
    for spec in msgspec.json.decode(sys.argv[1], type=list[RunSpec]):
        with TemporaryDirectory() as directory:
            finished = carry_out(spec, Path(directory), "no replay")
            at_once = most_at_once(Path(directory) / HISTORY)
        answers.append({"digest": finished.digest, "events": finished.events, "at_once": at_once})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
