"""Delta debugging: make a list small that fails, by leaving parts of it out (Zeller and Hildebrandt, TSE 2002).

Candidates are handed out many at a time, so that they can be tried side by side; which of them is taken depends on
their order alone and not on which was tried first. This file knows lists. It does not know what is in them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

FirstFailing = Callable[[list[tuple[T, ...]]], int | None]
"""Which of these candidates fails, the first in their order, or None."""


def ddmin(items: Sequence[T], first_failing: FirstFailing[T]) -> tuple[T, ...]:
    """A part of `items`, in their order, that fails and of which no single item can be left out.

    The whole must fail. What does not fail in a list may well fail in a smaller one; then the answer is one of many.
    """
    kept, parts = tuple(items), 2
    while kept:
        candidates = _without_each(kept, min(parts, len(kept)))
        found = first_failing(candidates)
        if found is not None:
            kept, parts = candidates[found], max(2, parts - 1)
        elif parts >= len(kept):
            break
        else:
            parts *= 2
    return kept


def _without_each(items: tuple[T, ...], parts: int) -> list[tuple[T, ...]]:
    """The list without each of its parts in turn, the last part first: what came after the anomaly matters least."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    pairs = list(itertools.pairwise(bounds))
    return [items[:begin] + items[end:] for begin, end in reversed(pairs)]
