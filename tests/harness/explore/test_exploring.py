"""Exploring: the same results whoever runs the seeds, however often it is ended, and every bad seed is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.verdict import Answer
from harness.explore.exploring import Exploration, Wanted, begin, explore, is_run_again, merged, parse_shard
from harness.explore.journal import Journal
from harness.explore.seeds import Asked, SeedResult, run_seed, trace_of
from harness.explore.workers import Chunk
from harness.spec import UsageError
from tests.harness.test_cli import ROOT, keelhaul, one_line
from tests.polling import poll

OPTIONS = ("--time-limit", "3", "--rate", "40", "--keys", "5")
SHORT = Asked(scenario="partition-halves", options={"time_limit_s": 3.0, "rate": 40.0, "keys": 5})
BUGGY = Asked(scenario="partition-halves", options={**SHORT.options, "variant": "tests.bugs.dropped_siblings"})


class Here:
    """Workers in this process; `stop_after` seeds they fall over, and `lie` makes the second run another one."""

    def __init__(self, asked: Asked, stop_after: int | None = None, *, lie: bool = False) -> None:
        self.seeds: list[int] = []
        self._asked = asked
        self._stop_after = stop_after
        self._lie = lie

    def run(self, chunks: Iterable[Chunk]) -> Iterator[list[SeedResult]]:
        """Run all chunks."""
        for chunk in chunks:
            if self._stop_after is not None and len(self.seeds) >= self._stop_after:
                raise KeyboardInterrupt
            self.seeds += chunk
            yield [run_seed(self._asked, seed) for seed in chunk]

    def again(self, seed: int) -> Future[SeedResult]:
        """Run one seed again."""
        return _done(run_seed(self._asked, seed + self._lie))

    def trace(self, seed: int) -> Future[list[str]]:
        """Every event of one seed."""
        return _done(trace_of(self._asked, seed + self._lie))


def _done(result: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(result)
    return future


def _explored(runs: Path, asked: Asked, count: int, workers: Here | None = None, first: int = 1) -> Exploration:
    journal = Journal(runs, asked)
    exploration = begin(journal, Wanted(first, count))
    explore(asked, exploration, journal, workers or Here(asked))
    return exploration


def _shown(exploration: Exploration) -> list[Any]:
    return [result.showed for _, result in sorted(exploration.results.items())]


def test_what_was_found_before_the_end_is_kept(tmp_path: Path) -> None:
    """An exploration that is ended half-way goes on where it was, and ends with the results of one that was not."""
    with pytest.raises(KeyboardInterrupt):
        _explored(tmp_path / "a", SHORT, 12, Here(SHORT, stop_after=4))
    workers = Here(SHORT)
    resumed = _explored(tmp_path / "a", SHORT, 12, workers)
    assert workers.seeds == list(range(5, 13))
    assert _shown(resumed) == _shown(_explored(tmp_path / "b", SHORT, 12))
    assert resumed.answer is Answer.VALID


def test_a_torn_last_line_is_run_again(tmp_path: Path) -> None:
    """A kill may tear the line that was being written; it is taken off, and nothing is appended to it."""
    whole = _explored(tmp_path, SHORT, 4)
    file = Journal(tmp_path, SHORT).file
    file.write_bytes(file.read_bytes()[:-7])
    workers = Here(SHORT)
    assert _shown(_explored(tmp_path, SHORT, 4, workers)) == _shown(whole)
    assert workers.seeds == [4]
    assert len(file.read_text().splitlines()) == 4


def test_seeds_that_were_bad_are_tried_first_the_next_time(tmp_path: Path) -> None:
    """Even if nobody asks for them: they have earned it."""
    bad = [result.seed for result in _explored(tmp_path, BUGGY, 3, first=7).bad]
    assert bad
    for file in (tmp_path / "explore").rglob("results*.jsonl"):
        file.unlink()  # as other code would find it
    workers = Here(BUGGY)
    exploration = _explored(tmp_path, BUGGY, 2, workers)
    assert sorted(workers.seeds[: len(bad)]) == bad
    assert workers.seeds[len(bad) :] == [1, 2]
    assert exploration.answer is Answer.INVALID


def test_seeds_of_another_question_are_left_alone(tmp_path: Path) -> None:
    """Another option is another question."""
    _explored(tmp_path, BUGGY, 3)
    workers = Here(SHORT)
    _explored(tmp_path, SHORT, 2, workers)
    assert workers.seeds == [1, 2]


def test_a_run_that_does_not_repeat_itself_is_told_with_the_first_event(tmp_path: Path) -> None:
    """Some seeds are run twice; one that is another run then is named, with the event in which they part."""
    first = next(seed for seed in range(1, 1000) if is_run_again(seed))
    same = _explored(tmp_path / "same", SHORT, 1, first=first).tally
    assert (same.again, same.differed) == (1, [])
    told = _explored(tmp_path / "other", SHORT, 1, Here(SHORT, lie=True), first=first).tally.differed
    assert len(told) == 1
    assert f"seed {first} did not repeat itself" in told[0]
    assert "event " in told[0]


def test_about_one_seed_in_twenty_is_run_again() -> None:
    """The share is the one that was asked for."""
    assert 400 < sum(map(is_run_again, range(10_000))) < 600


def test_an_exploration_that_is_not_whole_is_unknown(tmp_path: Path) -> None:
    """Seeds that are missing prove nothing."""
    journal = Journal(tmp_path, SHORT)
    exploration = begin(journal, Wanted(1, 8))
    explore(SHORT, exploration, journal, Here(SHORT), budget_s=0.0)
    assert exploration.ended is not None
    assert len(exploration.results) < 8
    assert exploration.answer is Answer.UNKNOWN


def test_shards_together_are_the_whole(tmp_path: Path) -> None:
    """Each seed is in exactly one shard, and merged they are what one machine finds."""
    for first, count, shards in ((1, 10, 3), (5, 2, 4), (0, 7, 1)):
        parts = [list(Wanted(first, count, part, shards).seeds()) for part in range(1, shards + 1)]
        assert sorted(seed for part in parts for seed in part) == list(range(first, first + count))
        assert [len(Wanted(first, count, part, shards)) for part in range(1, shards + 1)] == [len(p) for p in parts]
    whole = _explored(tmp_path, SHORT, 4)
    results = list(whole.results.values())
    assert merged([("a", results[1:]), ("b", results[:2])]) == whole.results
    other = msgspec.structs.replace(results[0], digest="0" * 32)
    with pytest.raises(UsageError, match=r"seed 1 is valid .* in a and valid .* in b: the shards ran different code"):
        merged([("a", results), ("b", [other])])


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    """In one line that says what would be right."""
    with pytest.raises(UsageError, match=r"--shard .*give i/n"):
        parse_shard(text)


def _results(directory: Path) -> list[Any]:
    """All results below a directory, by seed, without what differs from time to time."""
    lines = [line for file in directory.rglob("results*.jsonl") for line in file.read_text().splitlines()]
    results = [json.loads(line) for line in lines]
    for result in results:
        del result["cpu_s"]
    return sorted(results, key=lambda result: int(result["seed"]))


def test_one_job_two_jobs_and_shards_find_the_same(tmp_path: Path) -> None:
    """Who runs a seed changes nothing; and the command prints what it wrote."""
    command = ("explore", "partition-halves", "--seeds", "6", *OPTIONS)
    one = keelhaul(*command, "--jobs", "1", "--json", "--runs", "one", cwd=tmp_path)
    two = keelhaul(*command, "--jobs", "2", "--runs", "two", cwd=tmp_path)
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    for part in (1, 2):
        assert keelhaul(*command, "--shard", f"{part}/2", "--runs", "parts", cwd=tmp_path).returncode == 0
    assert _results(tmp_path / "one") == _results(tmp_path / "two") == _results(tmp_path / "parts")
    assert json.loads(one.stdout)["results"] == _results(tmp_path / "one")
    merge = keelhaul("merge", "parts", "--out", "all.jsonl", cwd=tmp_path)
    assert merge.returncode == 0, merge.stderr
    assert [json.loads(line)["seed"] for line in (tmp_path / "all.jsonl").read_text().splitlines()] == list(range(1, 7))
    half = keelhaul("merge", str(next((tmp_path / "parts").rglob("*1-of-2.jsonl"))), cwd=tmp_path)
    assert half.returncode == 2
    assert "missing between the first seed and the last: 2 seeds, such as 2, 4" in half.stdout


def test_a_killed_exploration_goes_on(tmp_path: Path) -> None:
    """SIGKILL at any time costs what was under way, and nothing else."""
    command = ("explore", "partition-halves", "--seeds", "24", "--jobs", "2", *OPTIONS)
    victim = subprocess.Popen(
        [sys.executable, "-m", "harness", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    poll(lambda: len(_results(tmp_path)) >= 4, "four results", within_s=60)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert len(_results(tmp_path)) < 24
    assert keelhaul(*command, cwd=tmp_path).returncode == 0
    assert keelhaul(*command, "--runs", "other", cwd=tmp_path).returncode == 0
    assert _results(tmp_path / "runs") == _results(tmp_path / "other")


def test_a_bad_seed_is_told_with_the_line_that_repeats_it(tmp_path: Path) -> None:
    """The exit code is that of the worst verdict, the line repeats the seed, and its run can be shrunk."""
    command = ("explore", "partition-halves", *OPTIONS, "--node-module", "tests.bugs.dropped_siblings")
    finished = keelhaul(*command, "--seeds", "8", cwd=tmp_path)
    assert finished.returncode == 1, finished.stderr
    line = next(line for line in finished.stdout.splitlines() if "repeat it with" in line)
    again = keelhaul(*line.partition("keelhaul ")[2].split(), cwd=tmp_path)
    assert again.returncode == 1
    assert "shrink it with  keelhaul shrink runs/partition-halves-sim-s" in finished.stdout
    assert "kept-writes/lost-write" in finished.stdout


def test_what_cannot_be_explored_is_said_in_one_line(tmp_path: Path) -> None:
    """And nothing is begun."""
    assert "explore one of partition-halves" in one_line(keelhaul("explore", "partition", cwd=tmp_path))
    assert "no scenario 'nonsense'" in one_line(keelhaul("explore", "nonsense", cwd=tmp_path))
    assert "--shard 9: give i/n" in one_line(keelhaul("explore", "calm", "--shard", "9", cwd=tmp_path))
    refused = keelhaul("explore", "calm", "--dask", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert refused.returncode == 70
    assert "--dask tcp://127.0.0.1:1: no scheduler answers there" in one_line(refused)
    assert one_line(keelhaul("merge", "nowhere", cwd=tmp_path)) == "keelhaul: nowhere: No such file or directory"
    assert "no results in ." in one_line(keelhaul("merge", ".", cwd=tmp_path))
