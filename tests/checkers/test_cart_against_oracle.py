"""The checker agrees with an ideal store whose every cart remembers what its author had seen, and what he took out.

The oracle never follows a context and never compares two carts: clients tell it what they do. What the checker infers
from the outside must be the same, with and without damage planted at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.cart import check
from checkers.history import Outcome
from checkers.kept_writes import check as check_kept_writes
from checkers.verdict import Answer
from tests.checkers.story import FAILED, OK, UNKNOWN, Story

APPLIED = {OK: True, FAILED: False}
GHOST = "ghost:zzz"


@dataclass(frozen=True)
class Cart:
    """One value: its items, the values that it replaces, and what its author took out or put in."""

    items: frozenset[str]
    seen: frozenset[str]
    taken_out: frozenset[str] = frozenset()
    put_in: frozenset[str] = frozenset()


@dataclass
class Telling:
    """A story and the ideal store that it happened to, side by side; `read` is one client's latest view."""

    story: Story = field(default_factory=Story)
    live: list[str] = field(default_factory=list)
    carts: dict[str, Cart] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reads: list[tuple[str | None, tuple[str, ...]]] = field(default_factory=lambda: [(None, ())])

    def get(self, stale: list[bool]) -> None:
        """Read what is live, and of what was replaced whatever `stale` says."""
        happened = [value for value in self.carts if self.outcomes[value] is not FAILED]
        old = [value for value, keep in zip(happened, stale, strict=False) if keep]
        returned = tuple(dict.fromkeys((*self.live, *old)))
        self.reads.append((self.story.get(*returned), returned))

    def put(self, outcome: Outcome, happens: bool, read: int, removes: int | None) -> None:
        """Add an item to what one of the reads returned, or take one out."""
        op, returned = self.reads[-1 - read % len(self.reads)]
        before: frozenset[str] = frozenset().union(*(self.carts[value].items for value in returned))
        seen = frozenset(returned).union(*(self.carts[value].seen for value in returned))
        name = f"p{len(self.carts)}"
        if removes is None or not before:
            cart = Cart(before | {name}, seen, put_in=frozenset({name}))
        else:
            gone = sorted(before)[removes % len(before)]
            cart = Cart(before - {gone}, seen, taken_out=frozenset({gone}))
        value = f"{name}:{','.join(sorted(cart.items))}"
        self.story.put(value, after=op, outcome=outcome)
        self.carts[value], self.outcomes[value] = cart, outcome
        if APPLIED.get(outcome, happens):
            self.live = [other for other in self.live if other not in seen] + [value]


_gets = st.tuples(st.just("get"), st.lists(st.booleans(), max_size=4))
_puts = st.tuples(
    st.just("put"),
    st.sampled_from([OK, OK, UNKNOWN, FAILED]),
    st.booleans(),
    st.integers(0, 4),
    st.none() | st.integers(0, 9),
)
_scripts = st.lists(_gets | _puts, min_size=1, max_size=16)


def tell(script: list[tuple[Any, ...]]) -> Telling:
    """Act a script out."""
    telling = Telling()
    for name, *arguments in script:
        getattr(telling, name)(*arguments)
    return telling


def expected(telling: Telling, held: list[str]) -> dict[str, int]:
    """Say by going through everything what became of each item, when just these values are held."""
    carts = telling.carts
    known = [carts[value] for value in held if value in carts]
    present = frozenset(("zzz",) if GHOST in held else ()).union(*(cart.items for cart in known))
    counted = frozenset(held).union(*(cart.seen for cart in known))
    taken_out = frozenset[str]().union(*(carts[value].taken_out for value in carts if value in counted))
    of = {
        outcome: frozenset[str]().union(*(carts[v].put_in for v in carts if telling.outcomes[v] is outcome))
        for outcome in Outcome
    }
    removed_for_sure = frozenset[str]().union(*(carts[v].taken_out for v in carts if telling.outcomes[v] is OK))
    return {
        "added": len(of[OK]),
        "present": len(of[OK] & present),
        "removed": len((of[OK] - present) & taken_out),
        "lost": len(of[OK] - present - taken_out),
        "resurfaced": len(of[OK] & present & removed_for_sure),
        "phantom": len(present - of[OK] - of[UNKNOWN]),
        "unknown_present": len(of[UNKNOWN] & present),
    }


@settings(max_examples=200, deadline=None)
@given(_scripts)
def test_an_ideal_store_is_never_accused(script: list[tuple[Any, ...]]) -> None:
    """Whatever clients do to a store that loses nothing, nothing is found."""
    telling = tell([("put", OK, True, 0, None), *script])
    verdict = check(telling.story.everywhere(*telling.live).ended())
    assert (verdict.answer, verdict.found) == (Answer.VALID, 0), verdict.findings


@settings(max_examples=400, deadline=None)
@given(_scripts, st.data())
def test_planted_damage_is_found_exactly(script: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """Any end, with carts dropped, brought back or made up, is judged as the oracle judges it; and every lost item is
    a lost write as well.
    """
    telling = tell([("put", OK, True, 0, None), *script])
    any_end = st.lists(st.sampled_from([*telling.carts, GHOST]), unique=True, max_size=4)
    held = data.draw(any_end | st.just(telling.live[1:]) | st.just(telling.live[:-1]))
    history = telling.story.everywhere(*held).ended()
    verdict, wrong = check(history), expected(telling, held)
    assert {name: verdict.figures[name] for name in wrong} == wrong
    assert verdict.found == wrong["lost"] + wrong["phantom"]
    assert verdict.answer is (Answer.INVALID if verdict.found else Answer.VALID)
    assert wrong["lost"] <= check_kept_writes(history).figures["lost"]


@pytest.mark.parametrize("fate", ["lost", "removed", "resurfaced", "phantom", "unknown_present"])
def test_the_oracle_knows_every_fate(fate: str) -> None:
    """Each is really within reach of the scripts above, so agreement on it means something."""
    add: tuple[Any, ...] = ("put", OK, True, 0, None)
    read: tuple[Any, ...] = ("get", [])
    take: tuple[Any, ...] = ("put", OK, True, 0, 0)
    scripts: dict[str, tuple[list[tuple[Any, ...]], list[str]]] = {
        "lost": ([add, add], ["p1:p1"]),
        "removed": ([add, read, take], ["p1:"]),
        "resurfaced": ([add, read, take], ["p0:p0"]),
        "phantom": ([add], ["p0:p0", GHOST]),
        "unknown_present": ([add, ("put", UNKNOWN, True, 0, None)], ["p0:p0", "p1:p1"]),
    }
    script, held = scripts[fate]
    telling = tell(script)
    assert expected(telling, held)[fate] == 1
    assert check(telling.story.everywhere(*held).ended()).figures[fate] == 1
