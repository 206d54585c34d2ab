"""Choose the world of a run, and say why.

`auto` takes containers where a usable Docker engine answers, and local processes otherwise: the same faults, without
root and without Docker. Whoever insists on a world gets it, or one line that says why not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness import plugins
from harness.contracts import WorldError
from harness.spec import UsageError


@dataclass(frozen=True)
class Chosen:
    """A world, and what to say about the choice; `note` is for the first line, the report and the last line."""

    world: str
    note: str


def choose(wanted: str, possible: Sequence[str]) -> Chosen:
    """Choose a world of those that the system can run in, best first.

    Raises `WorldError` when the one that was insisted on cannot be had, `UsageError` when there is none of that name
    or the system cannot run in it.
    """
    if wanted != "auto":
        if wanted in plugins.names("world") and wanted not in possible:
            raise UsageError(f"--world {wanted}: this system runs in {', '.join(possible)}")
        trouble = plugins.world(wanted).probe()
        if trouble is not None:
            raise WorldError(f"world {wanted}: {trouble}")
        return Chosen(wanted, f"world: {wanted}, as asked")
    missed: list[str] = []
    for name in possible:
        trouble = plugins.world(name).probe()
        if trouble is None:
            because = f"; {'; '.join(missed)}" if missed else ""
            return Chosen(name, f"world: {name}, chosen by auto{because}")
        missed.append(f"no {name}: {trouble}")
    raise WorldError("; ".join(missed))
