"""The look of a report's tables: no frames, so that they read as well in a pipe, and numbers in groups of three.

This file knows columns and numbers. It does not know what they mean.
"""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

NONE = "–"
"""What stands in a cell about which nothing can be said."""


def table(first: str, *others: str, numbers: int = 0) -> Table:
    """Make a table without a frame; the other columns hold numbers if said so."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    made.add_column(first, overflow="fold")
    for name in others:
        made.add_column(name, justify="right" if numbers else "left", no_wrap=True)
    return made


def number(count: int) -> Text:
    """A count; nought steps back."""
    return Text(grouping(count), style="" if count else "dim")


def grouping(count: int) -> str:
    """Write a count with a space between thousands."""
    return f"{count:,}".replace(",", " ")


def share(part: int, whole: int) -> str:
    """Write a share in percent: what is neither nothing nor everything is never rounded to look as if it were."""
    if part in (0, whole):
        return "100%" if part else "0"
    return f"{min(max(100 * part / whole, 0.01), 99.99):.2f}%"


def milliseconds(duration_ns: int) -> str:
    """Write a duration with a tenth of a millisecond; a shorter one is said to be shorter."""
    if 0 < duration_ns < 50_000:
        return "<0.1"
    return f"{duration_ns / 1e6:,.1f}".replace(",", " ")
