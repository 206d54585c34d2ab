"""A run is explained by what really happened in it: nobody changes it by watching, and what differs is found."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from rich.console import Console

from checkers.history import PhaseBegan, Record, RunEnded, RunStarted, encode
from checkers.verdict import Answer
from harness.comparing import consequences, first_divergence, nearest_passing, neighbours, shipped
from harness.directory import HISTORY
from harness.explain import MOMENTS_MAX, Observed, focused, ladder, observe, telling
from harness.explaining import explain_command
from harness.explanation import NO_MESSAGES, explain, find
from harness.plugins import find_scenarios
from harness.runs import Finished, carry_out, schedule_of, simulate
from harness.shrink.case import Case
from harness.shrink.export import ScenarioFile
from harness.shrink.export import save as save_scenario
from harness.spec import RunSpec, UsageError
from harness.story import Plot
from reports.ladder import Ladder, Message, moments
from tests.bugs import dropped_siblings

MS = 1_000_000


def spec(**options: object) -> RunSpec:
    """A few operations on one key through a partition, on nodes that drop siblings; the store needs no seed's luck."""
    few: dict[str, object] = {
        "time_limit_s": 4.0, "every_s": 4.0, "for_s": 2.0, "rate": 3.0, "keys": 1, "concurrency": 2
    }  # fmt: skip
    faults = find_scenarios("partition-halves")["partition-halves"].faults
    known: dict[str, object] = {"scenario": "partition-halves", "world": "sim", "seed": 3, "engine": "sqlite"}
    return RunSpec(**{**known, "faults": faults, "variant": dropped_siblings.__name__, **few, **options}).checked()  # type: ignore[arg-type]


def plot(**options: object) -> Plot:
    """The same, with its faults."""
    asked = spec(**options)
    return Plot(asked, schedule_of(asked))


def first_wrong(**options: object) -> Observed:
    """The run of the first seed in which a write is lost: which one that is moves with every delay."""
    runs = (observe(plot(**options, seed=seed)) for seed in range(3, 13))
    return next(observed for observed in runs if observed.judgement.answer is Answer.INVALID)


@pytest.fixture(scope="module")
def wrong() -> Observed:
    """A run in which a write is lost."""
    return first_wrong()


@pytest.fixture(scope="module")
def about(wrong: Observed) -> Ladder:
    """Everything in it about its key."""
    return ladder(wrong.history, wrong.watch, ("k0",))


@pytest.mark.parametrize("engine", ["sqlite", "log", "memory"])
def test_watching_changes_nothing(engine: str) -> None:
    """A watched run has the trace of one that nobody watches, whatever its nodes keep their data in."""
    observed = observe(plot(engine=engine))
    assert observed.simulated.digest == simulate(plot(engine=engine)).digest
    assert observed.watch.flown
    assert observed.watch.commits


def test_what_a_cut_drops_is_drawn_as_dropped(wrong: Observed, about: Ladder) -> None:
    """Every message on a link that is cut, and no other one; the fault that cut it is named."""
    dropped = [message for message in about.messages if message.fate == "dropped"]
    assert dropped
    for message in about.messages:
        cut = [
            fault.id
            for fault in about.faults
            if (message.source, message.target) in fault.links
            and fault.begins_ns <= message.sent_ns < (fault.ends_ns or wrong.history.lasted_ns)
        ]
        assert message.why == "".join(f"fault {number}" for number in cut)
        assert (message.arrived_ns is None) == bool(cut)


def test_only_what_concerns_the_key(wrong: Observed, about: Ladder) -> None:
    """No heartbeat stands on the ladder, unless everything is asked for; each answer belongs to a question."""
    labels = [message.label.split()[0] for message in about.messages]
    assert dict.fromkeys(labels).keys() <= {"Fetch", "Fetched", "Replicate", "Stored", "Forward", "Forwarded"}
    assert labels.count("Fetched") <= labels.count("Fetch")
    assert labels.count("Stored") <= labels.count("Replicate")
    everything = ladder(wrong.history, wrong.watch, ())
    assert "Ping" in [message.label for message in everything.messages]
    assert len(everything.messages) == len(wrong.watch.flown)
    assert ladder(wrong.history, wrong.watch, ("another",)).messages == ()


