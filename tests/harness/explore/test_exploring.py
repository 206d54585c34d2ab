"""Exploring: the same results whoever runs the seeds, however often it is ended, and every bad seed is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.verdict import Answer
from harness.cli import cli
from harness.explore.exploring import Exploration, Wanted, begin, explore, is_run_again, merged, parse_shard
from harness.explore.journal import Journal
from harness.explore.seeds import Asked, Question, SeedResult, run_seed, trace_of
from harness.explore.workers import Chunk
from harness.options import given
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
    with closing(Journal(runs, asked)) as journal:
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
    (file,) = tmp_path.rglob("results.jsonl")
    file.write_bytes(file.read_bytes()[:-7])
    workers = Here(SHORT)
    assert _shown(_explored(tmp_path, SHORT, 4, workers)) == _shown(whole)
    assert workers.seeds == [4]
    assert len(file.read_text().splitlines()) == 1 + 4  # what was asked, and what was found


def test_a_torn_line_among_the_bad_seeds_costs_no_other_one(tmp_path: Path) -> None:
    """What comes after it is a line of its own."""
    tmp_path.joinpath("seeds.jsonl").write_text('{"asked":{"scen')
    bad = [result.seed for result in _explored(tmp_path, BUGGY, 4).bad]
    with closing(Journal(tmp_path, BUGGY)) as journal:
        assert sorted(journal.bad_seeds()) == bad != []


def test_two_explorations_of_one_question_do_not_write_into_one_file(tmp_path: Path) -> None:
    """The second is refused, and told what to do."""
    with closing(Journal(tmp_path, SHORT)), pytest.raises(UsageError, match="another process explores just this"):
        Journal(tmp_path, SHORT)


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
    first = 3
    same = _explored(tmp_path / "same", SHORT, 1, first=first).tally
    assert (same.again, same.differed) == (1, [])
    told = _explored(tmp_path / "other", SHORT, 1, Here(SHORT, lie=True), first=first).tally.differed
    assert len(told) == 1
    assert _explored(tmp_path / "other", SHORT, 1, first=first).tally.differed == told  # and is not forgotten
    assert f"seed {first} did not repeat itself" in told[0]
    assert "event " in told[0]


@pytest.mark.parametrize(("first", "count"), [(1, 100), (40, 20), (7, 1000)])
def test_one_seed_in_twenty_is_run_again(first: int, count: int) -> None:
    """The share is the one that was asked for, give or take the ends; of fewer than twenty it is the first."""
    wanted = Wanted(first, count)
    assert abs(sum(is_run_again(seed, wanted) for seed in wanted.seeds()) - count // 20) <= 1
    assert [seed for seed in range(5, 9) if is_run_again(seed, Wanted(5, 4))] == [5]


def test_an_exploration_that_is_not_whole_is_unknown(tmp_path: Path) -> None:
    """Seeds that are missing prove nothing."""
    with closing(Journal(tmp_path, SHORT)) as journal:
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
    asked = Question(asked=SHORT, code="c0de", first=1, count=4, shard=1, shards=1)
    assert merged([("a", ([asked], results[1:])), ("b", ([asked], results[:2]))]) == (whole.results, [])
    assert merged([("a", ([asked], results[1:3]))])[1] == [1, 4]
    other = msgspec.structs.replace(results[0], digest="0" * 32)
    with pytest.raises(UsageError, match=r"seed 1 is valid .* in a and valid .* in b: they did not run the same"):
        merged([("a", ([asked], results)), ("b", ([asked], [other]))])
    for change in ({"code": "0ther"}, {"asked": BUGGY}):
        with pytest.raises(UsageError, match=r"a explored .*, and b .*: merge answers to one question"):
            merged([("a", ([asked], [])), ("b", ([msgspec.structs.replace(asked, **change)], []))])


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    """In one line that says what would be right."""
    with pytest.raises(UsageError, match=r"--shard .*give i/n"):
        parse_shard(text)


def _results(directory: Path) -> list[Any]:
    """All results below a directory, by seed, without what differs from time to time."""
    lines = [line for file in directory.rglob("results*.jsonl") for line in file.read_text().splitlines()]
    results = [found for found in map(json.loads, lines) if found["type"] == "seed"]
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
    half = keelhaul("merge", str(next((tmp_path / "parts").rglob("results-1-of-2.jsonl"))), cwd=tmp_path)
    assert half.returncode == 2
    assert "3 seeds are missing, such as 2, 4, 6" in half.stdout


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
    (tmp_path / "empty").mkdir()
    assert "no results in empty" in one_line(keelhaul("merge", "empty", cwd=tmp_path))


def _interrupted_again(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Ask once more whoever still runs; True when it has ended."""
    process.send_signal(number)
    return process.poll() is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_at_once_and_keeps_what_is_there(tmp_path: Path, number: signal.Signals) -> None:
    """With a summary and no process left behind, also when somebody is impatient and asks again and again."""
    command = ("explore", "partition-halves", "--seeds", "400", "--jobs", "2", "--time-limit", "20", "--runs", "kept")
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    poll(lambda: len(_results(tmp_path)) >= 4, "four results", within_s=60)
    poll(partial(_interrupted_again, process, number), "it ends", within_s=15)
    out, _ = process.communicate()
    assert process.returncode == 2
    assert "interrupted; the same command goes on from here" in " ".join(out.split())
    assert len(_results(tmp_path)) >= 4


@pytest.mark.parametrize("options", [("--n", "5"), ("--rate", "0"), ("--for", "4"), ("--r", "4", "--w", "4")])
def test_what_is_drawn_yields_to_what_is_asked_for(options: tuple[str, ...]) -> None:
    """In every seed: an exploration is not ended half-way by a world that could not be."""
    parsed = cli.commands["explore"].make_context("explore", ["mixed", *options]).params
    asked = Asked(scenario="mixed", options=given({name: parsed[name] for name in ("n", "r", "w", "rate", "for_s")}))
    for seed in range(1, 200):
        asked.spec(seed).checked()


def test_what_a_node_prints_is_no_result(tmp_path: Path) -> None:
    """Standard output has the JSON and nothing else."""
    (tmp_path / "chatty.py").write_text("from node.core.node import Node as NODE\nprint('hello')\n")
    command = ("explore", "calm", "--seeds", "1", "--time-limit", "1", "--json", "--node-module", "chatty")
    finished = keelhaul(*command, cwd=tmp_path)
    assert len(json.loads(finished.stdout)["results"]) == 1, finished.stderr
