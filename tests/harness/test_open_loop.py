"""The open loop: when operations begin is settled beforehand, and no slow answer can put it off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from checkers.history import Completed, History, Invoked, Operation, Outcome, Record, RunStarted, read
from checkers.verdict import Answer
from harness.asking import replay_line
from harness.clients import Client
from harness.contracts import Reply, Step
from harness.directory import HISTORY
from harness.open_loop import InFlight, OpenLoop, due_times
from harness.recorder import Recorder
from harness.runs import carry_out
from harness.sim.loop import NS, DeadlockError, run, virtual
from harness.spec import RunSpec, UsageError

RUN = RunStarted(scenario="x", system="x", world="sim", workload="x", seed=1, nodes=("n1",), n=1, r=1, w=1)
STALL_FROM_S, STALL_UNTIL_S = 2.0, 3.0
PATIENCE_S = 1.5


class _Stalling:
    """A server that answers within a millisecond, but nothing at all during its second of stall."""

    def __init__(self, stall: tuple[float, float] = (STALL_FROM_S, STALL_UNTIL_S)) -> None:
        self._stall = stall
        self.given: list[tuple[str, bytes]] = []

    async def invoke(self, step: Step, context: bytes) -> Reply:
        """Carry a step out."""
        self.given.append((step.op, context))
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(self._stall[1] - now if self._stall[0] <= now < self._stall[1] else 0.001)
        return Reply(Outcome.OK, context=step.op.encode())

    async def read_repairing(self, key: str, node: str) -> bool:
        """Nobody asks."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""


def _gets() -> Iterator[Step]:
    number = 0
    while True:
        number += 1
        yield Step(op=f"c1.{number}", client="c1", node="n1", f="get", key="k")


def _chain() -> Iterator[Step]:
    """Writes, each with the context of the one before."""
    for step in _gets():
        number = int(step.op.removeprefix("c1."))
        yield replace(step, f="put", value=step.op, context_of=f"c1.{number - 1}" if number > 1 else None)


def _run(
    *,
    open_loop: bool,
    server: _Stalling | None = None,
    steps: Iterator[Step] | None = None,
    in_flight: InFlight | None = None,
    per_s: float = 50.0,
) -> History:
    """Five virtual seconds of one client."""
    loop = virtual()
    records: list[Record] = [RUN]
    recorder = Recorder(lambda: loop.now_ns, records.append)
    client = Client(server or _Stalling(), steps or _gets(), recorder)
    rng = Random("arrivals")
    if open_loop:
        work = OpenLoop(client, recorder, in_flight or InFlight()).run(due_times(rng, 0, per_s), 5 * NS, PATIENCE_S)
    else:
        work = client.run(5 * NS, rng, 1 / per_s)
    run(work, loop)
    return History(records)


def _during_the_stall(history: History) -> list[Operation]:
    return [op for op in history.operations if STALL_FROM_S * NS <= op.invoked.at < STALL_UNTIL_S * NS]


def test_a_stalled_server_does_not_keep_operations_from_coming() -> None:
    """They begin when they are due, just as if it had not stalled; the closed loop sends one, and waits."""
    stalled = _run(open_loop=True)
    smooth = _run(open_loop=True, server=_Stalling((9.0, 9.0)))
    begun = [op.invoked.at for op in stalled.operations]
    assert begun == [op.invoked.at for op in smooth.operations]
    assert begun == [op.invoked.due for op in stalled.operations]
    assert begun == list(islice(due_times(Random("arrivals"), 0, 50.0), len(begun)))
    assert 200 <= len(begun) <= 300
    assert len(_during_the_stall(stalled)) >= 40
    assert len(_during_the_stall(_run(open_loop=False))) == 1