def test_operations_commits_and_what_was_held(wrong: Observed, about: Ladder) -> None:
    """Every operation; a commit before each acknowledgement; and what each replica held in the end."""
    assert about.columns == ("load", "c1", "c2", "n1", "n2", "n3", "n4", "n5")
    assert [each.id for each in about.operations] == [each.id for each in wrong.history.operations]
    commits = [(mark.column, mark.at_ns) for mark in about.marks if mark.kind == "commit"]
    for message in about.messages:
        if message.label == "Stored":
            assert any(node == message.source and at_ns <= message.sent_ns for node, at_ns in commits)
    held = {mark.column: mark.label for mark in about.marks if mark.kind == "holds"}
    assert held
    assert all(label.startswith("holds ") for label in held.values())


def test_the_nearest_run_that_passes(wrong: Observed) -> None:
    """Faults are left out before operations, and the shipped node comes last; the first that passes is taken."""
    words = [candidate.words for candidate in neighbours(wrong)]
    kinds = [next(kind for kind in ("fault", "operation", "seed", "node") if kind in each) for each in words]
    assert kinds == sorted(kinds, key=["fault", "operation", "seed", "node"].index)
    assert len(dict.fromkeys(kinds)) == 4
    nearest = nearest_passing(wrong)
    assert nearest is not None
    assert nearest.words == "without fault 1 (partition-halves)"
    assert nearest.observed.judgement.answer is not Answer.INVALID


def test_where_a_run_without_the_fault_parts(wrong: Observed, about: Ladder) -> None:
    """Where the first message is dropped that arrives there."""
    nearest = nearest_passing(wrong)
    assert nearest is not None
    parted = first_divergence(about, ladder(nearest.observed.history, nearest.observed.watch, ("k0",)))
    first = next(message for message in about.messages if message.fate == "dropped")
    assert parted is not None
    assert parted.at_ns == first.sent_ns
    assert parted.here == f"{first.source} sends {first.target} {first.label}, which is dropped by fault 1"
    assert parted.there == "it arrives"


def test_where_the_bug_does_its_work(wrong: Observed, about: Ladder) -> None:
    """Against the shipped node the runs part where the planted bug first keeps one sibling of two."""
    other = shipped(wrong)
    assert other is not None
    there = ladder(other.observed.history, other.observed.watch, ("k0",))
    parted = first_divergence(about, there)
    assert parted is not None
    assert parted.here is not None
    assert parted.there is not None
    node, *_, kept = parted.here.replace(",", "").split()
    assert parted.here == f"{node} commits {kept}"
    assert parted.there.startswith(f"{node} commits ")
    assert kept in parted.there
    assert ", " in parted.there
    assert any(line.startswith("The first other answer") for line in consequences(about, there))


def test_runs_that_do_the_same_do_not_part(about: Ladder) -> None:
    """Neither from themselves, nor where only the times differ."""
    assert first_divergence(about, about) is None
    assert list(consequences(about, about)) == []
    one = Ladder((), ("n1", "n2"), (Message(1, "n1", "n2", "a", 2), Message(3, "n1", "n2", "b", 4)))
    two = Ladder((), ("n1", "n2"), (Message(5, "n1", "n2", "a", 9), Message(6, "n1", "n2", "b", 8)))
    assert first_divergence(one, two) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (Message(2 * MS, "n1", "n2", "a", None, "lost"), Message(2 * MS, "n1", "n2", "a", 3 * MS),
         "Then here n1 sends n2 a, which is lost; there it arrives."),
        (Message(2 * MS, "n1", "n2", "a", 3 * MS), Message(2 * MS, "n1", "n2", "b", 3 * MS),
         "Then here n1 sends n2 a; there n1 sends n2 b."),
        (Message(2 * MS, "n1", "n2", "a", 3 * MS), Message(9 * MS, "n2", "n1", "b", 10 * MS),
         "Then here n1 sends n2 a, and there not."),
        (Message(9 * MS, "n1", "n2", "a", 10 * MS), Message(2 * MS, "n2", "n1", "b", 3 * MS),
         "Then there n2 sends n1 b, and here not."),
    ],
)  # fmt: skip
def test_a_parting_in_words(ours: Message, theirs: Message, words: str) -> None:
    """Another fate, another message in its place, or one that one of the two runs does not have."""
    parted = first_divergence(Ladder((), ("n1", "n2"), (ours,)), Ladder((), ("n1", "n2"), (theirs,)))
    assert parted is not None
    assert parted.words == f"Until 2.0 ms both runs do the same. {words}"


