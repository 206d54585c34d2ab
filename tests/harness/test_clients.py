"""Clients take their operations in turn, carry contexts by the names of operations, and record both ends of each."""

from __future__ import annotations

import asyncio
from random import Random

from checkers.history import Completed, Invoked, Outcome, Record, Version
from harness.clients import READS_KEPT, Client, as_drawn
from harness.contracts import Reply, Step, ValueOf
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


def _step(op: str, f: str = "get", context_of: str | None = None, edit: str | None = None) -> Step:
    value = op if f == "put" and edit is None else None
    return Step(op=op, client="c1", node="n1", f=f, key="k", value=value, context_of=context_of, edit=edit)


def _taken(session: _Session, *steps: Step, value_of: ValueOf = as_drawn, skipped: int = 0) -> list[Record]:
    loop = virtual()
    records: list[Record] = []
    recorder = Recorder(lambda: loop.now_ns, records.append)
    client = Client(session, iter(steps), recorder, value_of)

    async def main() -> None:
        for _ in steps[skipped:]:
            await client.take()

    run(main(), loop)
    return records


def test_an_operation_is_recorded_when_it_begins_and_when_it_ends() -> None:
    """With what was asked in the first record and what became of it in the second."""
    session = _Session({"c1.1": Reply(Outcome.UNKNOWN, error="timeout: no answer")})
    invoked, completed = _taken(session, _step("c1.1", "put"))
    assert invoked == Invoked(at=0, op="c1.1", client="c1", node="n1", f="put", key="k", value="c1.1")
    assert completed == Completed(at=NS // 4, op="c1.1", outcome=Outcome.UNKNOWN, error="timeout: no answer")


def test_a_write_carries_the_context_of_the_operation_it_names() -> None:
    """Contexts are symbolic in the steps and in the history; bytes only towards the system."""
    session = _Session({"c1.1": Reply(Outcome.OK, context=b"of one"), "c1.2": Reply(Outcome.OK, context=b"of two")})
    records = _taken(session, _step("c1.1"), _step("c1.2"), _step("c1.3", "put", "c1.1"), _step("c1.4", "put", "c1.2"))
    assert session.given == [("c1.1", b""), ("c1.2", b""), ("c1.3", b"of one"), ("c1.4", b"of two")]
    invoked = [record for record in records if isinstance(record, Invoked)]
    assert [record.context_of for record in invoked] == [None, None, "c1.1", "c1.2"]


def test_an_operation_that_failed_yields_no_context() -> None:
    """The write that names it is a blind one, and the history says so: otherwise it would seem to cover what its
    client never saw.
    """
    session = _Session({"c1.1": Reply(Outcome.FAILED, error="x"), "c1.2": Reply(Outcome.UNKNOWN, error="x")})
    records = _taken(session, _step("c1.1"), _step("c1.2"), _step("c1.3", "put", "c1.1"), _step("c1.4", "put", "c1.2"))
    assert session.given[2:] == [("c1.3", b""), ("c1.4", b"")]
    assert [record.context_of for record in records if isinstance(record, Invoked)] == [None] * 4


def test_the_empty_context_is_a_context() -> None:
    """A read that found nothing has been made all the same, and the write that follows it says so."""
    session = _Session({"c1.1": Reply(Outcome.OK, context=b"")})
    records = _taken(session, _step("c1.1"), _step("c1.2", "put", "c1.1"))
    assert [record.context_of for record in records if isinstance(record, Invoked)] == [None, "c1.1"]


def test_a_context_of_nobody_known_is_none() -> None:
    """As after shrinking took the read away that a write named."""
    session = _Session({})
    records = _taken(session, _step("c1.2", "put", "c1.1"))
    assert session.given == [("c1.2", b"")]
    assert isinstance(records[0], Invoked)
    assert records[0].context_of is None


def _joined(step: Step, read: tuple[Version, ...] | None) -> str | None:
    """What an edit makes of what was read; nothing of an empty read."""
    if read is None:
        return f"blind {step.edit}"
    return "+".join([*(version.value for version in read), str(step.edit)]) if read else None


def _read(*values: str) -> Reply:
    versions = tuple(Version(f"dot-{value}", value) for value in values)
    return Reply(Outcome.OK, versions=versions, context=b"of " + "".join(values).encode())


def test_an_edit_is_made_of_what_the_read_returned_that_it_names() -> None:
    """The value is recorded as it was sent, and the context goes with it."""
    session = _Session({"c1.1": _read("a", "b"), "c1.2": _read("c")})
    edits = (_step("c1.3", "put", "c1.1", "x"), _step("c1.4", "put", "c1.2", "y"))
    records = _taken(session, _step("c1.1"), _step("c1.2"), *edits, value_of=_joined)
    puts = [record for record in records if isinstance(record, Invoked) and record.f == "put"]
    assert [(put.value, put.context_of) for put in puts] == [("a+b+x", "c1.1"), ("c+y", "c1.2")]
    assert session.given[2:] == [("c1.3", b"of ab"), ("c1.4", b"of c")]


def test_an_edit_of_a_read_that_failed_is_blind() -> None:
    """Nobody knows what it would have returned, so nothing of that is covered either."""
    session = _Session({"c1.1": Reply(Outcome.UNKNOWN, error="x")})
    records = _taken(session, _step("c1.1"), _step("c1.2", "put", "c1.1", "x"), value_of=_joined)
    put = next(record for record in records if isinstance(record, Invoked) and record.f == "put")
    assert (put.value, put.context_of) == ("blind x", None)
    assert session.given[1:] == [("c1.2", b"")]


def test_an_edit_with_nothing_to_do_is_passed_over() -> None:
    """It is neither sent nor recorded, and the next operation is taken in its place."""
    session = _Session({"c1.1": _read()})
    steps = (_step("c1.1"), _step("c1.2", "put", "c1.1", "x"), _step("c1.3"))
    records = _taken(session, *steps, value_of=_joined, skipped=1)
    assert [record.op for record in records if isinstance(record, Invoked)] == ["c1.1", "c1.3"]


def test_a_client_remembers_its_last_reads_only() -> None:
    """An edit of a read that was forgotten is blind: with the context it would cover what it does not have."""
    reads = [f"r.{number}" for number in range(READS_KEPT + 1)]
    session = _Session({read: _read(read) for read in reads}, takes_s=0)
    edits = (_step("old", "put", reads[0], "x"), _step("new", "put", reads[1], "x"))
    records = _taken(session, *map(_step, reads), *edits, value_of=_joined)
    puts = [record for record in records if isinstance(record, Invoked) and record.f == "put"]
    assert [(put.value, put.context_of) for put in puts] == [("blind x", None), (f"{reads[1]}+x", reads[1])]


def _paced(think_s: float) -> int:
    """How many operations of 0.25 s each one client makes in 100 s."""
    loop = virtual()
    session = _Session({})
    recorder = Recorder(lambda: loop.now_ns, list[Record]().append)
    steps = (_step(f"c1.{number}") for number in range(10_000))
    run(Client(session, steps, recorder).run(100 * NS, Random("pace"), think_s), loop)
    return len(session.given)


def test_a_client_works_until_its_time_is_over() -> None:
    """One after the other: what it has begun it ends, and then it begins nothing more."""
    assert _paced(0) == 400


def test_a_client_thinks_as_long_as_it_should_on_average() -> None:
    """0.75 s beside 0.25 s of waiting make one operation a second."""
    assert 80 <= _paced(0.75) <= 120
