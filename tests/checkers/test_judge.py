"""Checkers are found by their files' names, and one that breaks costs nobody a verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import checkers
from checkers.history import History
from checkers.judge import NoSuchCheckerError, judge, load, names
from checkers.verdict import Answer, worst
from tests.checkers.story import Story


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second folder of checkers beside the real ones, forgotten after the test."""
    monkeypatch.setattr(checkers, "__path__", [*checkers.__path__, str(tmp_path)])
    names.cache_clear()
    yield tmp_path
    names.cache_clear()
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(f"checkers.{file.stem}", None)
        vars(checkers).pop(file.stem, None)


def _history() -> History:
    story = Story()
    story.put("a")
    return story.everywhere("a").settled().ended()


def test_every_checker_is_found_by_its_file() -> None:
    """Files without a `check` of their own, such as this judge, are no checkers."""
    assert set(names()) >= {"convergence", "dots", "kept-writes", "vacuity", "writable"}
    assert not {"judge", "history", "verdict", "evidence"} & set(names())


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    """In one line, before anything is judged."""
    message = f"no checker 'kep' in checkers; there is {', '.join(names())}"
    with pytest.raises(NoSuchCheckerError) as wrong:
        load("kep")
    assert str(wrong.value) == message
    with pytest.raises(NoSuchCheckerError):
        judge(_history(), ["dots", "kep"])


def test_a_name_may_be_written_as_the_file_is() -> None:
    """Dashes and underscores name the same checker, which judges once."""
    judgement = judge(_history(), ["kept_writes", "kept-writes"])
    assert [verdict.checker for verdict in judgement.verdicts] == ["kept-writes"]


def test_a_file_that_is_added_is_found(folder: Path) -> None:
    """Add a file, touch nothing."""
    source = (
        "from checkers.verdict import Answer, Verdict\n"
        "def check(history):\n"
        "    return Verdict(checker='mood-swings', answer=Answer.INVALID, reason='a bad day')\n"
    )
    (folder / "mood_swings.py").write_text(source)
    assert "mood-swings" in names()
    assert judge(_history(), ["mood-swings"]).answer is Answer.INVALID


def test_a_file_that_borrows_a_check_is_no_checker(folder: Path) -> None:
    """Only a file that defines its own judges; otherwise one verdict would be counted twice."""
    (folder / "borrowed.py").write_text("from checkers.dots import check\n")
    assert "borrowed" not in names()


@pytest.mark.parametrize(
    "source", ["def check(history):\n    return history.records[10 ** 9]\n", "import nowhere_at_all\n"]
)
def test_a_checker_that_breaks_is_unknown_and_the_others_still_judge(folder: Path, source: str) -> None:
    """A bug in a checker, or in its file, is the reason of its own verdict."""
    (folder / "broken.py").write_text(source)
    judgement = judge(_history(), ["broken", "dots"])
    broken, dots = judgement.verdicts
    assert (broken.answer, dots.answer, judgement.answer) == (Answer.UNKNOWN, Answer.VALID, Answer.UNKNOWN)
    assert broken.reason.startswith("the checker itself failed: ")
    assert "Error: " in broken.reason


def test_all_judge_unless_some_are_chosen() -> None:
    """Without a choice every checker is asked, in order."""
    assert tuple(verdict.checker for verdict in judge(_history()).verdicts) == names()


@pytest.mark.parametrize(
    ("answers", "combined"),
    [
        ([Answer.VALID, Answer.VALID], Answer.VALID),
        ([Answer.VALID, Answer.UNKNOWN], Answer.UNKNOWN),
        ([Answer.UNKNOWN, Answer.INVALID, Answer.VALID], Answer.INVALID),
        ([], Answer.UNKNOWN),
    ],
)
def test_the_worst_answer_wins(answers: list[Answer], combined: Answer) -> None:
    """Invalid outranks unknown, unknown outranks valid, and no answer proves nothing."""
    assert worst(answers) is combined


def test_judging_needs_no_graph_library_when_nothing_is_found() -> None:
    """networkx is loaded for a finding only."""
    import subprocess

    program = "import sys, checkers.judge as j; j.names(); print('networkx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
