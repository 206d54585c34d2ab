"""The picture of a ladder is well-formed XML, needs nothing from outside, and draws each thing once."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from reports.ladder import Ladder, Mark, Message
from reports.ladder_svg import WIDTH, svg
from tests.reports.test_ladder import MS, small

SVG = "{http://www.w3.org/2000/svg}"


def elements(ladder: Ladder, name: str, *, of: str) -> list[ElementTree.Element]:
    """The elements of a picture with this name and class."""
    found = ElementTree.fromstring(svg(ladder, "a run")).iter(f"{SVG}{name}")
    return [element for element in found if of in element.get("class", "").split()]


def test_each_thing_is_drawn_once() -> None:
    """Three messages, one of which has no arrowhead; one operation with its answer; marks, and a fault."""
    messages = elements(small(), "line", of="message")
    assert len(messages) == 3
    assert [line.get("marker-end") for line in messages].count(None) == 1
    assert len(elements(small(), "line", of="never")) == 1
    assert len(elements(small(), "line", of="operation")) == 2
    assert len(elements(small(), "text", of="commit")) == 2 * 2  # the sign, and what it says
    assert len(elements(small(), "rect", of="fault")) == 1
    assert len(elements(small(), "line", of="life")) == 4


def test_a_message_slopes_down() -> None:
    """It ends lower than it begins, on the lifelines of sender and receiver."""
    lives = [line.get("x1") for line in elements(small(), "line", of="life")]
    line = elements(small(), "line", of="message")[0]
    assert [line.get("x1"), line.get("x2")] == lives[1:3]
    assert float(line.get("y2", 0)) > float(line.get("y1", 0))


def test_time_runs_down() -> None:
    """What comes later stands lower, also after a gap that is left out."""
    ladder = Ladder((), ("n1",), marks=tuple(Mark("n1", at * MS, "commit", str(at)) for at in (1, 2, 900, 901)))
    heights = [float(text.get("y", 0)) for text in elements(ladder, "text", of="commit") if text.text != "◆"]
    assert heights == sorted(heights)
    assert len(dict.fromkeys(heights)) == 4
    assert heights[-1] < 300  # 0.9 s are not drawn to scale
    assert len(elements(ladder, "line", of="broken")) == 1


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a & b \"c\" 'd'", "\x00\x1b[31m\ud800", "]]>"])
def test_text_from_outside_is_harmless(text: str) -> None:
    """In labels, tooltips, names, titles and notes: it is text, or a sign that something cannot be shown."""
    message = Message(1 * MS, "n1", "n2", text, None, "dropped", text)
    ladder = replace(small(), messages=(message,), marks=(Mark("n1", 1, "exited", text),), notes=(text,))
    drawn = svg(ladder, text)
    drawn.encode()
    tree = ElementTree.fromstring(drawn)
    assert not list(tree.iter(f"{SVG}script"))
    if text.isprintable():
        assert any(text in (element.text or "") for element in tree.iter(f"{SVG}title"))


def test_it_needs_nothing_else() -> None:
    """No address but the name of the format, and no script."""
    drawn = svg(small(), "a run")
    assert drawn.count("http") == 1
    assert "href" not in drawn
    assert f'width="{WIDTH}"' in drawn
