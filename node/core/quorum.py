"""Decide when enough replicas have answered.

A quorum is told who answered and says whether the question is settled. It has no clock and sends nothing, so it can
be read beside the paper (Dynamo, 4.5) without opening another file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Settled(Enum):
    """Three answers, because "not yet" is neither yes nor no."""

    PENDING = "pending"
    REACHED = "reached"
    IMPOSSIBLE = "impossible"


@dataclass
class Quorum:
    """Count distinct nodes that succeeded until enough have, or too few still can.

    Sloppy quorums (Dynamo, 4.6) ask further nodes as others fail, so the number still open is given at each question.
    Where `sides` are given, each of them needs its own quorum: while a seat of a partition moves, those who sit there
    now are one side, and those who will sit there are the other (as in Raft's joint consensus; Ongaro, 2014, 4.3).
    """

    needed: int
    sides: tuple[tuple[str, ...], ...] = ()
    succeeded: dict[str, str] = field(default_factory=dict)

    def succeed(self, node: str, primary: str | None = None) -> None:
        """Count a node in the place of this primary, at first its own; one that answers twice counts once."""
        self.succeeded[node] = primary or node

    def settled(self, still_open: int) -> Settled:
        """Say whether the quorum stands, given how many questions are still unanswered."""
        fewest = self._fewest()
        if fewest >= self.needed:
            return Settled.REACHED
        if fewest + still_open < self.needed:
            return Settled.IMPOSSIBLE
        return Settled.PENDING

    def _fewest(self) -> int:
        """How many have succeeded on the side where they are fewest."""
        if not self.sides:
            return len(self.succeeded)
        return min(sum(primary in side for primary in self.succeeded.values()) for side in self.sides)
