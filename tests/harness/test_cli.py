"""The command line: what it prints, what it refuses in one line, and its exit codes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from harness import cli as command_line
from harness.asking import complete_spec, replay_line
from harness.cli import cli
from harness.options import given as asked
from harness.plugins import find_scenarios
from harness.sim.trace import Trace, first_stranger

ROOT = Path(__file__).parents[2]


def keelhaul(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": "unix:///nowhere/docker.sock", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def one_line(finished: subprocess.CompletedProcess[str]) -> str:
    """What a refusal says: one line on standard error, no traceback."""
    lines = finished.stderr.strip().splitlines()
    assert len(lines) == 1, finished.stderr
    return lines[0]


def test_a_valid_run(tmp_path: Path) -> None:
    """A valid run exits 0, says its world first and last, prints how to repeat it, and leaves its directory."""
    finished = keelhaul("run", "partition-halves", "--world", "sim", "--seed", "7", cwd=tmp_path)

    lines = finished.stdout.strip().splitlines()
    assert finished.returncode == 0, finished.stderr
    assert "world: sim" in lines[0]
    assert "world: sim" in lines[-1]
    assert "repeat it with  keelhaul run partition-halves --world sim --seed 7" in finished.stdout
    run = tmp_path / "runs" / "latest"
    there = {path.name for path in run.iterdir()}
    assert there >= {"spec.json", "schedule.json", "history.jsonl", "verdict.json"}


def test_the_line_it_prints_repeats_the_run(tmp_path: Path) -> None:
    """The replay line of a run with options gives the same trace digest."""
    options = ("--time-limit", "6", "--rate", "50", "--set", "hint_retry_ms=700", "--concurrency", "4")
    first = keelhaul("run", "crash-kill", "--world", "sim", *options, cwd=tmp_path)
    replay = next(line for line in first.stdout.splitlines() if line.startswith("repeat it with"))
    again = keelhaul(*replay.split()[4:], cwd=tmp_path)

    def digest(output: str) -> str:
        return next(line for line in output.splitlines() if line.startswith("trace digest"))

    assert digest(first.stdout) == digest(again.stdout)


def test_an_invalid_run_exits_1(tmp_path: Path) -> None:
    """A planted bug exits 1, and the evidence names the lost key and the put."""
    bug = ("--node-module", "tests.bugs.dropped_siblings")
    finished = keelhaul("run", "partition-halves", "--world", "sim", *bug, cwd=ROOT)

    assert finished.returncode == 1
    assert "lost-write" in finished.stdout
    assert "acknowledged by n" in finished.stdout


def test_a_run_that_proves_nothing_exits_2(tmp_path: Path) -> None:
    """Too few operations to mean anything: unknown, not valid."""
    finished = keelhaul(
        "run", "calm", "--world", "sim", "--time-limit", "1", "--rate", "1", "--keys", "1", cwd=tmp_path
    )

    assert finished.returncode == 2, finished.stdout
    assert "vacuity" in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "nonsense"), "no scenario 'nonsense'; there is"),
        (("run", "partition-halfs"), "did you mean partition-halves"),
        (("run", "calm", "--every", "inf"), "--every is inf"),
        (("run", "calm", "--for", "nan"), "--for is nan"),
        (("run", "calm", "--for", "0"), "--for is 0"),
        (("run", "calm", "--time-limit", "nan"), "--time-limit is nan"),
        (("run", "calm", "--fault", "partition-tow"), "no 'partition-tow' in nemesis.faults"),
        (("run", "calm", "--world", "mars"), "no world 'mars'; there is containers, processes, sim"),
        (("run", "calm", "--r", "9", "--n", "3"), "--r is 9; with n = 3 it can be 1 to 3"),
        (("run", "calm", "--nodes", "2"), "--n is 3; with 2 nodes it can be 1 to 2"),
        (("run", "calm", "--seed", "x"), "Invalid value for '--seed'"),
        (("run", "calm", "--open-loop", "--rate", "0"), "--rate is 0; with --open-loop"),
        (("run", "calm", "--set", "hint_retry_ms=fast"), "--set hint_retry_ms=fast: give NAME=NUMBER"),
        (("run", "calm", "--set", "hints=1"), "there is strategy, partitions, tokens, request_timeout_ms"),
        (("run", "calm", "--world", "sim", "--node-module", "no.such"), "--node-module no.such"),
        (("run", "calm", "--world", "processes", "--system", "in-memory"), "this system runs in sim"),
        (("run", "partition-majorities-ring", "--nodes", "3"), "at least 4 nodes; there are 3"),
        (("check", "nowhere"), "nowhere"),
        (("frobnicate",), "No such command 'frobnicate'"),
    ],
)
def test_refusals(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """What cannot be asked for exits 64 with one line that names the thing, and leaves nothing behind."""
    finished = keelhaul(*arguments, cwd=tmp_path)

    assert finished.returncode == 64, finished.stderr
    assert said in one_line(finished)
    assert list(tmp_path.iterdir()) == []


def test_insisting_on_containers_without_an_engine(tmp_path: Path) -> None:
    """Without an engine, `--world containers` exits 70 with one line that says what to do."""
    finished = keelhaul("run", "partition-halves", "--world", "containers", cwd=tmp_path)

    assert finished.returncode == 70
    assert "make engine" in one_line(finished)


def test_check_judges_again(tmp_path: Path) -> None:
    """`check` gives the run's verdict again from its history, and exits as the run did."""
    run = keelhaul("run", "calm", "--world", "sim", "--time-limit", "3", cwd=tmp_path)
    checked = keelhaul("check", "runs/latest", cwd=tmp_path)

    assert (run.returncode, checked.returncode) == (0, 0), checked.stderr
    assert "valid: all 9 checkers agree" in checked.stdout


