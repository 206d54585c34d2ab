"""Every checker proves itself on a good and a bad history, found by its file's name.

Whoever adds `checkers/NAME.py` with a `check` adds `tests/histories/good/NAME.jsonl` and `bad/NAME.jsonl`, and nothing
else: this file finds all three.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from checkers.history import read
from checkers.judge import load, names
from checkers.verdict import Answer, Verdict

HISTORIES = Path(__file__).parent.parent / "histories"
NEVER_INVALID = ("vacuity",)


def _verdict(name: str, kind: str) -> Verdict:
    path = HISTORIES / kind / f"{name.replace('-', '_')}.jsonl"
    assert path.is_file(), f"checker {name} has no {kind} history: add {path}"
    return load(name).check(read(path))


@pytest.mark.parametrize("name", names())
def test_the_good_history_is_valid(name: str) -> None:
    """A checker that cries wolf is worth nothing."""
    verdict = _verdict(name, "good")
    assert (verdict.answer, verdict.found) == (Answer.VALID, 0), verdict


@pytest.mark.parametrize("name", names())
def test_the_bad_history_is_convicted(name: str) -> None:
    """A checker that cannot fail is worth less; the guard against empty runs says unknown, and never invalid."""
    verdict = _verdict(name, "bad")
    assert verdict.answer is (Answer.UNKNOWN if name in NEVER_INVALID else Answer.INVALID)
    assert verdict.findings
    assert verdict.found >= len(verdict.findings)
    assert all(finding.summary and finding.kind for finding in verdict.findings)


@pytest.mark.parametrize("kind", ["good", "bad"])
@pytest.mark.parametrize("name", names())
def test_a_verdict_bears_its_checkers_name_and_can_be_stored(name: str, kind: str) -> None:
    """What is judged today is read as JSON in a year."""
    verdict = _verdict(name, kind)
    assert verdict.checker == name
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


@pytest.mark.parametrize("name", names())
def test_every_checker_answers_to_every_history(name: str) -> None:
    """Histories made for one checker are judged by all others without breaking them."""
    for path in sorted(HISTORIES.glob("*/*.jsonl")):
        assert isinstance(load(name).check(read(path)).answer, Answer)


def test_every_history_belongs_to_a_checker() -> None:
    """A history whose checker is gone or misspelt would prove nothing, in silence."""
    files = {path.stem.replace("_", "-") for path in HISTORIES.glob("*/*.jsonl")}
    assert files == set(names())
