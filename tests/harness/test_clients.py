"""Clients take their operations in turn, carry contexts by the names of operations, and record both ends of each."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from checkers.history import Completed, Invoked, Outcome, Record
from harness.clients import Client
from harness.contracts import Reply, Step
from harness.recorder import Recorder
from harness.sim.loop import NS, run, virtual

OK = Reply(Outcome.OK, context=b"a context")


class _Session:
    """A system that answers as it is told, after some time, and remembers what it was given."""

    def __init__(self, replies: dict[str, Reply], takes_s: float = 0.25) -> None:
        self.given: list[tuple[str, bytes]] = []
        self.busy = 0
        self._replies = replies
        self._takes_s = takes_s

    async def invoke(self, step: Step, context: bytes) -> Reply:
        """Carry a step out."""
        self.given.append((step.op, context))
        self.busy += 1
        assert self.busy == 1, "a client has one operation under way"
        await asyncio.sleep(self._takes_s)
        self.busy -= 1
        return self._replies.get(step.op, OK)

    async def read_repairing(self, key: str, node: str) -> bool:
        """Nobody asks."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


def _step(op: str, f: str = "get", context_of: str | None = None) -> Step:
    value = op if f == "put" else None
    return Step(op=op, client="c1", node="n1", f=f, key="k", value=value, context_of=context_of)


def _taken(directory: Path, session: _Session, *steps: Step) -> list[Record]:
    loop = virtual()
    records: list[Record] = []
    recorder = Recorder(directory / "history.jsonl", lambda: loop.now_ns, records.append)
    client = Client(session, iter(steps), recorder)

    async def main() -> None:
        for _ in steps:
            await client.take()

    run(main(), loop)
    recorder.close()
    return records


def test_an_operation_is_recorded_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    """With what was asked in the first record and what became of it in the second."""
    session = _Session({"c1.1": Reply(Outcome.UNKNOWN, error="timeout: no answer")})
    invoked, completed = _taken(tmp_path, session, _step("c1.1", "put"))
    assert invoked == Invoked(at=0, op="c1.1", client="c1", node="n1", f="put", key="k", value="c1.1")
    assert completed == Completed(at=NS // 4, op="c1.1", outcome=Outcome.UNKNOWN, error="timeout: no answer")


def test_a_write_carries_the_context_of_the_operation_it_names(tmp_path: Path) -> None:
    """Contexts are symbolic in the steps and in the history; bytes only towards the system."""
    session = _Session({"c1.1": Reply(Outcome.OK, context=b"of one"), "c1.2": Reply(Outcome.OK, context=b"of two")})
    records = _taken(
        tmp_path, session, _step("c1.1"), _step("c1.2"), _step("c1.3", "put", "c1.1"), _step("c1.4", "put", "c1.2")
    )
    assert session.given == [("c1.1", b""), ("c1.2", b""), ("c1.3", b"of one"), ("c1.4", b"of two")]
    invoked = [record for record in records if isinstance(record, Invoked)]
    assert [record.context_of for record in invoked] == [None, None, "c1.1", "c1.2"]


def test_an_operation_that_failed_yields_no_context(tmp_path: Path) -> None:
    """The write that names it is a blind one, and the history says so: otherwise it would seem to cover what its
    client never saw.
    """
    session = _Session({"c1.1": Reply(Outcome.FAILED, error="x"), "c1.2": Reply(Outcome.UNKNOWN, error="x")})
    records = _taken(
        tmp_path, session, _step("c1.1"), _step("c1.2"), _step("c1.3", "put", "c1.1"), _step("c1.4", "put", "c1.2")
    )
    assert session.given[2:] == [("c1.3", b""), ("c1.4", b"")]
    assert [record.context_of for record in records if isinstance(record, Invoked)] == [None] * 4


def test_the_empty_context_is_a_context(tmp_path: Path) -> None:
    """A read that found nothing has been made all the same, and the write that follows it says so."""
    session = _Session({"c1.1": Reply(Outcome.OK, context=b"")})
    records = _taken(tmp_path, session, _step("c1.1"), _step("c1.2", "put", "c1.1"))
    assert [record.context_of for record in records if isinstance(record, Invoked)] == [None, "c1.1"]


def test_a_context_of_nobody_known_is_none(tmp_path: Path) -> None:
    """As after shrinking took the read away that a write named."""
    session = _Session({})
    records = _taken(tmp_path, session, _step("c1.2", "put", "c1.1"))
    assert session.given == [("c1.2", b"")]
    assert isinstance(records[0], Invoked)
    assert records[0].context_of is None


def _paced(directory: Path, think_s: float) -> int:
    """How many operations of 0.25 s each one client makes in 100 s."""
    loop = virtual()
    session = _Session({})
    recorder = Recorder(directory / "history.jsonl", lambda: loop.now_ns)
    steps = (_step(f"c1.{number}") for number in range(10_000))
    run(Client(session, steps, recorder).run(100 * NS, Random("pace"), think_s), loop)
    recorder.close()
    return len(session.given)


def test_a_client_works_until_its_time_is_over(tmp_path: Path) -> None:
    """One after the other: what it has begun it ends, and then it begins nothing more."""
    assert _paced(tmp_path, 0) == 400


def test_a_client_thinks_as_long_as_it_should_on_average(tmp_path: Path) -> None:
    """0.75 s beside 0.25 s of waiting make one operation a second."""
    assert 80 <= _paced(tmp_path, 0.75) <= 120