def test_damage_inside_a_history_is_named(tmp_path: Path) -> None:
    """A history that is damaged in the middle is refused, with file and line; a torn end is only a warning."""
    keelhaul("run", "calm", "--world", "sim", "--time-limit", "3", cwd=tmp_path)
    path = tmp_path / "runs" / "latest" / "history.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)

    path.write_bytes(b"".join([*lines[:9], b'{"type":"invoke"\n', *lines[10:]]))
    damaged = keelhaul("check", "runs/latest", cwd=tmp_path)
    path.write_bytes(b"".join(lines) + b'{"type":"inv')
    torn = keelhaul("check", "runs/latest", cwd=tmp_path)

    assert damaged.returncode == 64
    assert "history.jsonl:10" in one_line(damaged)
    assert torn.returncode == 0
    assert "torn" in torn.stdout


def test_list_names_what_there_is(tmp_path: Path) -> None:
    """`list` names every scenario, fault, checker and world."""
    finished = keelhaul("list", cwd=tmp_path)

    assert finished.returncode == 0
    for word in ("partition-halves", "crash-kill", "kept-writes", "register", "can be had here"):
        assert word in finished.stdout


def test_runs_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the runs should be is a user's mistake: one line, 64."""
    (tmp_path / "file").touch()
    finished = keelhaul("run", "calm", "--world", "sim", "--runs", "file", cwd=tmp_path)

    assert finished.returncode == 64
    assert "--runs file" in one_line(finished)


def test_a_failure_of_the_harness_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error that nobody expected ends with 70, never with a verdict's 1, and one line says what and where."""

    def broken(**_options: Any) -> None:
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(command_line, "cli", broken)
    with pytest.raises(SystemExit) as ended:
        command_line.main()

    assert ended.value.code == 70
    said = capsys.readouterr().err
    assert "ZeroDivisionError: by hand (test_cli.py:" in said
    assert said.count("\n") == 1


def test_a_reader_that_goes_away_does_not_change_the_verdict(tmp_path: Path) -> None:
    """`keelhaul run … | head -1`: the exit code stays the verdict's."""
    command = f"{sys.executable} -m harness run calm --world sim --time-limit 3 | head -1; exit ${{PIPESTATUS[0]}}"
    finished = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0
    assert finished.stderr == ""


