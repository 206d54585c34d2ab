"""Find faults by their names: a fault is a file, and this file keeps no list of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from random import Random
from typing import cast

from nemesis import faults
from nemesis.powers import Disks, Fault, Membership, PlanError, Processes


class NoSuchFaultError(LookupError):
    """No file of that name among the faults; the message names those that are there."""


@cache
def names() -> tuple[str, ...]:
    """Every fault there is, as it is called on the command line."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(faults.__path__)))


@cache
def load(name: str) -> Fault:
    """The fault of that name."""
    if name not in names():
        raise NoSuchFaultError(f"no '{name}' in {faults.__name__}; there is {', '.join(names())}")
    return cast(Fault, importlib.import_module(f"{faults.__name__}.{name.replace('-', '_')}"))


def loses_disk(name: str) -> bool:
    """Whether the fault says of itself that a victim's data are gone."""
    return bool(getattr(load(name), "LOSES_DISK", False))


def is_beyond(name: str) -> bool:
    """Whether the fault says of itself that no configuration claims to survive it."""
    return bool(getattr(load(name), "BEYOND", False))


def fits(name: str, nodes: Sequence[str]) -> bool:
    """Whether the fault makes sense for these nodes."""
    try:
        load(name).plan(nodes, Random(0))
    except PlanError:
        return False
    return True


def needs_files(name: str) -> bool:
    """Whether the fault says of itself that it happens within files, so that a stand-in for a disk cannot have it."""
    return bool(getattr(load(name), "NEEDS_FILES", False))


def ends_process(name: str) -> bool:
    """Whether the fault takes its victims' processes down; one with power over them may say `ENDS_PROCESS = False`."""
    fault = load(name)
    return fault.NEEDS in (Processes, Disks, Membership) and bool(getattr(fault, "ENDS_PROCESS", True))


def spares_of(name: str) -> int:
    """How many spares the fault says that it brings into the cluster."""
    return int(getattr(load(name), "SPARES", 0))


def is_staged(name: str) -> bool:
    """Whether the fault says of itself that it makes sense only where somebody has thought of what goes with it."""
    return bool(getattr(load(name), "STAGED", False))


def goes(name: str) -> bool:
    """Whether the fault says of itself that its victims are no members afterwards."""
    return bool(getattr(load(name), "GOES", False))


def missing_powers(wanted: Iterable[str], granted: Collection[type]) -> list[str]:
    """One sentence for each fault that needs a power which is not granted; none when all of them can run."""
    needs = {name: load(name).NEEDS for name in wanted}
    return [
        f"{name} needs {power.__name__}, which this world does not grant"
        for name, power in needs.items()
        if power not in granted
    ]
