"""The workload on simloom's asyncio loop (PyPI; Python 3.12 or newer).

`python -m benchmarks.kernels.simloom` prints operations a processor second, of each way to write it.
"""

from __future__ import annotations

from functools import partial

import simloom  # type: ignore[import-not-found, unused-ignore]  # it is no dependency: see benchmarks.simulation

from benchmarks.kernels.quorum_on_asyncio import main
from benchmarks.kernels.workload import report


def workload(seed: int, *, as_tasks: bool) -> int:
    """Run it once; returns how many operations found their quorum."""
    found: int = simloom.run(lambda: main(seed, as_tasks=as_tasks), seed=seed).value
    return found


if __name__ == "__main__":
    report(tasks=partial(workload, as_tasks=True), callbacks=partial(workload, as_tasks=False))
