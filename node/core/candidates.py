"""Choose whom to ask: the first N nodes of the preference list that are believed to be up (Dynamo, 4.6).

A node further down the list stands in for a primary that cannot be reached, and knows for whom. This file knows the
preference list and beliefs; it does not know how a belief is formed, nor what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Assignment(NamedTuple):
    """A node to ask; `hint_for` is the primary that it stands in for, or None when it is a primary itself."""

    node: str
    hint_for: str | None = None

    @property
    def primary(self) -> str:
        """The primary whose place this is."""
        return self.hint_for or self.node


class Candidates:
    """The nodes for one key, each given out once: the `primaries`, and in their place others in order of `preference`.

    A `coordinator` keeps a copy in any case: as a primary, or standing in for the first primary that is down. Where
    no fallback is left, a primary that is believed to be down is asked all the same: beliefs may be out of date.
    """

    def __init__(
        self,
        primaries: tuple[str, ...],
        preference: tuple[str, ...],
        is_up: Callable[[str], bool],
        coordinator: str | None = None,
    ) -> None:
        self.primaries = primaries
        self._is_up = is_up
        self._spare = [node for node in preference if node != coordinator and node not in primaries]
        self._coordinator = coordinator

    def first(self) -> list[Assignment]:
        """The nodes to ask at once, primaries first; the coordinator's own place comes before the others."""
        chosen: list[Assignment] = []
        down: list[str] = []
        for node in self.primaries:
            if self._usable(node):
                chosen.append(Assignment(node))
            else:
                down.append(node)
        own = self._own(down)
        chosen += [self._stand_in(primary) or Assignment(primary) for primary in down]
        return own + [assignment for assignment in chosen if assignment.node != self._coordinator]

    def instead_of(self, failed: Assignment) -> Assignment | None:
        """The next node to stand in for the same primary, or None when there is none left."""
        return self._stand_in(failed.primary)

    def _own(self, down: list[str]) -> list[Assignment]:
        """The coordinator's own assignment; one that is no primary takes the place of one that is down."""
        if self._coordinator is None:
            return []
        if self._coordinator in self.primaries:
            return [Assignment(self._coordinator)]
        return [Assignment(self._coordinator, down.pop(0) if down else self.primaries[0])]

    def _stand_in(self, primary: str) -> Assignment | None:
        for node in self._spare:
            if self._is_up(node):
                self._spare.remove(node)
                return Assignment(node, primary)
        return None

    def _usable(self, node: str) -> bool:
        return node == self._coordinator or self._is_up(node)
