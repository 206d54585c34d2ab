"""The promise of determinism at full size: one spec, one digest, in every process and under every hash seed.

`python -m tests.campaigns.determinism`: twenty worlds drawn like those of `mixed`, each with 400 operations and more
under way at once, in two processes for each of three hash seeds, in another order in every process. Prints each spec's
digest; 0 when every spec has one, and has been large enough.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from harness.explore.seeds import Asked
from harness.spec import RunSpec

ROOT = Path(__file__).resolve().parents[2]
HASH_SEEDS = ("0", "1", "999")
PROCESSES = 2
AT_ONCE_MIN = 400
CROWD: dict[str, Any] = {"time_limit_s": 2.0, "every_s": 1.0, "for_s": 0.6, "concurrency": 450, "rate": 4000.0}


def specs(number: int) -> list[RunSpec]:
    """The first worlds of `mixed`, each with a crowd of clients that work at the same time."""
    drawn = (Asked(scenario="mixed", options={**CROWD, "open_loop": False}).spec(seed) for seed in range(1, number + 1))
    return [replace(spec, workload="register") for spec in drawn]


def results(hash_seed: str, order: list[int], asked: list[RunSpec]) -> dict[int, dict[str, Any]]:
    """What a process of its own finds, running these specs in that order."""
    wanted = msgspec.json.encode([asked[place] for place in order]).decode()
    finished = subprocess.run(
        [sys.executable, "-m", "tests.harness.traced", wanted],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        check=True,
        timeout=1800,
    )
    return dict(zip(order, json.loads(finished.stdout), strict=True))


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--specs", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    asked = specs(arguments.specs)
    orders = [
        (seed, Random(f"order:{seed}:{number}").sample(range(len(asked)), len(asked)))
        for seed in HASH_SEEDS
        for number in range(PROCESSES)
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = list(pool.map(lambda order: results(order[0], order[1], asked), orders))
    bad = 0
    for place, spec in enumerate(asked):
        runs = [run[place] for run in found]
        digests = {run["digest"] for run in runs}
        good = len(digests) == 1 and runs[0]["at_once"] >= AT_ONCE_MIN
        bad += not good
        told = f"{len(runs)} runs, {len(digests)} digest, {runs[0]['events']} events, {runs[0]['at_once']} at once"
        print(
            f"{'same' if good else 'DIFFERS OR SMALL'}  {spec.scenario} {spec.seed}: {min(digests)}, {told}", flush=True
        )
    print(f"{len(asked) - bad} of {len(asked)} specs have one digest over {len(orders)} processes")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
