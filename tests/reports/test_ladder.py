"""A ladder says what happened in which order: causes before effects, and nobody's order mistaken for another one."""

from __future__ import annotations

import pytest

from reports.ladder import FaultSpan, Ladder, Mark, Message, Operation, Phase, lanes, moments, quick, sentence

MS = 1_000_000


def small() -> Ladder:
    """One write through n1: it reaches n2, and is dropped on its way to n3, which is killed later."""
    return Ladder(
        clients=("c1",),
        nodes=("n1", "n2", "n3"),
        messages=(
            Message(2 * MS, "n1", "n2", "Replicate a", 3 * MS),
            Message(2 * MS, "n1", "n3", "Replicate a", None, "dropped", "fault 7"),
            Message(4 * MS, "n2", "n1", "Stored", 5 * MS),
        ),
        operations=(Operation("c1.1", "c1", "n1", 1 * MS, 6 * MS, "c1.1: put a", "ok", "ok", "acks n1, n2"),),
        marks=(
            Mark("n1", 2 * MS, "commit", "commits a"),
            Mark("n2", 4 * MS, "commit", "commits a"),
            Mark("n3", 250 * MS, "killed", "killed"),
        ),
        faults=(FaultSpan(7, "partition-halves", MS // 2, 200 * MS, "n1 n2 | n3", (("n1", "n3"),)),),
        phases=(Phase(0, "stress"),),
        notes=("n4 took no part",),
    )


def test_causes_come_before_effects() -> None:
    """A commit comes before what is sent at its time, and an arrival before the commit that it leads to."""
    arrival = Message(1 * MS, "n1", "n2", "Replicate a", 2 * MS)
    answer = Message(2 * MS, "n2", "n1", "Stored", 3 * MS)
    told = moments(Ladder((), ("n1", "n2"), (answer, arrival), marks=(Mark("n2", 2 * MS, "commit", "commits a"),)))
    assert [sentence(moment) for moment in told] == [
        "Replicate a",
        "Replicate a: sent at 1.0",
        "n2 commits a",
        "Stored",
        "Stored: sent at 2.0",
    ]


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        ((1, 2), (3, 4), 0),  # one after the other
        ((1, 3), (2, 4), 0),  # they arrive as they were sent
        ((1, 4), (2, 3), 1),  # the second overtakes the first
    ],
)
def test_what_is_overtaken_is_drawn_twice(first: tuple[int, int], second: tuple[int, int], apart: int) -> None:
    """Only a message whose receiver heard something else before it, that was sent later."""
    messages = (
        Message(first[0] * MS, "n1", "n3", "a", first[1] * MS),
        Message(second[0] * MS, "n2", "n3", "b", second[1] * MS),
    )
    told = moments(Ladder((), ("n1", "n2", "n3"), messages))
    assert len(messages) - len(quick(told)) == apart


def test_a_fault_in_between_is_seen() -> None:
    """What was sent before a fault and arrived under it is drawn at both times."""
    message, fault = Message(1 * MS, "n1", "n2", "a", 3 * MS), FaultSpan(1, "slow", 2 * MS, None, "n2")
    assert quick(moments(Ladder((), ("n1", "n2"), (message,), faults=(fault,)))) == frozenset()


def test_faults_side_by_side() -> None:
    """Those in force at one time stand beside each other, and a healed one makes room."""
    spans = ((1, 0, 5), (2, 3, 9), (3, 6, None), (4, 7, 8))
    faults = tuple(FaultSpan(number, "cut", begins, ends, "") for number, begins, ends in spans)
    assert lanes(faults) == {1: 0, 2: 1, 3: 0, 4: 2}
