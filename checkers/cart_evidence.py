"""Write down why an item counts as lost, or as added by nobody: its puts, who saw it, and what is held now.

This file knows how to tell the story of one item. It does not decide whether there is one to tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checkers.cart_text import items_of
from checkers.causality import GET, Causality, is_acknowledged
from checkers.evidence import LINES_MAX, acknowledged_by, cut_to, holding_lines, listed, operation_lines, seconds, shown
from checkers.history import History, Operation
from checkers.replicas import Snapshot
from checkers.verdict import Finding

_REMOVALS_MAX = 3


@dataclass(frozen=True)
class Fate:
    """One item of one cart: the puts that added it, and those that took it out."""

    key: str
    item: str
    adds: tuple[Operation, ...]
    removals: tuple[Operation, ...] = ()


def finding(history: History, causality: Causality, snapshot: Snapshot, kind: str, fate: Fate) -> Finding:
    """Tell one anomaly: the operations in order, what became of the removals, and what each replica holds."""
    contexts = [context for put in fate.adds if (context := causality.context(put)) is not None]
    reads = list(_reads_with(history, fate))
    concerned = (*fate.adds, *contexts, *reads[:1], *reads[-1:], *fate.removals[:_REMOVALS_MAX])
    holders = tuple(node for value, nodes in snapshot.values(fate.key).items() if _has(value, fate) for node in nodes)
    acks = [ack for put in fate.adds if put.completed for ack in put.completed.acks]
    evidence = (*operation_lines(concerned), *_removal_lines(fate), *holding_lines(snapshot, fate.key))
    return Finding(
        kind=kind,
        summary=_lost(fate) if kind == "lost-item" else _phantom(fate, holders),
        key=fate.key,
        operations=tuple(dict.fromkeys(operation.id for operation in concerned)),
        nodes=tuple(dict.fromkeys((*holders, *(ack.node for ack in acks), *snapshot.primaries(fate.key)))),
        evidence=cut_to(LINES_MAX, evidence),
    )


def _reads_with(history: History, fate: Fate) -> Iterator[Operation]:
    for operation in history.operations:
        of_cart = operation.invoked.f == GET and operation.invoked.key == fate.key
        if of_cart and any(_has(version.value, fate) for version in operation.versions):
            yield operation


def _has(value: str, fate: Fate) -> bool:
    return fate.item in (items_of(value) or ())


def _removal_lines(fate: Fate) -> tuple[str, ...]:
    """Say why no removal excuses the loss: none that was asked for is held, or covered by what is."""
    if not fate.removals:
        return ()
    told = (f"{put.id} ({put.outcome.value})" for put in fate.removals)
    return (f"taken out by {listed(told, at_most=_REMOVALS_MAX)}: nothing of that is held, or covered by what is",)


def _lost(fate: Fate) -> str:
    add = next(put for put in fate.adds if is_acknowledged(put))
    assert add.completed is not None, "only a completed put is acknowledged"
    promise = f"{add.id} put item {shown(fate.item)} into cart {shown(fate.key)}, acknowledged by"
    promise += f" {acknowledged_by(add.completed.acks)} at {seconds(add.completed.at)}"
    return f"{promise}: no cart that is held has it, and no removal of it took effect"


def _phantom(fate: Fate, holders: tuple[str, ...]) -> str:
    author = f"only by {fate.adds[0].id}, which certainly failed" if fate.adds else "by no put in the history"
    where = listed(dict.fromkeys(holders))
    return f"item {shown(fate.item)} is in cart {shown(fate.key)} on {where}, but was put in {author}"
