"""Named scenarios: one file a family, a scenario is a line of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from nemesis.timeline import Timeline, faults_of

Drawn = Callable[[Random], dict[str, Any]]


@dataclass(frozen=True)
class Scenario:
    """What happens to the cluster, and what clients do meanwhile.

    Its `faults` are drawn, or stand in a `timeline`. `fields` are what else its spec says, by the names of its fields.
    Where each seed is to be another world, `drawn` draws those; what is asked for on the command line outranks both.
    """

    about: str
    faults: tuple[str, ...] = ()
    workload: str = "register"
    drawn: Drawn | None = None
    timeline: Timeline = ()
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def injects(self) -> tuple[str, ...]:
        """Every fault that it has, drawn or at its time."""
        return tuple(dict.fromkeys((*faults_of(self.timeline), *self.faults)))

    @property
    def lasts_s(self) -> float:
        """How long its timeline takes: the least time limit of a run, and 0 where there is none."""
        return max((beat.at_s + beat.for_s for beat in self.timeline), default=0.0)
