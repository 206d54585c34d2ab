"""How many versions reads returned: the divergence that clients get to see.

This file knows gets that succeeded. It does not know which of their versions ought to have been there.
"""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from checkers.causality import GET
from checkers.evidence import counted
from checkers.history import History, Outcome
from reports.tables import share, table

MANY = 4
CARTS = "cart"
PAPER = "Dynamo's shopping carts returned one version in 99.94% of reads (6.3); here many clients share few carts"
ON_PURPOSE = "these clients also write without context, on purpose: siblings are what that leaves"


def versions_returned(history: History) -> list[int]:
    """How many gets that succeeded returned none, one, two, three, and four or more versions."""
    counts = [0] * (MANY + 1)
    for operation in history.operations:
        if operation.invoked.f == GET and operation.outcome is Outcome.OK:
            counts[min(len(operation.versions), MANY)] += 1
    return counts


def siblings(history: History) -> RenderableType | None:
    """Tell the shares, or nothing when no get succeeded."""
    counts = versions_returned(history)
    gets = sum(counts)
    if not gets:
        return None
    drawn = table("versions returned", *map(str, range(MANY)), f"{MANY}+", numbers=MANY + 1)
    cells = (Text(share(count, gets), style="" if count else "dim") for count in counts)
    drawn.add_row(Text(counted(gets, "get")), *cells)
    note = PAPER if history.run.workload == CARTS else ON_PURPOSE
    return Group(drawn, Text(note, style="dim"))
