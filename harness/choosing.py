"""Choose the world of a run, and say why.

`auto` takes containers where a usable Docker engine answers, and local processes otherwise: the same faults, without
root and without Docker. Whoever insists on a world gets it, or one line that says why not.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness import plugins
from harness.contracts import WorldError

PREFERRED = ("containers", "processes", "sim")


@dataclass(frozen=True)
class Chosen:
    """A world, and what to say about the choice; `note` is for the first line, the report and the last line."""

    world: str
    note: str


def choose(wanted: str) -> Chosen:
    """Choose a world; raises `WorldError` when the one that was insisted on cannot be had."""
    if wanted != "auto":
        trouble = plugins.world(wanted).probe()
        if trouble is not None:
            raise WorldError(f"world {wanted}: {trouble}")
        return Chosen(wanted, f"world: {wanted}, as asked")
    missed: list[str] = []
    for name in PREFERRED:
        trouble = plugins.world(name).probe()
        if trouble is None:
            because = f"; {'; '.join(missed)}" if missed else ""
            return Chosen(name, f"world: {name}, chosen by auto{because}")
        missed.append(f"no {name}: {trouble}")
    raise WorldError("; ".join(missed))
