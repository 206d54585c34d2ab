"""The version graph shows what covers what, the oldest first."""

from __future__ import annotations

from checkers.causality import Causality
from checkers.evidence import counted, cut_to, listed, operation_line, seconds, shown
from checkers.replicas import Snapshot
from checkers.version_graph import drawing, version_graph
from tests.checkers.story import FAILED, Story


def test_an_edge_that_follows_from_others_is_not_drawn() -> None:
    """c covers a through b, and one line is enough to see it."""
    story = Story()
    first = story.put("a")
    second = story.put("b", after=first)
    story.put("c", after=second)
    graph = version_graph(Causality(story.told()), "k", ("a", "b", "c"))
    assert sorted(graph.edges) == [("b", "a"), ("c", "b")]


def test_a_gap_is_bridged() -> None:
    """What lies between two drawn values need not be drawn itself for the one to cover the other."""
    story = Story()
    story.put("c", after=story.put("b", after=story.put("a")))
    assert sorted(version_graph(Causality(story.told()), "k", ("a", "c")).edges) == [("c", "a")]


def test_the_drawing_reads_from_the_oldest_to_the_newest() -> None:
    """Each line has the value, its put, what it covers, and where it is now."""
    story = Story()
    first = story.put("first")
    story.put("b", after=first)
    story.put("lost")
    story.put("no", outcome=FAILED)
    history = story.dump({"n1": {"k": ("b",)}, "n2": {"k": ("b",)}, "n3": {}}).ended()
    lines = drawing(Causality(history), Snapshot(history, "final"), "k", ("lost", "b", "first", "no"), lost=("lost",))
    assert lines == (
        "versions of k, the oldest first:",
        "  first  c1.1 acked, nowhere now",
        "  b      c1.2 acked, covers first, on n1 n2",
        "  lost   c1.3 acked, LOST",
        "  no     c1.4 failed, nowhere now",
    )


def test_a_cycle_can_be_drawn() -> None:
    """A value written twice may cover itself; its drawing is in the order of time."""
    story = Story()
    story.put("a", after=story.put("b", after=story.put("a")))
    history = story.everywhere("a").ended()
    lines = drawing(Causality(history), Snapshot(history, "final"), "k", ("a", "b"))
    assert lines[1:] == ("  a  c1.1 acked, c1.3 acked, covers b, on n1 n2 n3", "  b  c1.2 acked, covers a, nowhere now")


def test_an_operation_is_told_on_one_line() -> None:
    """When, who, what, where, and what became of it."""
    story = Story()
    story.put("a b", after=story.get("x"))
    history = story.told()
    assert operation_line(history.operations[1]) == (
        "0.030 s – 0.040 s  c1.2: c1 put 'a b' with the context of c1.1 at n1: "
        "ok, dot dot-a b, coordinator n1, acks n1, n2"
    )


def test_what_comes_from_outside_cannot_break_a_terminal() -> None:
    """Control characters are escaped, emptiness is visible, length is bounded."""
    assert (shown("\x1b[31mred"), shown(""), shown("a\nb")) == ("'\\x1b[31mred'", "''", "'a\\nb'")
    assert len(shown("x" * 1000)) == 40


def test_words_and_numbers_are_written_for_people() -> None:
    """Singular and plural, a bounded list, seconds with milliseconds."""
    assert [counted(1, "key"), counted(2, "key"), counted(3, "copy"), counted(12345, "dot")] == [
        "1 key", "2 keys", "3 copies", "12 345 dots",
    ]  # fmt: skip
    assert listed("abcd", at_most=2) == "a, b and 2 more"
    assert cut_to(2, ["a", "b", "c"]) == ("a", "… and 2 more")
    assert seconds(1_234_567_890) == "1.235 s"
