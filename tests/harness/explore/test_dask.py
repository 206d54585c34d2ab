"""The same results from a Dask cluster of two workers as from this machine alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.harness.explore.test_exploring import OPTIONS, _results
from tests.harness.test_cli import ROOT, keelhaul
from tests.polling import poll

pytest.importorskip("distributed", reason="the extra 'dask' is not installed")


@contextmanager
def cluster(directory: Path) -> Iterator[str]:
    """A scheduler and two workers on loopback; yields the scheduler's address."""
    file = directory / "scheduler.json"
    quiet = ("--scheduler-file", str(file), "--no-dashboard")
    with ExitStack() as stack:
        _begin(stack, "dask_scheduler", "--host", "127.0.0.1", "--port", "0", *quiet)
        poll(file.exists, "the scheduler", within_s=60)
        for _ in range(2):
            _begin(stack, "dask_worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", *quiet)
        yield json.loads(file.read_text())["address"]


def _begin(stack: ExitStack, module: str, *arguments: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)


def test_a_cluster_finds_the_same(tmp_path: Path) -> None:
    """Workers need this code and nothing else."""
    command = ("explore", "partition-halves", "--seeds", "8", *OPTIONS)
    with cluster(tmp_path) as address:
        there = keelhaul(*command, "--dask", address, "--runs", "there", cwd=tmp_path)
    assert there.returncode == 0, there.stderr
    assert keelhaul(*command, "--runs", "here", cwd=tmp_path).returncode == 0
    assert len(_results(tmp_path / "here")) == 8
    assert _results(tmp_path / "there") == _results(tmp_path / "here")
