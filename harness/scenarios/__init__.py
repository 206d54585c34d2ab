"""Named scenarios: one file a family, a scenario is a line of data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """What happens to the cluster, and what clients do meanwhile."""

    about: str
    faults: tuple[str, ...] = ()
    workload: str = "register"
