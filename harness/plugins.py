"""Find systems, worlds, workloads and scenarios by name: the file is the plug-in, and there is no list to edit."""

from __future__ import annotations

import importlib
import pkgutil
from difflib import get_close_matches
from types import ModuleType
from typing import Any

from harness import scenarios, systems, workloads, worlds
from harness.scenarios import Scenario
from harness.spec import UsageError


def system(name: str) -> Any:
    """A system under test."""
    return _load("system", name)


def world(name: str) -> Any:
    """A world."""
    return _load("world", name)


def workload(name: str) -> Any:
    """A workload."""
    return _load("workload", name)


def all_scenarios() -> dict[str, dict[str, Scenario]]:
    """Every scenario by name, in its family: a family is a file."""
    return {name: _module(scenarios, name).SCENARIOS for name in _files(scenarios)}


def find_scenarios(name: str) -> dict[str, Scenario]:
    """The scenario of that name, or all of the family of that name."""
    families = all_scenarios()
    if name in families:
        return families[name]
    known = {scenario: found for family in families.values() for scenario, found in family.items()}
    if name in known:
        return {name: known[name]}
    near = get_close_matches(name, [*families, *known], n=3)
    there = f"did you mean {' or '.join(near)}?" if near else f"there is {', '.join(families)}, each with some;"
    raise UsageError(f"no scenario '{name}'; {there} `keelhaul list` names all")


def scenario(name: str) -> Scenario | None:
    """The scenario of that name, or None: a recorded run may be of one that is no more."""
    return next((family[name] for family in all_scenarios().values() if name in family), None)


def names(kind: str) -> list[str]:
    """Every plug-in of a kind (`system`, `world` or `workload`), as it is called on the command line."""
    package, mark = _KINDS[kind]
    return [file.replace("_", "-") for file in _files(package) if hasattr(_module(package, file), mark)]


_KINDS = {"system": (systems, "builder"), "world": (worlds, "open"), "workload": (workloads, "operations")}


def _load(kind: str, name: str) -> ModuleType:
    if name not in names(kind):
        raise UsageError(f"no {kind} '{name}'; there is {', '.join(names(kind))}")
    return _module(_KINDS[kind][0], name.replace("-", "_"))


def _files(package: ModuleType) -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def _module(package: ModuleType, file: str) -> ModuleType:
    return importlib.import_module(f"{package.__name__}.{file}")
