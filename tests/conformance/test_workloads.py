"""What every workload must do: pass on a store that is right by construction, and convict at least one planted bug."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from checkers.judge import load
from checkers.verdict import Answer
from harness import plugins
from harness.clients import READS_KEPT
from harness.contracts import Step
from harness.runs import carry_out
from harness.spec import RunSpec

EVERY_WORKLOAD = pytest.mark.parametrize("workload", plugins.names("workload"))
NODES = ("n1", "n2", "n3")


@EVERY_WORKLOAD
def test_same_seed_same_operations(workload: str) -> None:
    """Operations are data: the same generator draws the same ones, another one draws others."""
    operations = plugins.workload(workload).operations

    def drawn(seed: str) -> list[object]:
        return list(islice(operations(Random(seed), "c1", NODES, 5), 50))

    assert drawn("a") == drawn("a")
    assert drawn("a") != drawn("b")


@EVERY_WORKLOAD
def test_contexts_name_earlier_operations(workload: str) -> None:
    """A context is that of an earlier operation of the same client on the same key."""
    steps = list(islice(plugins.workload(workload).operations(Random(1), "c1", NODES, 3), 300))
    before: dict[str, Step] = {}
    for step in steps:
        if step.context_of is not None:
            assert before[step.context_of].key == step.key
        before[step.op] = step
    assert any(step.context_of for step in steps)


@EVERY_WORKLOAD
def test_what_is_edited_was_just_read(workload: str) -> None:
    """A write whose value depends on a read names a read so recent that its client still remembers it."""
    steps = list(islice(plugins.workload(workload).operations(Random(1), "c1", NODES, 3), 300))
    for place, step in enumerate(steps):
        if step.edit is not None:
            assert callable(plugins.workload(workload).value_of)
            recent = [earlier.op for earlier in steps[:place] if earlier.f == "get"][-READS_KEPT:]
            assert step.value is None
            assert step.context_of in recent


@EVERY_WORKLOAD
def test_checkers_exist(workload: str) -> None:
    """Every checker that a workload names can be loaded."""
    assert plugins.workload(workload).CHECKERS
    for name in plugins.workload(workload).CHECKERS:
        assert callable(load(name).check)


@EVERY_WORKLOAD
@pytest.mark.parametrize("faults", [(), ("kill",), ("kill-all", "wipe")])
def test_passes_on_a_right_store(workload: str, faults: tuple[str, ...], tmp_path: Path) -> None:
    """On a store that is right by construction the verdict is valid, whatever happens to its doors."""
    spec = RunSpec(scenario="right", world="sim", seed=4, system="in-memory", workload=workload, faults=faults, keys=10)
    assert carry_out(spec, tmp_path, "").judgement.answer is Answer.VALID


@EVERY_WORKLOAD
def test_convicts_a_planted_bug(workload: str, tmp_path: Path) -> None:
    """A workload that cannot see siblings being dropped sees nothing."""
    spec = RunSpec(
        scenario="partition-halves",
        world="sim",
        seed=1,
        workload=workload,
        faults=("partition-halves",),
        variant="tests.bugs.dropped_siblings",
    )
    assert carry_out(spec, tmp_path, "").judgement.answer is Answer.INVALID