def test_the_latency_counts_from_when_an_operation_was_due() -> None:
    """A second of stall at fifty a second is fifty slow operations, half of them slower than half a second."""
    stalled = [op.latency_ns for op in _during_the_stall(_run(open_loop=True))]
    slow = [latency for latency in stalled if latency is not None and latency > NS // 2]
    assert all(latency is not None and latency <= NS for latency in stalled)
    assert len(slow) >= len(stalled) / 3
    closed = _run(open_loop=False)
    assert sum((op.latency_ns or 0) > NS // 2 for op in closed.operations) <= 1
    assert all(op.invoked.due is None for op in closed.operations)


def test_a_write_waits_for_the_context_that_it_names() -> None:
    """As long as the operation that yields it is under way, and its latency counts the wait."""
    server = _Stalling()
    history = _run(open_loop=True, server=server, steps=_chain())
    assert [context for _, context in server.given[1:]] == [op.encode() for op, _ in server.given[:-1]]
    assert all(op.invoked.context_of for op in history.operations[1:])
    waited = [op for op in history.operations if op.invoked.due is not None and op.invoked.at > op.invoked.due]
    assert len(waited) >= 40
    assert all(op.outcome is Outcome.OK for op in history.operations)
    assert max(op.latency_ns or 0 for op in waited) > NS // 2


def test_beyond_the_bound_an_operation_is_not_sent_and_that_is_recorded() -> None:
    """It has certainly failed, and says nothing about the server; room that was freed is used again."""
    server = _Stalling()
    in_flight = InFlight(limit=10)
    history = _run(open_loop=True, server=server, in_flight=in_flight)
    refused = [op for op in history.operations if not op.was_sent]
    assert len(refused) >= 30
    for op in refused:
        assert op.completed is not None
        assert (op.outcome, op.completed.error) == (Outcome.FAILED, "not sent: 10 operations are under way")
        assert STALL_FROM_S * NS <= op.invoked.at < STALL_UNTIL_S * NS
    assert len(server.given) == len(history.operations) - len(refused)
    assert in_flight.number == 0


def test_what_is_under_way_at_the_end_is_waited_for_but_not_for_ever() -> None:
    """A server that has gone silent: what was sent has no end, what still waits for a context was not sent."""
    history = _run(open_loop=True, server=_Stalling((4.0, 99.0)), steps=_chain(), per_s=10.0)
    silent = [op for op in history.operations if op.invoked.due is not None and op.invoked.due >= 4 * NS]
    assert [op.completed is None for op in silent] == [True] + [False] * (len(silent) - 1)
    assert len(silent) > 4
    for op in silent[1:]:
        assert op.completed is not None
        assert op.completed.at == 5 * NS + int(PATIENCE_S * NS)
        assert (op.completed.error or "").endswith("had not ended when the time was over")


def test_when_cancelled_it_cancels_what_is_under_way() -> None:
    """Nothing of it is left to happen."""
    loop = virtual()
    records: list[Record] = []
    recorder = Recorder(lambda: loop.now_ns, records.append)
    server = _Stalling((1.0, 1000.0))
    open_loop = OpenLoop(Client(server, _gets(), recorder), recorder, InFlight())

    async def main() -> None:
        task = asyncio.ensure_future(open_loop.run(due_times(Random("x"), 0, 50.0), 100 * NS, PATIENCE_S))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().time() == 2
        await asyncio.get_running_loop().create_future()  # whatever is left now happens

    with pytest.raises(DeadlockError, match=r"at 1000\.000"):  # cancelled timers stay in the heap, and do nothing
        run(main(), loop)
    assert sum(isinstance(record, Completed) for record in records) < len(server.given)


def test_a_defect_ends_the_loop() -> None:
    """A session never raises for what the system does; what it raises is a mistake of ours, and must not be lost."""

    class _Broken(_Stalling):
        async def invoke(self, step: Step, context: bytes) -> Reply:
            raise ZeroDivisionError(step.op)

    with pytest.raises(ZeroDivisionError, match=r"c1\.1$"):
        _run(open_loop=True, server=_Broken())


SPEC = RunSpec(
    scenario="cart-partition",
    world="sim",
    seed=3,
    workload="cart",
    faults=("partition-halves",),
    time_limit_s=6.0,
    every_s=3.0,
    for_s=1.5,
    concurrency=20,
    rate=300.0,
    keys=10,
    open_loop=True,
)


def test_an_open_run_is_judged_valid_and_repeats_itself(tmp_path: Path) -> None:
    """One spec, one digest; another seed is another run, and so is the closed loop."""
    digests = []
    for number, spec in enumerate((SPEC, SPEC, replace(SPEC, seed=4), replace(SPEC, open_loop=False))):
        directory = tmp_path / str(number)
        directory.mkdir()
        finished = carry_out(spec, directory, "")
        assert finished.judgement.answer is Answer.VALID
        digests.append(finished.digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3

    records = read(tmp_path / "0" / HISTORY).records
    invoked = [record for record in records if isinstance(record, Invoked) and record.due is not None]
    completed = [record.op for record in records if isinstance(record, Completed)]
    assert len(invoked) > 0.7 * SPEC.rate * SPEC.time_limit_s
    assert {record.op for record in invoked} <= set(completed)


@pytest.mark.parametrize("workload", ["register", "cart"])
def test_a_right_store_passes_in_the_open_loop(workload: str, tmp_path: Path) -> None:
    """Whatever happens to its doors."""
    spec = replace(SPEC, system="in-memory", workload=workload, faults=("kill",), rate=100.0)
    assert carry_out(spec, tmp_path, "").judgement.answer is Answer.VALID


def test_an_open_loop_needs_a_rate() -> None:
    """As many operations as they can is what a closed loop does."""
    with pytest.raises(UsageError, match="--rate is 0; with --open-loop"):
        replace(SPEC, rate=0.0).checked()
    assert replace(SPEC, rate=0.0, open_loop=False).checked()


def test_the_line_that_repeats_an_open_run_says_so() -> None:
    """And that of a closed one does not."""
    assert "--open-loop" in replay_line(SPEC).split()
    assert "--open-loop" not in replay_line(replace(SPEC, open_loop=False))
