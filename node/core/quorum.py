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
    """

    needed: int
    succeeded: dict[str, None] = field(default_factory=dict)

    def succeed(self, node: str) -> None:
        """Count a node; one that answers twice counts once."""
        self.succeeded[node] = None

    def settled(self, still_open: int) -> Settled:
        """Say whether the quorum stands, given how many questions are still unanswered."""
        if len(self.succeeded) >= self.needed:
            return Settled.REACHED
        if len(self.succeeded) + still_open < self.needed:
            return Settled.IMPOSSIBLE
        return Settled.PENDING
