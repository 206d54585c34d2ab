"""The workload on simloop's asyncio loop (PyPI; Python 3.12 or newer).

`python -m benchmarks.kernels.simloop` prints operations a processor second, of each way to write it.
"""

from __future__ import annotations

from functools import partial

import simloop  # type: ignore[import-not-found, unused-ignore]  # it is no dependency: see benchmarks.simulation

from benchmarks.kernels.quorum_on_asyncio import main
from benchmarks.kernels.workload import report


def workload(seed: int, *, as_tasks: bool) -> int:
    """Run it once; returns how many operations found their quorum."""
    reached: int = simloop.SimLoop(seed).run_until_complete(main(seed, as_tasks=as_tasks))
    return reached


if __name__ == "__main__":
    report(tasks=partial(workload, as_tasks=True), callbacks=partial(workload, as_tasks=False))
