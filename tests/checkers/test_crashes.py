"""The crashes checker: a node that ends unasked is found, whatever its neighbours made of it."""

from __future__ import annotations

from checkers.crashes import check
from checkers.history import History, NodeChanged, PhaseBegan, RunStarted
from checkers.verdict import Answer


def history(*changes: tuple[int, str, str]) -> History:
    """A history in which only nodes change, at so many seconds."""
    run = RunStarted(scenario="s", system="x", world="sim", workload="w", seed=1, nodes=("n1", "n2"), n=2, r=1, w=1)
    stress = PhaseBegan(at=2_000_000_000, name="stress")
    nodes = [NodeChanged(at=at * 10**9, node=node, event=event) for at, node, event in changes]
    return History([run, *nodes[:1], stress, *nodes[1:]])


def test_asked_ends_are_none_of_its_business() -> None:
    """Kills, stops and lost disks were ordered by the nemesis."""
    verdict = check(history((0, "n1", "started"), (3, "n1", "killed"), (4, "n1", "wiped"), (5, "n1", "stopped")))

    assert verdict.answer is Answer.VALID


def test_an_unasked_end_is_named_with_its_time_phase_and_error() -> None:
    """The finding says which node, when, in which phase, and what it said last."""
    verdict = check(history((0, "n2", "started"), (3, "n2", "exited"), (4, "n2", "started"), (5, "n2", "exited")))

    assert verdict.answer is Answer.INVALID
    assert verdict.found == 2
    assert verdict.findings[0].nodes == ("n2",)
    assert "n2 ended by itself at 3.000 s, in phase stress" in verdict.findings[0].summary


def test_without_nodes_nothing_is_known() -> None:
    """A run in which no node was started proves nothing about nodes."""
    assert check(history()).answer is Answer.UNKNOWN
