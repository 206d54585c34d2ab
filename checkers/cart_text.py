"""A shopping cart as text: `OPERATION:item,item,…`, the items sorted, and `OPERATION:` when it is empty.

The operation that wrote it stands first, so that no two carts are the same text and each leads back to its put. Items
are named by the operation that added them. This file knows the text. It does not know what was bought.
"""

from __future__ import annotations

from collections.abc import Iterable

_DIGEST = "sha256"


def written(op: str, items: Iterable[str]) -> str:
    """Write the cart that an operation leaves."""
    return f"{op}:{','.join(sorted(items))}"


def items_of(value: str) -> tuple[str, ...] | None:
    """Read a cart's items; None for what is no cart, and for the digest of a value that was too long to be told."""
    op, separator, rest = value.partition(":")
    if not separator or not op or op == _DIGEST:
        return None
    items = tuple(rest.split(",")) if rest else ()
    return items if all(items) and len(set(items)) == len(items) else None


def union_of(values: Iterable[str]) -> tuple[str, ...] | None:
    """Merge carts as the paper does, item by item; None when one of them is no cart."""
    every: dict[str, None] = {}
    for value in values:
        items = items_of(value)
        if items is None:
            return None
        every.update(dict.fromkeys(items))
    return tuple(sorted(every))
