"""Run many seeds of the shipped node in simulation: every verdict must be valid, none a false alarm, none unknown.

`python -m tests.campaigns.clean_seeds partition crash cart --seeds 200`: every scenario of these families under every
seed, on all cores. What is not valid keeps its directory, and its replay line is printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from checkers.verdict import Answer
from harness.asking import replay_line
from harness.plugins import find_scenarios
from harness.runs import carry_out
from harness.spec import RunSpec

CHUNK = 4


def main() -> int:
    """Run the campaign; 0 when every verdict was valid."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("families", nargs="+", help="families of scenarios, or scenarios")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=10.0)
    arguments = parser.parse_args()
    specs = [
        RunSpec(
            scenario=name,
            world="sim",
            seed=seed,
            faults=scenario.faults,
            workload=scenario.workload,
            time_limit_s=arguments.time_limit,
        )
        for family in arguments.families
        for name, scenario in find_scenarios(family).items()
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    ]
    began = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="clean-seeds-"))
    counts = dict.fromkeys((answer.value for answer in Answer), 0)
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for answer, line in pool.imap_unordered(partial(one, root), specs, CHUNK):
            counts[answer] += 1
            if answer != Answer.VALID.value:
                print(f"{answer}: {line}", flush=True)
    if counts[Answer.VALID.value] == len(specs):
        shutil.rmtree(root)
    words = ", ".join(f"{number} {answer}" for answer, number in counts.items())
    print(f"{len(specs)} runs in {time.monotonic() - began:.0f} s: {words}")
    return 0 if counts[Answer.VALID.value] == len(specs) else 1


def one(root: Path, spec: RunSpec) -> tuple[str, str]:
    """Carry out one run; its answer, and the line that repeats it."""
    directory = root / f"{spec.scenario}-{spec.seed}"
    directory.mkdir()
    answer = carry_out(spec, directory, replay_line(spec)).judgement.answer
    if answer is Answer.VALID:
        shutil.rmtree(directory)
    return answer.value, f"{replay_line(spec)}  # {directory}"


if __name__ == "__main__":
    sys.exit(main())
