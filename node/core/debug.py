"""Answer the debug port: what is under way, and what this node holds.

Reading through here neither coordinates nor repairs, which is what makes convergence judgeable: a quorum read would
mend what it looks at. Answers are released like all others, after everything they could have read is durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.core.conversations import Kind
from node.core.messages import DumpPage, DumpQuery, HeldKey, Status, Version
from node.core.store import Space
from node.core.versions import Versions

if TYPE_CHECKING:
    from node.core.node import Node

_SPACES = (Space.DATA, Space.HINTS)

PAGE_KEYS_MAX = 4096
"""A page has no more keys than this, whatever is asked for: a long one keeps the node from everything else."""
PAGE_BYTES = 4 << 20
"""A page ends early when its values have this many bytes: it must fit in a message."""


def status(node: Node) -> Status:
    """Count what is under way."""
    work = {
        "requests": node.conversations.open[Kind.REQUEST],
        "hints": sum(len(keys) for keys in node.replica.hints.values()),
        "transfers": sum(node.id in (move.giver, move.taker) for move in node.ring.moves),
        "differences": node.exchanges.suspected,
        "strays": sum(node.id not in node.ring.holding(end) for end in node.trees.partitions_held()),
        "staged": node.release.staged - node.release.durable,
        "held": node.release.held,
    }
    suspected = tuple(node.detector.suspected)
    return Status(node.id, node.replica.incarnation, node.ring.digest, work, suspected, node.release.commits)


def dump(node: Node, query: DumpQuery) -> DumpPage:
    """One page of everything held: first the data, then the hints, each in the order of the store.

    A page's `next` is the number of the space followed by the last name in it. After what was no such thing there is
    nothing.
    """
    number, after = (query.after[0], query.after[1:]) if query.after else (0, b"")
    if number >= len(_SPACES):
        return DumpPage((), b"")
    space, limit = _SPACES[number], max(1, min(query.limit, PAGE_KEYS_MAX))
    found = node.replica.page(space, after, limit)
    page = _cut(found)
    held = tuple(_held(node, space, name, versions) for name, versions in page)
    if len(found) == limit or len(page) < len(found):
        return DumpPage(held, bytes([number]) + page[-1][0])
    return DumpPage(held, bytes([number + 1]) if number + 1 < len(_SPACES) else b"")


def _cut(page: list[tuple[bytes, Versions]]) -> list[tuple[bytes, Versions]]:
    """The beginning of a page that is not too large, at least one entry."""
    total = 0
    for number, (_, versions) in enumerate(page):
        total += sum(len(sibling.value) for sibling in versions.siblings)
        if number and total > PAGE_BYTES:
            return page[:number]
    return page


def _held(node: Node, space: Space, name: bytes, versions: Versions) -> HeldKey:
    target, key = None, name
    if space is Space.HINTS:
        raw, _, key = name.partition(b"\0")
        target = raw.decode()
    primaries = node.ring.at(key).seats
    alive = tuple(Version(str(sibling.dot), sibling.value) for sibling in versions.siblings)
    return HeldKey(key, primaries, alive, target)
