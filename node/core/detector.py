"""Believe that a peer is down when it does not answer, and up again when it does.

Purely local (Dynamo, 4.8.3): what this node believes depends only on answers to its own requests. A peer that sends
us something but does not answer us is down for us: the link may work one way only. Without traffic nothing is
believed to be down, and nobody needs to know.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Detector:
    """The peers under suspicion, in the order in which they came under it."""

    suspected: dict[str, None] = field(default_factory=dict)

    def is_up(self, peer: str) -> bool:
        """Whether the peer may be asked."""
        return peer not in self.suspected

    def missed(self, peer: str) -> bool:
        """The peer did not answer in time; returns whether that is news."""
        if peer in self.suspected:
            return False
        self.suspected[peer] = None
        return True

    def heard(self, peer: str) -> None:
        """The peer answered."""
        self.suspected.pop(peer, None)
