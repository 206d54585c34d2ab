"""What a ladder looks like in a terminal of 80 columns, sign by sign, and that it says everything without colour."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from reports.ladder import Ladder, Mark, Message, Operation
from reports.ladder_text import drawn, print_ladder
from tests.reports.test_ladder import MS, small

SMALL = """\
     ms       c1      n1      n2      n3
    0.0       │       │       │       │   ── stress ──
    0.5 ┏     │       │       │       │   fault 7 begins: partition-halves, n1
        ┃     │       │       │       │     n2 | n3
    1.0 ┃     ┝━━━━━━▶│       │       │   c1.1: put a
    2.0 ┃     │       ◆       │       │   n1 commits a
    2.0 ┃     │       ├──────▶│       │   Replicate a
    2.0 ┃     │       ├───────┼──────✗│   Replicate a: dropped by fault 7
    4.0 ┃     │       │       ◆       │   n2 commits a
    4.0 ┃     │       │◀──────┤       │   Stored
    6.0 ┃     │◀━━━━━━┥       │       │   c1.1: ok, acks n1, n2
      ⋮ ┃     ┆       ┆       ┆       ┆   0.2 s pass
  200.0 ┗     │       │       │       │   fault 7 is healed
  250.0       │       │       │       ✖   n3 killed
n4 took no part
"""


def printed(ladder: Ladder, width: int = 80, *, colour: bool = False) -> str:
    """What stands on the terminal, below the key to the signs."""
    paper = Console(file=io.StringIO(), width=width, force_terminal=colour, highlight=False, markup=False)
    print_ladder(ladder, paper)
    assert isinstance(paper.file, io.StringIO)
    text = paper.file.getvalue()
    return text if colour else text.partition("\n\n")[2]


def test_a_small_one() -> None:
    """One write, a message that a cut swallows, and the end of a node."""
    assert printed(small()) == SMALL


def test_colours_are_for_terminals() -> None:
    """On a terminal there is colour; what is said is the same."""
    assert "\x1b[" in printed(small(), colour=True)
    assert "\x1b[" not in printed(small())


def test_the_lifeline_of_a_node_that_is_down_ends() -> None:
    """And goes on where it is started again."""
    marks = (Mark("n2", 1 * MS, "killed", "killed"), Mark("n1", 2 * MS, "commit", "commits a"))
    lines = printed(Ladder((), ("n1", "n2"), marks=(*marks, Mark("n2", 3 * MS, "started", "started")))).splitlines()
    assert [line[8:25].rstrip() for line in lines[1:]] == ["     │       ✖", "     ◆", "     │       ▲"]


def test_overtaken() -> None:
    """A message that comes after another one that was sent later leaves in one row and comes in another."""
    messages = (Message(1 * MS, "n1", "n3", "a", 4 * MS), Message(2 * MS, "n2", "n3", "b", 3 * MS))
    rows = [line[8:].split() for line in printed(Ladder((), ("n1", "n2", "n3"), messages)).splitlines()[1:]]
    assert rows == [
        ["├╌╌╌╌╌╌╌┼╌╌╌╌╌╌▷│", "a", "leaves"],
        ["│", "├──────▶│", "b"],
        ["├╌╌╌╌╌╌╌┼╌╌╌╌╌╌▶│", "a:", "sent", "at", "1.0"],
    ]


def test_it_fits_eighty_columns() -> None:
    """Five nodes and two clients, with long labels that go on in the next row."""
    operation = Operation("c2.1", "c2", "n5", 0, None, f"c2.1: put {'long ' * 20}", "unknown", "never answered")
    wide = replace(small(), clients=("c1", "c2"), nodes=("n1", "n2", "n3", "n4", "n5"), operations=(operation,))
    lines = [line.plain for line in drawn(wide, 80)]
    assert max(map(len, lines)) <= 80
    assert sum("long" in line for line in lines) > 1


def test_nothing_at_all() -> None:
    """A ladder without columns is no reason to fail."""
    assert printed(Ladder((), ())).strip() == "ms"
