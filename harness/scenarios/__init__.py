"""Named scenarios: one file a family, a scenario is a line of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

Drawn = Callable[[Random], dict[str, Any]]


@dataclass(frozen=True)
class Scenario:
    """What happens to the cluster, and what clients do meanwhile.

    Where each seed is to be another world, `drawn` draws whatever else a spec says, by the names of its fields; what is
    asked for on the command line outranks it.
    """

    about: str
    faults: tuple[str, ...] = ()
    workload: str = "register"
    drawn: Drawn | None = None
