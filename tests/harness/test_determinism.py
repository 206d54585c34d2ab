"""The promise: one spec gives one trace digest, in every process, and whatever ran there before.

Compared across processes with three hash seeds, because the order of sets differs from process to process, and with
400 operations at once, because small runs hide the leaks. A digest that never changed would keep the promise too, so
another seed and one changed timer must give others.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from harness.runs import carry_out
from harness.sim.trace import first_divergence
from harness.spec import RunSpec

ROOT = Path(__file__).resolve().parents[2]

CROWD = RunSpec(
    scenario="crash-partition",
    world="sim",
    seed=7,
    faults=("kill", "partition-halves"),
    time_limit_s=2.0,
    every_s=1.0,
    for_s=0.5,
    concurrency=400,
    rate=1000.0,
    keys=60,
)
FEW = replace(CROWD, concurrency=10, rate=50.0, keys=5)

Run = dict[str, Any]


def _begin(hash_seed: int, *specs: RunSpec) -> subprocess.Popen[bytes]:
    """A process of its own that carries these runs out."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-m", "tests.harness.traced", msgspec.json.encode(specs).decode()]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)


def _results(process: subprocess.Popen[bytes]) -> list[Run]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return msgspec.json.decode(out, type=list[Run])


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """All runs of this file that need a process of their own, two processes at a time."""
    changed = replace(CROWD, settings={"hint_retry_ms": 501})
    zero = _begin(0, CROWD, replace(CROWD, seed=8))
    one = _begin(1, CROWD, changed)
    found = dict(zip(("seed 0", "another seed"), _results(zero), strict=True))
    busy = _begin(999, *(replace(FEW, seed=seed) for seed in (1, 2, 3)), CROWD)
    found |= dict(zip(("seed 1", "another timer"), _results(one), strict=True))
    found["seed 999, after three others"] = _results(busy)[-1]
    return found


def test_one_spec_is_one_digest_in_every_process(runs: dict[str, Run]) -> None:
    """With the hash seeds 0, 1 and 999, and also when other runs came before in the same process."""
    alike = [runs["seed 0"], runs["seed 1"], runs["seed 999, after three others"]]
    assert len({(run["digest"], run["events"]) for run in alike}) == 1
    assert alike[0]["events"] > 10_000


def test_the_promise_is_kept_at_size(runs: dict[str, Run]) -> None:
    """400 operations were under way at once: what depends on an order shows when there is much to order."""
    assert runs["seed 0"]["at_once"] >= 400


@pytest.mark.parametrize("other", ["another seed", "another timer"])
def test_another_run_is_another_digest(runs: dict[str, Run], other: str) -> None:
    """The digest covers everything: one timer that is one millisecond longer is enough."""
    assert runs[other]["digest"] != runs["seed 0"]["digest"]


def test_two_runs_that_differ_name_the_first_event_in_which_they_do(tmp_path: Path) -> None:
    """And a run does not differ from itself."""
    traces = []
    for number, seed in enumerate((1, 2, 1)):
        directory = tmp_path / str(number)
        directory.mkdir()
        finished = carry_out(replace(FEW, seed=seed), directory, "no replay", keep=True)
        assert finished.trace is not None
        assert len(finished.trace) == finished.events
        traces.append(finished.trace)

    one, two, again = traces
    assert first_divergence(one, again) is None
    divergence = first_divergence(one, two)
    assert divergence is not None
    place, _, sides = divergence.removeprefix("event ").partition(": ")
    first = int(place) - 1
    assert one[:first] == two[:first]
    assert sides == f"{one[first]!r} against {two[first]!r}"


def test_keeping_the_trace_does_not_change_it(tmp_path: Path) -> None:
    """Looking leaves the run as it is."""
    digests = []
    for keep in (True, False):
        directory = tmp_path / str(keep)
        directory.mkdir()
        digests.append(carry_out(FEW, directory, "no replay", keep=keep).digest)
    assert digests[0] == digests[1]
