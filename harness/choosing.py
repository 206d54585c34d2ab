"""Choose the world of a run, and say why.

`auto` takes containers where a usable Docker engine answers, and local processes otherwise: the same faults, without
root and without Docker. Faults that neither of them can do are simulated. Whoever insists on a world gets it, or one
line that says why not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness import plugins
from harness.contracts import WorldError
from harness.spec import UsageError
from nemesis.catalog import load, missing_powers


@dataclass(frozen=True)
class Chosen:
    """A world, and what to say about the choice; `note` is for the first line, the report and the last line."""

    world: str
    note: str


def choose(wanted: str, possible: Sequence[str], faults: Iterable[str] = ()) -> Chosen:
    """Choose a world of those that the system can run in, best first, in which all of the faults can be injected.

    Raises `WorldError` when the one that was insisted on cannot be had, `UsageError` when there is none of that name,
    or the system cannot run in it, or a fault needs a power that it does not grant.
    """
    faults = tuple(dict.fromkeys(faults))
    unable = {name: missing_powers(faults, plugins.world(name).POWERS) for name in possible}
    if wanted != "auto":
        if wanted in plugins.names("world") and wanted not in possible:
            raise UsageError(f"--world {wanted}: this system runs in {', '.join(possible)}")
        if unable.get(wanted):
            able = [f"give --world {name}" for name in possible if not unable[name]]
            raise UsageError(f"--world {wanted}: {'; '.join([*unable[wanted], *able[-1:]])}")
        trouble = plugins.world(wanted).probe()
        if trouble is not None:
            raise WorldError(f"world {wanted}: {trouble}")
        return Chosen(wanted, f"world: {wanted}, as asked")
    missed: list[str] = []
    for name in possible:
        trouble = _lacks(name, faults) or plugins.world(name).probe()
        if trouble is None:
            because = f"; {'; '.join(missed)}" if missed else ""
            return Chosen(name, f"world: {name}, chosen by auto{because}")
        missed.append(f"no {name}: {trouble}")
    raise WorldError("; ".join(missed))


def _lacks(world: str, faults: Sequence[str]) -> str | None:
    """The powers that a world does not grant and the faults need, in a few words."""
    needs = dict.fromkeys(load(fault).NEEDS for fault in faults)
    lacking = [power.__name__ for power in needs if power not in plugins.world(world).POWERS]
    return f"it does not grant {', '.join(lacking)}" if lacking else None
