"""What there is to be asked for, with a sentence on each: the first of its file, or of its scenario.

This file knows where plug-ins lie. It keeps no list of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType

from rich.table import Table

from checkers import judge
from harness import plugins
from nemesis import catalog as faults

NAME_WIDTH = 32


def catalog() -> dict[str, dict[str, str]]:
    """Every kind of plug-in, each with its names and what they are about."""
    families = plugins.all_scenarios()
    scenarios = {name: {scenario: found.about for scenario, found in of.items()} for name, of in families.items()}
    return {f"scenarios, family {family}": entries for family, entries in scenarios.items()} | {
        "faults": _about(faults.names(), faults.load),
        "checkers": _about(judge.names(), judge.load),
        "workloads": _about(plugins.names("workload"), plugins.workload),
        "systems": _about(plugins.names("system"), plugins.system),
        "worlds": {name: plugins.world(name).probe() or "can be had here" for name in plugins.names("world")},
    }


def drawn(entries: dict[str, str]) -> Table:
    """Names and sentences in two columns, the second wrapped below itself."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(width=NAME_WIDTH, no_wrap=True)
    table.add_column(overflow="fold")
    for name, about in entries.items():
        table.add_row(f"  {name}", about)
    return table


def _about(names: Iterable[str], load: object) -> dict[str, str]:
    assert callable(load)
    return {name: _first_sentence(load(name)) for name in names}


def _first_sentence(plugin: object) -> str:
    """The first sentence of a module's docstring, in one line."""
    module = plugin if isinstance(plugin, ModuleType) else sys.modules[type(plugin).__module__]
    words = " ".join((module.__doc__ or "").split())
    return words.split(". ")[0].rstrip(".")
