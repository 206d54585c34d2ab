"""What was put into a shopping cart is in it at the end, unless somebody took it out.

"Add to cart" can never be lost, and deleted items can resurface: that is what the paper promises of a cart whose
versions are merged item by item (Dynamo, 4.4). A put adds what its value has and the versions it had read have not, and
takes out what they had and it has not. An acknowledged add must be in the union of what the replicas hold, or have been
taken out by a put that counts: one whose value is held, or covered by one that is; so one of unknown outcome that left
no trace excuses nothing. A stray copy, which no reader finds and no hint brings, is not held (see `checkers.replicas`).
An item that no put ever added must not be anywhere.

Every lost item is a lost write, too; a write that only took something out may be lost without costing an item. This
file knows carts as their clients saw them. It does not know whether replicas agree, nor stale reads. The cost is linear
in the history and the items of its carts: one pass over the puts, and one walk a key from what is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, zip_longest

from checkers.cart_evidence import Fate, finding
from checkers.cart_text import items_of
from checkers.causality import Causality, is_acknowledged, is_refused, not_causal
from checkers.evidence import counted, listed, shown
from checkers.history import History, Operation
from checkers.replicas import Snapshot, final_round
from checkers.verdict import FINDINGS_MAX, Answer, Verdict

_NAME = "cart"


def check(history: History) -> Verdict:
    """Judge whether anything that was put into a cart is missing, or anything is there that nobody put in."""
    why_not = _not_judgeable(history)
    if why_not:
        return Verdict(checker=_NAME, answer=Answer.UNKNOWN, reason=why_not)
    round_name = final_round(history)
    assert round_name is not None, "a history without final dumps is not judgeable"
    case = _Case(history, Causality(history), Snapshot(history, round_name))
    case.judge()
    return _verdict(case)


def _not_judgeable(history: History) -> str | None:
    round_name = final_round(history)
    if round_name is None:
        return "no replica was dumped at the end"
    why_not = not_causal(history)
    if why_not:
        return why_not
    told = dict.fromkeys(_told(history, round_name))
    unreadable = next((value for value in told if items_of(value) is None), None)
    if unreadable is not None:
        return f"{shown(unreadable)} is not a cart: OPERATION:item,item"
    return None


def _told(history: History, round_name: str) -> Iterator[str]:
    """Every value that is written down as a cart: asked, returned, or held at the end."""
    for operation in history.operations:
        if operation.invoked.value is not None:
            yield operation.invoked.value
        yield from (version.value for version in operation.versions)
    for dump in history.dumps(round_name).values():
        yield from (version.value for held in dump.held for version in held.versions)


@dataclass
class _Item:
    """One item of one cart: the puts that added it, and those that took it out."""

    adds: list[Operation] = field(default_factory=list)
    removals: list[Operation] = field(default_factory=list)


@dataclass
class _Case:
    """One history being judged: the fates of items that are held against the store, and the counts of the others."""

    history: History
    causality: Causality
    snapshot: Snapshot
    lost: list[Fate] = field(default_factory=list)
    phantom: list[Fate] = field(default_factory=list)
    undecided: list[Fate] = field(default_factory=list)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("added", "present", "removed", "resurfaced", "unknown", "unknown_present", "largest"), 0
        )
    )

    def judge(self) -> None:
        """Look at every cart that was written or is held."""
        for key in dict.fromkeys((*self.causality.keys, *self.snapshot.keys)):
            self._judge_key(key)

    def _judge_key(self, key: str) -> None:
        held = self.snapshot.kept(key)
        effective = self.causality.covered_by(key, held) | set(held)
        present = _union(held)
        items = _items(self.causality, key)
        for name, item in items.items():
            self._judge_item(Fate(key, name, tuple(item.adds), tuple(item.removals)), present, effective)
        for name in _union(self.snapshot.values(key)):
            adds = items[name].adds if name in items else []
            if all(is_refused(add) for add in adds):
                self.phantom.append(Fate(key, name, tuple(adds)))
        self.counts["largest"] = max(self.counts["largest"], len(present))

    def _judge_item(self, fate: Fate, present: dict[str, None], effective: set[str]) -> None:
        there, counts = fate.item in present, self.counts
        if not any(map(is_acknowledged, fate.adds)):
            if not all(map(is_refused, fate.adds)):
                counts["unknown"] += 1
                counts["unknown_present"] += there
            return
        counts["added"] += 1
        if there:
            counts["present"] += 1
            counts["resurfaced"] += any(map(is_acknowledged, fate.removals))
        elif any(removal.invoked.value in effective for removal in fate.removals):
            counts["removed"] += 1
        elif self.snapshot.absent:
            self.undecided.append(fate)
        else:
            self.lost.append(fate)


def _items(causality: Causality, key: str) -> dict[str, _Item]:
    """Sort the puts of a key by the items that each added or took out, in the order of invocation."""
    items: dict[str, _Item] = {}
    for value, puts in causality.written(key).items():
        after = _union((value,))
        for put in puts:
            before = _union(causality.covered_at_once(put))
            for name in after:
                if name not in before:
                    items.setdefault(name, _Item()).adds.append(put)
            for name in before:
                if name not in after:
                    items.setdefault(name, _Item()).removals.append(put)
    return items


def _union(values: Iterable[str]) -> dict[str, None]:
    """Merge carts; a dictionary because it keeps an order, and answers as quickly as a set."""
    return dict.fromkeys(chain.from_iterable(items_of(value) or () for value in values))


def _verdict(case: _Case) -> Verdict:
    if not case.counts["added"] and not case.phantom:
        return Verdict(checker=_NAME, answer=Answer.UNKNOWN, reason="no add was acknowledged, so nothing was promised")
    found = len(case.lost) + len(case.phantom)
    told = [("lost-item", fate) for fate in case.lost], [("phantom-item", fate) for fate in case.phantom]
    fair = [each for each in chain.from_iterable(zip_longest(*told)) if each is not None]
    answer, reason = _answer(case)
    return Verdict(
        checker=_NAME,
        answer=answer,
        reason=reason,
        findings=tuple(
            finding(case.history, case.causality, case.snapshot, kind, fate) for kind, fate in fair[:FINDINGS_MAX]
        ),
        found=found,
        figures=case.counts
        | {
            "round": case.snapshot.round,
            "lost": len(case.lost),
            "phantom": len(case.phantom),
            "undecided": len(case.undecided),
        },
        notes=_notes(case),
    )


def _answer(case: _Case) -> tuple[Answer, str]:
    parts = [f"{counted(len(case.lost), 'added item')} lost"] if case.lost else []
    parts += [f"{counted(len(case.phantom), 'item')} added by nobody"] if case.phantom else []
    if parts:
        return Answer.INVALID, ", ".join(parts)
    if case.undecided:
        gone, number = listed(case.snapshot.absent), counted(len(case.undecided), "added item")
        return Answer.UNKNOWN, f"{number} in no cart, but {gone} could not be dumped and may hold what is missing"
    return Answer.VALID, f"each of {counted(case.counts['added'], 'added item')} is in its cart or was taken out"


def _notes(case: _Case) -> tuple[str, ...]:
    counts = case.counts
    notes = [f"{counts['present']} of {counts['added']} added are in the carts, {counts['removed']} were taken out"]
    if counts["resurfaced"]:
        notes.append(f"{counts['resurfaced']} of those in the carts had been taken out: they resurfaced, as they may")
    if counts["unknown"]:
        notes.append(f"{counts['unknown_present']} of {counts['unknown']} adds of unknown outcome are in the carts")
    return tuple(notes)
