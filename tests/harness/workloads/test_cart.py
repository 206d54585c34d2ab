"""The shopping cart: what is written follows from what was read, and no cart outgrows the history."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from checkers.cart_text import items_of, written
from checkers.history import Version
from harness.clients import READS_KEPT
from harness.contracts import Step
from harness.systems.dynamo import VALUE_TEXT_MAX
from harness.workloads import cart


def _put(edit: str, op: str = "c1.2") -> Step:
    return Step(op=op, client="c1", node="n1", f="put", key="k", context_of="c1.1", edit=edit)


def _read(*carts: str) -> tuple[Version, ...]:
    return tuple(Version(f"dot-{number}", text) for number, text in enumerate(carts))


@pytest.mark.parametrize(
    ("edit", "read", "value"),
    [
        ("+x", _read("a:i,k", "b:j,k"), "c1.2:i,j,k,x"),
        ("+x", _read(), "c1.2:x"),
        ("+x", None, "c1.2:x"),
        ("-1", _read("a:i,k", "b:j,k"), "c1.2:i,k"),
        ("-7", _read("a:i,k", "b:j,k"), "c1.2:i,k"),
        ("-0", _read("a:i"), "c1.2:"),
        ("-0", _read("a:"), None),
        ("-0", None, None),
        ("+x", _read("a:i", "no cart"), None),
        ("+x", _read("a:i", "sha256:00ff"), None),
    ],
)
def test_the_value_follows_from_the_read(edit: str, read: tuple[Version, ...] | None, value: str | None) -> None:
    """Siblings are merged item by item; a blind add is of its one item, and a removal from nothing is nothing. What
    cannot be read is not overwritten.
    """
    assert cart.value_of(_put(edit), read) == value


def test_a_full_cart_takes_nothing_more() -> None:
    """And a removal from one that a merge has made larger brings it back to the bound."""
    items = [f"i{number:03}" for number in range(2 * cart.ITEMS_MAX)]
    full, other = written("a", items[: cart.ITEMS_MAX]), written("b", items[cart.ITEMS_MAX :])
    assert cart.value_of(_put("+x"), _read(full)) is None
    assert cart.value_of(_put("+x"), _read(full, other)) is None
    after = cart.value_of(_put("-0"), _read(full, other))
    assert after is not None
    assert items_of(after) == tuple(items[1 : cart.ITEMS_MAX + 1])


def test_a_full_cart_is_told_in_full() -> None:
    """Even if every item was added by the hundred thousandth operation of the last of a thousand clients."""
    op = "c1000.1000000"
    assert len(written(op, [op] * cart.ITEMS_MAX)) <= VALUE_TEXT_MAX


def test_operations_are_pairs_of_a_read_and_a_write_of_one_cart() -> None:
    """The write edits what the read just before it returned; adds and removals both come up."""
    steps = list(islice(cart.operations(Random(1), "c1", ("n1", "n2"), 3), 400))
    pairs = list(zip(steps[::2], steps[1::2], strict=True))
    assert all((read.f, put.f, put.key, put.context_of) == ("get", "put", read.key, read.op) for read, put in pairs)
    adds = [put for _, put in pairs if put.edit == f"+{put.op}"]
    removals = [put for _, put in pairs if put.edit and put.edit[0] == "-" and put.edit[1:].isdigit()]
    assert len(adds) + len(removals) == len(pairs)
    assert len(adds) > len(removals) > len(pairs) / 4
    assert READS_KEPT > 1


@pytest.mark.parametrize("value", ["", "x", ":i", "a:i,,j", "a:i,i", "a:,", "sha256:0123"])
def test_what_is_no_cart(value: str) -> None:
    """No operation, no items where there should be some, the same item twice, or a digest."""
    assert items_of(value) is None


@pytest.mark.parametrize("items", [(), ("i",), ("i", "j")])
def test_a_cart_is_read_as_it_was_written(items: tuple[str, ...]) -> None:
    """Also the empty one, and what the load phase writes is one item."""
    assert items_of(written("c1.2", reversed(items))) == items
    assert items_of(cart.load_value("load.3")) == ("load.3",)
