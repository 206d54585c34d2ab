"""The crashes checker: a node that ends unasked is found, whatever its neighbours made of it."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.crashes import check
from checkers.history import FaultChanged, History, NodeChanged, PhaseBegan, Record, RunStarted
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


def on_a_disk(
    *exits: tuple[float, str, dict[str, Any]],
    name: str = "disk-failing",
    observed: dict[str, Any] | None = None,
    healed: bool = True,
) -> History:
    """A history in which n1's disk is broken from second 10 to second 20, and nodes end by themselves."""
    run = RunStarted(scenario="s", system="x", world="sim", workload="w", seed=1, nodes=("n1", "n2"), n=2, r=1, w=1)
    observed = {"n1": {"exits": 1}} if observed is None else observed
    records: list[Record] = [
        NodeChanged(at=0, node="n1", event="started"),
        *(NodeChanged(at=int(at * 10**9), node=node, event="exited", detail=told) for at, node, told in exits),
    ]
    for second, event in ((10, "requested"), (11, "started"), *(((20, "healed"),) if healed else ())):
        proof = observed if event == "healed" else {}
        detail = {"nodes": ["n1"]}
        records.append(FaultChanged(at=second * 10**9, id=1, name=name, event=event, detail=detail, observed=proof))
    return History([run, *sorted(records, key=lambda record: getattr(record, "at", 0))])


BROKE = {"error": "DiskError: n1/0001.log: Input/output error"}


@pytest.mark.parametrize("at", [10, 11, 15.5, 20])
def test_a_node_whose_disk_broke_was_right_to_end(at: float) -> None:
    """From the request of the fault to its cure, once for each end that the fault answers for."""
    verdict = check(on_a_disk((at, "n1", BROKE)))

    assert verdict.answer is Answer.VALID
    assert "but for 1 end on a broken disk" in verdict.reason


@pytest.mark.parametrize(
    ("exits", "more"),
    [
        ([(9.9, "n1", BROKE)], {}),
        ([(20.1, "n1", BROKE)], {}),
        ([(15, "n2", BROKE)], {}),
        ([(15, "n1", {})], {}),
        ([(15, "n1", {"code": 70})], {}),
        ([(15, "n1", BROKE)], {"name": "kill"}),
        ([(15, "n1", BROKE)], {"observed": {}}),
        ([(15, "n1", BROKE)], {"observed": {"n1": {"exits": 0}}}),
        ([(15, "n1", BROKE)], {"observed": {"n1": {"exits": "many"}}}),
        ([(15, "n1", BROKE)], {"observed": {"n1": 3}}),
        ([(15, "n1", BROKE)], {"healed": False}),
    ],
)
def test_nothing_else_is_forgiven(exits: list[tuple[float, str, dict[str, Any]]], more: dict[str, Any]) -> None:
    """Too early, too late, another node, no error, another fault, or a fault that did not see the end."""
    assert check(on_a_disk(*exits, **more)).answer is Answer.INVALID


def test_more_ends_than_the_fault_answers_for_are_found() -> None:
    """The first is forgiven, the second is the node's own."""
    verdict = check(on_a_disk((12, "n1", BROKE), (15, "n1", {"error": "KeyError: 17"})))

    assert (verdict.answer, verdict.found) == (Answer.INVALID, 1)
    assert "at 15.000 s" in verdict.findings[0].summary