def test_what_is_too_much_is_cut_to_what_matters() -> None:
    """Around the operations of the finding, with what was left out in words."""
    observed = first_wrong(rate=60.0)
    whole = ladder(observed.history, observed.watch, ("k0",))
    finding = telling(observed.judgement)[0]
    seen = focused(whole, finding.operations)
    assert len(moments(whole)) > MOMENTS_MAX >= len(moments(seen))
    assert dict.fromkeys(finding.operations).keys() <= {operation.id for operation in seen.operations}
    assert "--all shows them" in seen.notes[-1]
    begun = focused(whole, ())
    assert [operation.id for operation in begun.operations] == [
        operation.id for operation in whole.operations[: len(begun.operations)]
    ]
    assert MOMENTS_MAX / 2 < len(moments(begun)) <= MOMENTS_MAX + len(whole.nodes) * 3


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, wrong: Observed) -> Finished:
    """A recorded run in which a write is lost, as data: with a script, as a shrunk one has."""
    directory = tmp_path_factory.mktemp("run")
    simulated = wrong.simulated
    return carry_out(simulated.plot.spec, directory, "keelhaul run", script=simulated.script)


def told(subject: Path, **options: object) -> str:
    """What is printed about a run."""
    paper = Console(file=io.StringIO(), width=100, highlight=False, markup=False)
    explain(find(subject, Path()), paper, **options)  # type: ignore[arg-type]
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue()


def test_the_command(finished: Finished) -> None:
    """It says what is wrong, draws a ladder and a picture, and says where a run that passes parts from it."""
    answer = CliRunner().invoke(explain_command, [str(finished.directory)], catch_exceptions=False)
    assert answer.exit_code == 0
    assert "lost-write" in answer.output
    assert "this is not the recorded run" not in answer.output
    assert "─▶│" in answer.output
    assert "Until " in answer.output
    assert (finished.directory / "ladder.svg").read_text().startswith("<svg")


def test_a_scenario_file(tmp_path: Path, wrong: Observed) -> None:
    """A case that was exported is carried out and explained too; its picture lies beside it."""
    simulated = wrong.simulated
    case = Case(simulated.plot.spec, simulated.plot.schedule, simulated.script)
    save_scenario(ScenarioFile(about="a case", expects=None, case=case), tmp_path / "case.json")
    assert "lost-write" in told(tmp_path / "case.json")
    assert (tmp_path / "case.svg").exists()


def test_a_run_of_a_real_world(tmp_path: Path, finished: Finished) -> None:
    """It is explained from its history alone, and said so."""
    for file in finished.directory.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "spec.json").write_text((tmp_path / "spec.json").read_text().replace('"sim"', '"processes"'))
    output = told(tmp_path)
    assert NO_MESSAGES in output
    assert "Replicate" not in output
    assert "━▶│" in output
    assert "fault 1 begins" in output


def test_a_run_with_nothing_wrong(tmp_path: Path) -> None:
    """It is drawn, and there is nothing to compare."""
    carry_out(replace(spec(), variant=None), tmp_path, "keelhaul run")
    output = told(tmp_path)
    assert "seed 3: unknown" in output or "seed 3: valid" in output
    assert "Until" not in output


def test_a_run_that_ended_before_it_began(tmp_path: Path, finished: Finished) -> None:
    """Without an operation there is still a ladder."""
    for file in finished.directory.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "spec.json").write_text((tmp_path / "spec.json").read_text().replace('"sim"', '"processes"'))
    begun = RunStarted(
        scenario="s", system="dynamo", world="processes", workload="register", seed=1, nodes=("n1",), n=1, r=1, w=1
    )
    records: tuple[Record, ...] = (begun, PhaseBegan(at=0, name="prepare"), RunEnded(at=1, interrupted="interrupted"))
    (tmp_path / HISTORY).write_bytes(b"".join(map(encode, records)))
    assert "s in processes, seed 1" in told(tmp_path)


def test_what_cannot_be_explained(finished: Finished, tmp_path: Path) -> None:
    """A key that nobody touched, a picture that cannot be drawn, a run that is not there: one line each."""
    with pytest.raises(UsageError, match=r"--key k9: no operation of the run touches it; there is k0"):
        told(finished.directory, key="k9")
    with pytest.raises(UsageError, match="No such file or directory; give a file that can be written"):
        told(finished.directory, picture=tmp_path / "not" / "there.svg")
    with pytest.raises(UsageError, match="no run nothing"):
        find(Path("nothing"), tmp_path)
