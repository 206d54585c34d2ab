"""Run many seeds of the shipped node in simulation: every verdict must be valid, none a false alarm, none unknown.

`python -m tests.campaigns.clean_seeds partition crash cart --seeds 200`: every scenario of these families under every
seed, on all cores. `keelhaul explore` does that for one scenario, and keeps what it found; this goes through whole
families and keeps nothing but the lines that repeat what was not valid.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter

from checkers.verdict import Answer
from harness.asking import replay_line
from harness.explore.seeds import Asked, run_seed
from harness.explore.workers import submit, worker_pool
from harness.plugins import find_scenarios


def main() -> int:
    """Run the campaign; 0 when every verdict was valid."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("families", nargs="+", help="families of scenarios, or scenarios")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=10.0, help="but for scenarios that tell a story (10)")
    arguments = parser.parse_args()
    found = {name: each for family in arguments.families for name, each in find_scenarios(family).items()}
    short = {"time_limit_s": arguments.time_limit}
    questions = [Asked(scenario=name, options={} if each.timeline else short) for name, each in found.items()]
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    began, answers = time.monotonic(), Counter[Answer]()
    with worker_pool(os.cpu_count() or 1) as pool:
        asked = [(question, seed) for question in questions for seed in seeds]
        futures = [submit(pool, run_seed, *one) for one in asked]
        for (question, seed), future in zip(asked, futures, strict=True):
            answer = future.result().answer
            answers[answer] += 1
            if answer is not Answer.VALID:
                print(f"{answer.value}: {replay_line(question.spec(seed))}", flush=True)
    words = ", ".join(f"{answers[answer]} {answer.value}" for answer in Answer)
    print(f"{len(asked)} runs in {time.monotonic() - began:.0f} s: {words}")
    return 0 if answers[Answer.VALID] == len(asked) else 1


if __name__ == "__main__":
    sys.exit(main())
