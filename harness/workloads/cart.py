"""The paper's shopping cart: read it, merge the versions item by item, add or take out one item, write it back.

"Add to cart" is never lost, and deleted items can resurface (Dynamo, 4.4). Every put follows a read and carries its
context, so what it writes depends on what comes back: the step only says `+ITEM`, or `-NUMBER` for the item at that
place of the sorted cart, counted around. An item is named by the operation that added it.

Without the read there is nothing to merge with: an add is then a blind put of its one item, and a removal is nothing.
A cart holds `ITEMS_MAX` items. At the bound an add is nothing, and a removal from a cart that a merge has made larger
cuts it back to the bound, which the checker sees as the removals that they are. This file does not know what is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from checkers.cart_text import union_of, written
from checkers.history import Version
from harness.contracts import Step

NEEDS = ("get", "put")
CHECKERS = ("cart", "kept-writes", "convergence", "dots", "found", "writable", "ring", "orders", "crashes", "vacuity")

ADDS = 0.6
"""The share of adds; the rest are removals, so that carts grow slowly."""

ITEMS_MAX = 100
"""How many items a cart may hold: far more than a minute of a hundred operations a second gives to one of 40 keys, and
few enough that the text of any cart is told in full in the history."""

_PLACES = 10_000


def operations(rng: Random, client: str, nodes: Sequence[str], keys: int) -> Iterator[Step]:
    """Draw a client's operations, without end: pairs of a read and a write of the same cart."""
    number = 0
    while True:
        key, adds, place = f"k{rng.randrange(keys)}", rng.random() < ADDS, rng.randrange(_PLACES)
        read, put = f"{client}.{number + 1}", f"{client}.{number + 2}"
        number += 2
        yield Step(op=read, client=client, node=rng.choice(nodes), f="get", key=key)
        edit = f"+{put}" if adds else f"-{place}"
        yield Step(op=put, client=client, node=rng.choice(nodes), f="put", key=key, context_of=read, edit=edit)


def value_of(step: Step, read: tuple[Version, ...] | None) -> str | None:
    """What a step writes, now that its read has returned these versions (None: it failed); None for nothing to do."""
    assert step.edit, f"{step.op} does not say what it does to the cart"
    items = union_of(version.value for version in read or ())
    if items is None:
        return None  # what cannot be read cannot be merged, and must not be overwritten
    sign, what = step.edit[0], step.edit[1:]
    if sign == "+":
        return written(step.op, (*items, what)) if len(items) < ITEMS_MAX else None
    if not items:
        return None
    place = int(what) % len(items)
    return written(step.op, (items[:place] + items[place + 1 :])[:ITEMS_MAX])


def load_value(op: str) -> str:
    """What is in a cart when the run begins: one item, named like every item by the operation that added it."""
    return written(op, (op,))
