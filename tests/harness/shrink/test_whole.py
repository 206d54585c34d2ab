"""From a recorded run to a scenario file that fails in every world."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest
from msgspec.structs import replace

from harness.directory import SPEC
from harness.explore.seeds import kinds_of
from harness.runs import carry_out
from harness.shrink.export import ScenarioFile, load, save
from harness.shrink.trials import kinds_in
from harness.shrink.whole import SHRUNK, recorded
from harness.spec import RunSpec, UsageError
from harness.spec import load as load_spec
from harness.spec import save as save_spec
from tests.harness.test_cli import keelhaul, one_line

KIND = "kept-writes/lost-write"
GUILTY = RunSpec(
    scenario="partition-halves",
    world="sim",
    seed=1,
    faults=("partition-halves",),
    time_limit_s=8.0,
    rate=60.0,
    keys=8,
    variant="tests.bugs.dropped_siblings",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a lost write."""
    directory = tmp_path_factory.mktemp("guilty")
    assert KIND in kinds_of(carry_out(GUILTY, directory, "no line").judgement)
    return directory


def test_a_recorded_run_played_again_shows_what_it_showed(run: Path) -> None:
    """Its operations are data: nothing is drawn but delays, and those as before."""
    case = recorded(run)
    assert len(case.operations) > 400
    assert KIND in kinds_in(case)


def test_a_run_is_shrunk_to_a_file_that_fails(run: Path, tmp_path: Path) -> None:
    """A handful of operations and one fault are left; the file fails in the simulated world each time it is run."""
    finished = keelhaul("shrink", str(run), "--jobs", "1", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "nothing more can be left out" in finished.stdout
    scenario = load(run / SHRUNK)
    assert scenario.expects == KIND
    assert len(scenario.case.operations) <= 6
    assert len(scenario.case.schedule) <= 1
    assert scenario.case.spec.nodes <= 5
    again = keelhaul("run", str(run / SHRUNK), "--world", "sim", cwd=tmp_path)
    assert again.returncode == 1, again.stdout
    assert f"{KIND}, which this scenario expects, was seen in attempt 1 of 1" in again.stdout
    innocent = keelhaul("run", str(run / SHRUNK), "--world", "sim", "--node-module", "none", cwd=tmp_path)
    assert innocent.returncode == 0, innocent.stdout
    assert "was not seen" in innocent.stdout
    assert f"keelhaul run {run / SHRUNK} --world sim --node-module none" in " ".join(innocent.stdout.split())


def test_the_line_it_prints_runs_what_it_has_shrunk(tmp_path: Path) -> None:
    """Also when the run was named `latest`, which is another run afterwards."""
    bug = ("--node-module", "tests.bugs.dropped_siblings", "--time-limit", "5")
    assert keelhaul("run", "partition-halves", "--world", "sim", *bug, cwd=tmp_path).returncode == 1
    shrunk = keelhaul("shrink", "--jobs", "1", cwd=tmp_path)
    assert shrunk.returncode == 0, shrunk.stderr
    line = next(line for line in shrunk.stdout.splitlines() if line.startswith("repeat it with"))
    again = keelhaul(*line.partition("keelhaul ")[2].split(), cwd=tmp_path)
    assert again.returncode == 1, again.stderr


def test_a_shrunk_run_is_replayed_with_its_operations(run: Path, tmp_path: Path) -> None:
    """`keelhaul replay` of a scripted run takes the script, and finds the same trace."""
    case = recorded(run)
    directory = tmp_path / "runs" / "scripted"
    directory.mkdir(parents=True)
    carry_out(case.spec, directory, "no line", schedule=case.schedule, script=case.script)
    finished = keelhaul("replay", "scripted", cwd=tmp_path)
    assert finished.returncode == 1, finished.stderr
    assert "the trace is the same, to the last event" in finished.stdout


def test_a_run_of_a_real_world_is_searched_for_in_simulation(run: Path, tmp_path: Path) -> None:
    """What is not found there is unknown: a verdict about the search, not about the run."""
    real = tmp_path / "real"
    shutil.copytree(run, real)
    save_spec(replace(load_spec(run / SPEC), world="processes", variant=None), real / SPEC)
    finished = keelhaul("shrink", str(real), "--message-seeds", "2", "--out", "none.json", cwd=tmp_path)
    assert finished.returncode == 2
    assert "was not found in simulation under 2 orders of its messages" in " ".join(finished.stdout.split())
    assert not (tmp_path / "none.json").exists()


def test_what_cannot_be_shrunk_is_said_in_one_line(run: Path, tmp_path: Path) -> None:
    """A run without an anomaly, an anomaly that it does not show, a run without operations."""
    valid = tmp_path / "valid"
    valid.mkdir()
    carry_out(replace(GUILTY, variant=None), valid, "no line")
    assert "is valid: there is no anomaly to keep" in one_line(keelhaul("shrink", "valid", "--runs", ".", cwd=tmp_path))
    other = keelhaul("shrink", str(run), "--kind", "dots/reused-dot", cwd=tmp_path)
    assert "--kind dots/reused-dot: " in one_line(other)
    old = tmp_path / "old"
    shutil.copytree(run, old)
    (old / "operations.json").unlink()
    nowhere = keelhaul("shrink", str(run), "--out", "/nonexistent/a.json", cwd=tmp_path)
    assert "--out /nonexistent/a.json: it cannot be written" in one_line(nowhere)
    assert "has no operations.json" in one_line(keelhaul("shrink", "old", "--runs", ".", cwd=tmp_path))


def test_a_scenario_file_that_is_none_is_refused(run: Path, tmp_path: Path) -> None:
    """With the file, and what is wrong with it."""
    case = recorded(run)
    file = tmp_path / "scenario.json"
    save(ScenarioFile(about="a lost write", expects=KIND, case=case), file)
    assert load(file).case == case
    told = json.loads(file.read_text())
    told["case"]["script"]["load"][0]["node"] = "n9"
    file.write_text(json.dumps(told))
    with pytest.raises(UsageError, match=r"scenario.json: operation load.0 goes to node 'n9'; the run has n1, n2"):
        load(file)
    told["case"]["script"]["load"][0]["node"] = "n1"
    for part, change, said in (
        ("schedule", {"name": "bogus"}, "fault 1 is a 'bogus'; there is"),
        ("schedule", {"at_ns": -5}, "fault 1 has a negative time"),
        ("load", {"f": "frob"}, "operation load.0 is a 'frob'; it can be get, put"),
    ):
        broken = json.loads(json.dumps(told))
        where = broken["case"]["schedule"] if part == "schedule" else broken["case"]["script"][part]
        where[0].update(change)
        file.write_text(json.dumps(broken))
        with pytest.raises(UsageError, match=said):
            load(file)
    told["case"]["spec"]["scenario"] = "../../outside"
    file.write_text(json.dumps(told))
    with pytest.raises(UsageError, match="a name has letters"):
        load(file)
    file.write_bytes(msgspec.json.encode({"format": 9}))
    with pytest.raises(UsageError, match="is no scenario file"):
        load(file)
    assert "give --message-seed" in one_line(_run(run, tmp_path, "--seed", "3"))
    assert "nowhere.json: No such file" in one_line(keelhaul("run", "nowhere.json", cwd=tmp_path))


def _run(run: Path, cwd: Path, *options: str) -> CompletedProcess[str]:
    file = cwd / "good.json"
    save(ScenarioFile(about="a lost write", expects=KIND, case=recorded(run)), file)
    return keelhaul("run", "good.json", "--world", "sim", *options, cwd=cwd)
