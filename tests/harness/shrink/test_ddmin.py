"""Delta debugging finds what matters, and nothing can be left out of what it finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.shrink.ddmin import ddmin

LISTS = st.integers(1, 60)


@given(LISTS, st.data())
def test_it_finds_exactly_what_is_needed(length: int, data: st.DataObject) -> None:
    """Where a list fails that has certain items, these are what is left, in their order."""
    items = tuple(range(length))
    needed = data.draw(st.sets(st.sampled_from(items), max_size=6))
    found = ddmin(items, lambda lists: next((at for at, kept in enumerate(lists) if needed <= set(kept)), None))
    assert found == tuple(sorted(needed))


@given(LISTS, st.integers(1, 9), st.integers(0, 8))
def test_nothing_can_be_left_out_of_what_it_finds(length: int, step: int, rest: int) -> None:
    """Also where what fails is not monotonic: any two items that differ by `step`, or a list of a certain length."""

    def fails(kept: tuple[int, ...]) -> bool:
        return any(item + step in kept for item in kept) or len(kept) % 9 == rest

    items = tuple(range(length))
    if not fails(items):
        return
    found = ddmin(items, lambda lists: next((at for at, kept in enumerate(lists) if fails(kept)), None))
    assert fails(found)
    assert not any(fails(found[:at] + found[at + 1 :]) for at in range(len(found)))


def test_it_takes_few_tries_where_little_matters() -> None:
    """Two items of a thousand are found in fewer than two hundred tries."""
    tried = 0

    def first_failing(lists: list[tuple[int, ...]]) -> int | None:
        nonlocal tried
        for at, kept in enumerate(lists):
            tried += 1
            if 311 in kept and 745 in kept:
                return at
        return None

    assert ddmin(range(1000), first_failing) == (311, 745)
    assert tried < 200
