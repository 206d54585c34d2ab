"""Waiting for quiet: what counts as quiet, how long it is waited for, and what is said when it does not come."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checkers.history import Dumped, Held, Record, Settled, Version
from harness.recorder import Recorder
from harness.settling import Settling
from harness.sim.loop import NS, run, virtual

APART_S, LIMIT_S = 1.6, 10.0
NODES = ("n1", "n2")

Work = Callable[[float], dict[str, int] | None]
Holds = Callable[[float], tuple[Held, ...] | None]


def _held(value: str) -> tuple[Held, ...]:
    return (Held(key="k", primaries=NODES, versions=(Version(f"n1.{value}", value),), hint_for=None),)


def _idle(_: float) -> dict[str, int]:
    return {"requests": 0, "hints": 0}


def _steady(_: float) -> tuple[Held, ...]:
    return _held("v")


class _Inspector:
    """A view of two nodes, of which n2 does what the test says, as a function of the time in seconds."""

    def __init__(self, now: Callable[[], float], work: Work, holds: Holds) -> None:
        self._now = now
        self._work = work
        self._holds = holds

    async def work(self, node: str) -> dict[str, int] | None:
        """What is under way."""
        return self._work(self._now()) if node == "n2" else _idle(0)

    async def held(self, node: str) -> tuple[Held, ...] | None:
        """What is held."""
        return self._holds(self._now()) if node == "n2" else _steady(0)

    async def close(self) -> None:
        """Nothing is open."""


def _settle(work: Work = _idle, holds: Holds = _steady) -> list[Record]:
    """The records of one wait."""
    loop = virtual()
    records: list[Record] = []
    recorder = Recorder(lambda: loop.now_ns, records.append)
    inspector = _Inspector(loop.time, work, holds)
    settling = Settling(inspector, lambda: NODES, recorder, apart_s=APART_S, limit_s=LIMIT_S)
    run(settling.quiet("final"), loop)
    return records


def _settled(records: list[Record]) -> Settled:
    (settled,) = [record for record in records if isinstance(record, Settled)]
    return settled


def test_quiet_takes_two_looks_that_are_apart() -> None:
    """Nothing under way, twice, further apart than a request and a hint can take; then every node is dumped."""
    records = _settle()
    settled = _settled(records)
    assert (settled.state, settled.round, settled.work) == ("quiet", "final", {})
    assert settled.waited_ns == int(APART_S * NS)

    dumps = [record for record in records if isinstance(record, Dumped)]
    assert [(dump.node, dump.round, dump.held) for dump in dumps] == [(node, "final", _held("v")) for node in NODES]


def test_quiet_begins_when_the_work_has_ended() -> None:
    """Polling goes on until then."""
    settled = _settled(_settle(work=lambda now: {"hints": 3 if now < 5 else 0}))
    assert settled.state == "quiet"
    assert 5 * NS + APART_S * NS <= settled.waited_ns < 5.5 * NS + APART_S * NS


def test_work_at_the_second_look_is_no_quiet() -> None:
    """A hint that was between two tries shows up then, and the wait goes on."""
    settled = _settled(_settle(work=lambda now: {"hints": int(1.5 < now < 4)}))
    assert settled.state == "quiet"
    assert settled.waited_ns >= (4 + APART_S) * NS


def test_what_changes_between_the_looks_is_no_quiet() -> None:
    """Nothing seemed to be under way, and yet a replica holds something else than before."""
    settled = _settled(_settle(holds=lambda now: _held("old" if now < 1 else "new")))
    assert settled.state == "quiet"
    assert settled.waited_ns == int(2 * APART_S * NS)


def test_progress_at_the_bound_is_moving() -> None:
    """Less to do at the end than half-way: nobody knows what it would have come to."""
    settled = _settled(_settle(work=lambda now: {"hints": 100 - int(now)}))
    assert settled.state == "moving"
    assert settled.work == {"n2": {"hints": 90}}
    assert LIMIT_S * NS <= settled.waited_ns < (LIMIT_S + 1) * NS


def test_no_progress_at_the_bound_is_stuck() -> None:
    """The same work at the end as half-way; the record says whose and what."""
    settled = _settled(_settle(work=lambda now: {"hints": 7 if now > 1 else 9, "requests": 0}))
    assert settled.state == "stuck"
    assert settled.work == {"n2": {"hints": 7, "requests": 0}}


def test_more_work_than_before_is_stuck() -> None:
    """It does not become less."""
    assert _settled(_settle(work=lambda now: {"hints": 1 + int(now)})).state == "stuck"


def test_a_silent_node_is_not_quiet_and_has_no_dump() -> None:
    """Who does not answer may be doing anything."""
    records = _settle(work=lambda _: None, holds=lambda _: None)
    assert _settled(records).state == "stuck"
    assert _settled(records).work == {"n2": {"silent": 1}}
    assert [record.node for record in records if isinstance(record, Dumped)] == ["n1"]


def test_what_never_stops_changing_is_moving() -> None:
    """No work is shown, and no two looks are equal: that is not quiet, and it is not stuck either."""
    settled = _settled(_settle(holds=lambda now: _held(f"{now:.3f}")))
    assert settled.state == "moving"
    assert settled.work == {}


@pytest.mark.parametrize("node", NODES)
def test_a_dump_alone_looks_once(node: str) -> None:
    """Under the name it is given, such as that of a fault that is in force."""
    loop = virtual()
    records: list[Record] = []
    recorder = Recorder(lambda: loop.now_ns, records.append)
    inspector = _Inspector(loop.time, _idle, _steady)
    settling = Settling(inspector, lambda: (node,), recorder, apart_s=APART_S, limit_s=LIMIT_S)
    run(settling.dump("fault-1"), loop)
    (dump,) = records
    assert isinstance(dump, Dumped)
    assert (dump.round, dump.node) == ("fault-1", node)
