"""Find the checkers and let them judge.

A checker is a file beside this one that defines `check`; its name is the file's, with dashes for underscores. There is
no list to edit. This file knows how checkers are found and what to do when one breaks, and nothing of what they check.
"""

from __future__ import annotations

import pkgutil
import traceback
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

import msgspec

import checkers
from checkers.history import History
from checkers.verdict import Answer, Checker, Verdict, worst


class NoSuchCheckerError(ValueError):
    """A checker that was asked for and is not there: names those that are."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What all checkers together say of a history."""

    answer: Answer
    verdicts: tuple[Verdict, ...]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Name every checker there is; one whose file cannot be imported is named too, so that its absence is seen."""
    files = sorted(module.name for module in pkgutil.iter_modules(checkers.__path__))
    return tuple(_spoken(file) for file in files if _is_checker(file))


def load(name: str) -> Checker:
    """Load a checker by its name."""
    if _spoken(name) not in names():
        raise NoSuchCheckerError(f"no checker {name!r} in checkers; there is {', '.join(names())}")
    return cast("Checker", _module(name.replace("-", "_")))


def is_safety(name: str) -> bool:
    """Whether what a checker judges must hold whatever is broken: it says so of itself with `SAFETY = True`."""
    return bool(getattr(load(name), "SAFETY", False))


def judge(history: History, chosen: Iterable[str] | None = None) -> Judgement:
    """Let the chosen checkers, or all of them, judge a history, and combine what they say.

    A wrong name raises before anything is judged. A checker that breaks yields `unknown` with what broke it: a bug in
    one must not cost the verdicts of the others.
    """
    wanted = tuple(names() if chosen is None else dict.fromkeys(map(_spoken, chosen)))
    for name in wanted:
        if name not in names():
            load(name)
    verdicts = tuple(_verdict(name, history) for name in wanted)
    return Judgement(answer=worst(verdict.answer for verdict in verdicts), verdicts=verdicts)


def _verdict(name: str, history: History) -> Verdict:
    try:
        return load(name).check(history)
    except Exception as error:  # whatever a checker does, the run is not lost
        return Verdict(checker=name, answer=Answer.UNKNOWN, reason=f"the checker itself failed: {_summary(error)}")


def _summary(error: Exception) -> str:
    said = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    frames = traceback.extract_tb(error.__traceback__)
    return f"{said} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else said


def _spoken(file: str) -> str:
    return file.replace("_", "-")


def _module(file: str) -> ModuleType:
    return import_module(f"{checkers.__name__}.{file}")


def _is_checker(file: str) -> bool:
    try:
        check = getattr(_module(file), "check", None)
    except Exception:  # a broken file is listed, and says what is wrong when it is asked to judge
        return True
    return callable(check) and check.__module__ == f"{checkers.__name__}.{file}"
