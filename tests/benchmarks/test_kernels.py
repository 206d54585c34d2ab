"""Every way to write the kernels' workload does all of it, and the comparison is skipped where it cannot be made."""

from __future__ import annotations

import sys

import pytest

from benchmarks import simulation
from benchmarks.kernels import ours, quorum_on_asyncio, workload
from harness.sim.loop import run, virtual


def test_our_kernel_reaches_every_quorum() -> None:
    """A kernel that loses operations is fast for nothing."""
    assert ours.workload(1) == workload.OPERATIONS


@pytest.mark.parametrize("as_tasks", [True, False])
def test_the_asyncio_kernels_do_the_same(as_tasks: bool) -> None:
    """On a loop that is here; simloop and simloom are asyncio loops, too."""
    assert run(quorum_on_asyncio.main(1, as_tasks=as_tasks), virtual()) == workload.OPERATIONS


def test_without_the_other_kernels_ours_is_measured_and_the_rest_is_said_to_be_skipped() -> None:
    """Here under a Python that has neither of them."""
    said: list[str] = []
    rates = simulation.kernels(1, sys.executable, said.append)
    assert list(rates) == ["ours"]
    assert len(said) == 1
    assert said[0].startswith("skipped: simloop under python")
