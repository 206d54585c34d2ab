"""What a checker says: an answer, the reason for it, and the evidence.

This file knows how answers combine. It does not know how any of them was reached.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, Protocol

import msgspec

from checkers.history import History


class Answer(Enum):
    """Three answers, because "we could not tell" is neither a pass nor a failure."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly with the least evidence that shows it.

    `kind` is a stable name for machines (`lost-write`), `summary` one sentence for people, and `evidence` readable
    lines: the operations concerned in order, with times and nodes, and the version graph of the key.
    """

    kind: str
    summary: str
    key: str | None = None
    operations: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of one checker about one history.

    `figures` are numbers worth keeping whatever the answer is, and `notes` say the telling ones in words, a sentence
    each. `findings` may be cut by the checker, `found` never is.
    """

    checker: str
    answer: Answer
    reason: str
    findings: tuple[Finding, ...] = ()
    found: int = 0
    figures: dict[str, Any] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Checker(Protocol):
    """What a file in `checkers/` exports to be a checker; its name on the command line is the file's."""

    def check(self, history: History) -> Verdict:
        """Judge the history; say unknown rather than guess."""


FINDINGS_MAX = 10
"""How many findings a checker writes out; the eleventh of a kind teaches nobody anything, and is still counted."""

_WORST_FIRST = (Answer.INVALID, Answer.UNKNOWN, Answer.VALID)


def worst(answers: Iterable[Answer]) -> Answer:
    """Combine answers: invalid outranks unknown, and no answer at all proves nothing."""
    given = set(answers)
    return next((answer for answer in _WORST_FIRST if answer in given), Answer.UNKNOWN)
