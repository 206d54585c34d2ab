"""Count what anti-entropy does: one exchange with a peer, and all of them.

The ratio of `false_differences` to all keys that differed tells how much of the work was only writes under way; what
was repaired at rest ought to be nothing from the second exchange on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields


@dataclass
class Exchanged:
    """What came of one exchange with a peer; `aborted` says why it ended early, if it did.

    `roots` and `keys` were compared, `differing` of the roots were not equal, and `left` is how many leaves that differ
    were too many for this exchange. Of the keys that differed, some were `false_differences`; the others were repaired,
    here when the peer knew more, there when this node did, and some of them in both places.
    """

    peer: str
    roots: int = 0
    differing: int = 0
    keys: int = 0
    false_differences: int = 0
    repaired_here: int = 0
    repaired_there: int = 0
    left: int = 0
    aborted: str = ""

    @property
    def moved(self) -> int:
        """How many times a key was brought from one node to the other."""
        return self.repaired_here + self.repaired_there

    @property
    def is_unfinished(self) -> bool:
        """Whether it has brought something, and left something for the next one."""
        return self.left > 0 and self.moved > 0 and not self.aborted


_SUMMED = tuple(each.name for each in fields(Exchanged) if each.name not in ("peer", "aborted"))


@dataclass
class Exchanges:
    """All exchanges of one life of a node: the sums by name, how many there were and were `aborted`, and what came of
    the `last` with each peer. `suspected` is how many keys differ in the exchange that is under way.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("exchanges", "aborted", *_SUMMED), 0))
    last: dict[str, Exchanged] = field(default_factory=dict)
    suspected: int = 0

    def add(self, exchanged: Exchanged) -> None:
        """Another exchange has ended."""
        self.last[exchanged.peer] = exchanged
        self.counts["exchanges"] += 1
        self.counts["aborted"] += bool(exchanged.aborted)
        for name in _SUMMED:
            self.counts[name] += getattr(exchanged, name)