@settings(deadline=None, max_examples=40)
@given(
    rate=st.floats(1, 1000),
    every_s=st.floats(1, 100),
    time_limit_s=st.floats(1, 1000),
    n=st.integers(1, 5),
    open_loop=st.booleans(),
    constants=st.dictionaries(st.sampled_from(["hint_retry_ms", "partitions"]), st.integers(10, 99)),
    more=st.sampled_from([(), ("kill",), ("kill", "partition-bridge")]),
)
def test_the_replay_line_says_the_whole_spec(
    rate: float, every_s: float, time_limit_s: float, n: int, open_loop: bool, constants: dict[str, int], more: Any
) -> None:
    """Parsed again, it gives the very same spec, to the last digit of every number."""
    options: dict[str, Any] = {"rate": rate, "every_s": every_s, "for_s": every_s / 2, "time_limit_s": time_limit_s}
    options |= {"n": n, "r": 1, "w": 1, "open_loop": open_loop, "settings": constants}
    assert_repeats("calm", {"more_faults": more, "seed": 3, **options})


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(1, 10_000),
    nodes=st.sampled_from([None, 3, 6]),
    constants=st.sampled_from([{}, {"partitions": 99}]),
)
def test_the_replay_line_of_a_drawn_spec_says_what_was_not_drawn(
    seed: int, nodes: int | None, constants: dict[str, int]
) -> None:
    """A world that the seed drew is drawn again by the seed."""
    assert_repeats("mixed", {"seed": seed, "settings": constants} | ({} if nodes is None else {"nodes": nodes}))


def assert_repeats(scenario: str, options: dict[str, Any]) -> None:
    """What the replay line asks for is the very same spec."""
    found = find_scenarios(scenario)[scenario]
    spec = replace(complete_spec(scenario, found, **options), world="sim")
    words = shlex.split(replay_line(spec))[3:]
    parsed = cli.commands["run"].make_context("run", [scenario, *words]).params
    ours = {
        name: value for name, value in parsed.items() if name not in ("scenario", "world", "runs", "trace", "attempts")
    }
    assert replace(complete_spec(scenario, found, **asked(ours)), world=parsed["world"]) == spec


def test_a_replay_that_is_another_run_names_the_first_event_in_which_it_is(tmp_path: Path) -> None:
    """Here the recorded digest is of a run with another seed, as it would be after a change of the code."""
    runs = [("1", tmp_path / "runs" / "calm-sim-s1-1"), ("2", tmp_path / "runs" / "calm-sim-s2-1")]
    for seed, _ in runs:
        keelhaul("run", "calm", "--world", "sim", "--time-limit", "2", "--seed", seed, cwd=tmp_path)
    (_, one), (_, two) = runs
    same = keelhaul("replay", str(one), cwd=tmp_path)
    assert "the trace is the same, to the last event" in same.stdout
    for name in ("verdict.json", "trace.marks"):
        (one / name).write_bytes((two / name).read_bytes())
    other = keelhaul("replay", str(one), cwd=tmp_path)
    assert other.returncode == 70
    assert re.search(r"the trace is not the recorded one: .*; event \d+: now '\d+ .*', which is not", other.stderr)
    (one / "trace.marks").write_bytes(b"")
    assert "event 1: now" in keelhaul("replay", str(one), cwd=tmp_path).stderr


def test_where_a_trace_parts_is_found_by_its_marks() -> None:
    """One event that is another, one too many, and one that is missing."""
    trace = Trace(keep=True, mark=True)
    for number in range(5):
        trace.event(number, f"event {number}")
    events, marks = trace.kept or [], trace.marks or b""
    assert first_stranger(events, marks) is None
    assert first_stranger([*events[:3], "x", *events[4:]], marks) == "event 4: now 'x', which is not what was recorded"
    assert first_stranger([*events, "x"], marks) == "event 6: now 'x', which is not what was recorded"
    assert first_stranger(events[:3], marks) == "event 4: there is none now; 2 more were recorded"
