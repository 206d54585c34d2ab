"""Every fault, alone and with two others, in a small simulated cluster: the shipped node survives, provably.

A run that ends invalid has found a defect in the node, in a checker, in a fault or in the simulator; none of them may
be left. The message has the faults and the seed, and `_run` with them repeats it to the last event.
"""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from checkers.episodes import episodes
from checkers.history import Invoked
from checkers.judge import Judgement
from checkers.verdict import Answer
from harness.runs import Simulated, judged, schedule_of, simulate
from harness.spec import ON_CUT, RunSpec
from harness.story import Plot
from nemesis.catalog import goes, is_staged, loses_disk, names, spares_of

BLACKOUT = "kill-all"
"""While nobody lives there is nothing for other faults to have an effect on."""


SPARES = 2
ALONE = tuple(name for name in names() if name != "evict")
"""A node that answers is not ordered out as if it did not, so that one needs another fault to go with it."""
TOGETHER = tuple(name for name in names() if not is_staged(name))


def _strikes(name: str) -> int:
    """How often a fault strikes in a run of two periods: what goes, and what comes, can do so once only."""
    if spares_of(name):
        return min(2, SPARES // spares_of(name)) if not loses_disk(name) else 1
    return 1 if goes(name) and loses_disk(name) else 2


def _spec(faults: tuple[str, ...], seed: int, **more: object) -> RunSpec:
    fields = {"time_limit_s": 6.0, "keys": 12, "engine": "log", "spares": SPARES} | more
    return msgspec.convert({"scenario": "calm", "world": "sim", "seed": seed, "faults": faults, **fields}, RunSpec)


def _run(spec: RunSpec) -> tuple[Simulated, Judgement]:
    plot = Plot(spec, schedule_of(spec))
    simulated = simulate(plot)
    assert simulated.interrupted is None
    return simulated, judged(plot, simulated.history)


def _blame(judgement: Judgement) -> list[str]:
    return [f"{each.checker}: {each.reason}" for each in judgement.verdicts if each.answer is not Answer.VALID]


@pytest.mark.parametrize("name", ALONE)
def test_a_fault_alone_is_delivered_every_time_and_survived(name: str) -> None:
    """Every strike has its effect, so that a short run, or one that shrinks, still proves something."""
    longer = {"time_limit_s": 14.0} if name == "disk-rollback" else {}  # its cure watches for a while
    simulated, judgement = _run(_spec((name,), 3, **longer))
    found = episodes(simulated.history)
    assert [(each.delivered, each.failed) for each in found] == [(True, False)] * _strikes(name)
    assert _blame(judgement) == []


@pytest.mark.parametrize("seed", range(40))
def test_three_faults_together_are_survived(seed: int) -> None:
    """Whichever they are, whatever cuts do to what is under way; faults that find no room are left out."""
    rng = Random(f"{seed}:three faults")
    spec = _spec(tuple(rng.sample(TOGETHER, 3)), seed, on_cut=rng.choice(ON_CUT))
    struck = {injection.name for injection in schedule_of(spec)}
    spec = msgspec.structs.replace(spec, faults=tuple(name for name in spec.faults if name in struck))
    _, judgement = _run(spec)
    allowed = (Answer.VALID, Answer.UNKNOWN) if BLACKOUT in spec.faults else (Answer.VALID,)
    assert judgement.answer in allowed, (spec, _blame(judgement))


def _asked(simulated: Simulated) -> dict[str, list[str]]:
    """Who asked what, in the order of each client, without the times."""
    asked: dict[str, list[str]] = {}
    for record in simulated.history.records:
        if isinstance(record, Invoked) and record.op.startswith("c"):
            told = f"{record.f} {record.key} {record.value} at {record.node}"
            asked.setdefault(record.client, []).append(told)
    return asked


def test_another_message_seed_is_another_order_of_the_same_work() -> None:
    """Operations and faults stay; delays, and so the trace, do not."""
    spec = _spec(("partition-halves", "kill"), 5)
    runs = [_run(msgspec.structs.replace(spec, message_seed=seed))[0] for seed in (None, 6, 6)]
    assert runs[1].digest == runs[2].digest
    assert runs[0].digest != runs[1].digest
    assert runs[0].plot.schedule == runs[1].plot.schedule
    one, other = _asked(runs[0]), _asked(runs[1])
    assert one.keys() == other.keys()
    for client, asked in one.items():
        shared = min(len(asked), len(other[client])) - 1
        assert shared > 10
        assert asked[:shared] == other[client][:shared]
