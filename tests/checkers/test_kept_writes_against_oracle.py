"""The checker agrees with an ideal store that remembers every version's whole causal history as a plain set.

The oracle never follows a context: it knows what each version had seen because it kept it, and decides by set
membership. What the checker infers from the outside must be the same, with and without damage planted at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.history import Outcome
from checkers.kept_writes import check
from checkers.verdict import Answer
from tests.checkers.story import FAILED, OK, UNKNOWN, Story

APPLIED = {OK: True, FAILED: False}


@dataclass
class IdealStore:
    """One copy of one key: what is live, and all that each version ever written had seen."""

    live: list[str] = field(default_factory=list)
    past: dict[str, frozenset[str]] = field(default_factory=dict)

    def put(self, value: str, seen: frozenset[str]) -> None:
        """Write a value whose author had seen these."""
        self.past[value] = seen
        self.live = [other for other in self.live if other not in seen] + [value]


@dataclass
class Telling:
    """A story and the ideal store that it happened to, side by side."""

    story: Story = field(default_factory=Story)
    store: IdealStore = field(default_factory=IdealStore)
    acknowledged: list[str] = field(default_factory=list)
    failed: dict[str, frozenset[str]] = field(default_factory=dict)
    puts: int = 0
    read: list[str] = field(default_factory=list)
    contexts: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    def get(self, stale: list[bool]) -> None:
        """Read what is live, and of what was overwritten whatever `stale` says: a sloppy quorum may return it."""
        old = [value for value, keep in zip(self.store.past, stale, strict=False) if keep]
        returned = list(dict.fromkeys((*self.store.live, *old)))
        seen = frozenset(returned).union(*(self.store.past[value] for value in returned))
        self.contexts.append((self.story.get(*returned), seen))
        self.read += returned

    def put(self, outcome: Outcome, happens: bool, context: int | None) -> None:
        """Write a fresh value with one of the contexts so far, or with none."""
        self.puts += 1
        value = f"v{self.puts}"
        op, seen = (
            self.contexts[context % len(self.contexts)] if context is not None and self.contexts else (None, _NONE)
        )
        put = self.story.put(value, after=op, outcome=outcome)
        if APPLIED.get(outcome, happens):
            self.store.put(value, seen)
        elif outcome is FAILED:
            self.failed[value] = seen
        if outcome is OK:
            self.acknowledged.append(value)
            self.contexts.append((put, seen | {value}))


_NONE: frozenset[str] = frozenset()
_gets = st.tuples(st.just("get"), st.lists(st.booleans(), max_size=4))
_puts = st.tuples(
    st.just("put"),
    st.sampled_from([OK, OK, UNKNOWN, FAILED]),
    st.booleans(),
    st.none() | st.integers(0, 20),
)
_scripts = st.lists(_gets | _puts, min_size=1, max_size=14)


def tell(script: list[tuple[object, ...]]) -> Telling:
    """Act a script out."""
    telling = Telling()
    for name, *arguments in script:
        getattr(telling, str(name))(*arguments)
    return telling


def expected(telling: Telling, held: list[str]) -> dict[str, int]:
    """Say by set membership what is wrong with holding just these values at the end.

    A value held in spite of its put's failure was written after all, and covers what its author had seen.
    """
    past = telling.store.past
    covered = _NONE.union(*((past | telling.failed).get(value, _NONE) for value in held))
    gone = [value for value in past if value not in held and value not in covered]
    seen = dict.fromkeys((*held, *telling.read))
    return {
        "lost": sum(value in telling.acknowledged for value in gone),
        "vanished": sum(value not in telling.acknowledged and value in telling.read for value in gone),
        "resurrected": sum(value in covered for value in held),
        "phantom": sum(value not in past for value in seen),
    }


@settings(max_examples=200, deadline=None)
@given(_scripts)
def test_an_ideal_store_is_never_accused(script: list[tuple[object, ...]]) -> None:
    """Whatever clients do to a store that loses nothing, nothing is found."""
    telling = tell(script)
    verdict = check(telling.story.everywhere(*telling.store.live).ended())
    assert verdict.found == 0, verdict.findings
    assert verdict.answer is (Answer.VALID if telling.acknowledged else Answer.UNKNOWN)


@settings(max_examples=300, deadline=None)
@given(_scripts, st.data())
def test_planted_damage_is_found_exactly(script: list[tuple[object, ...]], data: st.DataObject) -> None:
    """Any end, with versions dropped, brought back or made up, is judged as the oracle judges it."""
    telling = tell([("put", OK, True, None), *script])
    possible = [*telling.store.past, *telling.failed, "ghost"]
    held = data.draw(st.lists(st.sampled_from(possible), unique=True, max_size=4) | st.just(telling.store.live[1:]))
    verdict = check(telling.story.everywhere(*held).ended())
    wrong = expected(telling, held)
    assert {kind: verdict.figures[kind] for kind in wrong} == wrong
    assert verdict.found == sum(wrong.values())
    assert verdict.answer is (Answer.INVALID if verdict.found else Answer.VALID)


@pytest.mark.parametrize("kind", ["lost", "vanished", "resurrected", "phantom"])
def test_the_oracle_knows_every_kind(kind: str) -> None:
    """Each kind of damage is really within reach of the scripts above, so agreement on it means something."""
    first = ("put", OK, True, None)
    scripts: dict[str, tuple[list[tuple[object, ...]], list[str]]] = {
        "lost": ([first], []),
        "vanished": ([first, ("put", UNKNOWN, True, None), ("get", [])], ["v1"]),
        "resurrected": ([first, ("put", OK, True, 0)], ["v1", "v2"]),
        "phantom": ([first], ["v1", "ghost"]),
    }
    script, held = scripts[kind]
    telling = tell(script)
    assert expected(telling, held)[kind] == 1
    assert check(telling.story.everywhere(*held).ended()).figures[kind] == 1
