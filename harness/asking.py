"""What somebody asks for, and the line that asks for it again: a scenario and options on one side, a spec on the other.

This file knows scenarios, and the options of the command line by name. It does not know how a run is carried out.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from random import Random
from typing import Any

import msgspec

from harness import plugins
from harness.options import FIELDS
from harness.runs import schedule_of
from harness.scenarios import Scenario
from harness.spec import RunSpec, UsageError
from nemesis.catalog import fits, missing_powers, needs_files
from nemesis.powers import Membership

ENGINES_ON_FILES = ("log",)
"""Those whose files exist in every world; in simulation the others are stand-ins."""


def complete_spec(name: str, scenario: Scenario, *, more_faults: tuple[str, ...] = (), **options: Any) -> RunSpec:
    """The spec of a scenario, complete but for the world; raises `UsageError` for what no world could run."""
    spec = _spec(name, scenario, options)
    spec = msgspec.structs.replace(spec, faults=tuple(dict.fromkeys((*spec.faults, *more_faults)))).checked()
    system, workload = plugins.system(spec.system), plugins.workload(spec.workload)
    lacking = [operation for operation in workload.NEEDS if operation not in system.OPERATIONS]
    if lacking:
        raise UsageError(f"--system {spec.system}: workload {spec.workload} needs {', '.join(lacking)}, which it lacks")
    system.builder(spec)
    if spec.spares and Membership not in system.POWERS:
        raise UsageError(
            f"--spares is {spec.spares}; the nodes of --system {spec.system} are those that it begins with"
        )
    schedule = schedule_of(spec)
    if scenario.drawn is not None:  # a fault that finds no room is as good as switched off
        struck = {injection.name for injection in schedule}
        spec = msgspec.structs.replace(spec, faults=tuple(name for name in spec.faults if name in struck))
    without_files = [name for name in spec.faults if needs_files(name) and spec.engine not in ENGINES_ON_FILES]
    if without_files:
        engines = " or ".join(ENGINES_ON_FILES)
        raise UsageError(f"--engine {spec.engine}: {', '.join(without_files)} needs an engine on files; give {engines}")
    unable = missing_powers(spec.faults, system.POWERS)
    if unable:
        raise UsageError(f"--system {spec.system}: {'; '.join(unable)}")
    return spec


def changed(spec: RunSpec, asked: Mapping[str, Any]) -> RunSpec:
    """A spec with what is asked for beside it: an option of a field, or `none` for a node without its planted bug.

    Raises `UsageError` for what a run with given faults cannot change.
    """
    fields = dict(asked)
    if "more_faults" in fields:
        raise UsageError("--fault: a scenario file has its faults; add one to its schedule")
    if "seed" in fields:
        raise UsageError("--seed: in a scenario file nothing is drawn but delays; give --message-seed")
    if fields.get("variant") == "none":
        fields["variant"] = None
    return msgspec.convert({**msgspec.to_builtins(spec), **fields}, RunSpec).checked()


def asked_again(asked: Mapping[str, Any]) -> list[str]:
    """The words that ask for these options, by their fields, once more."""
    words: list[str] = []
    for option, field in FIELDS.items():
        if field in asked:
            words += [option] if asked[field] is True else [option, _exactly(asked[field])]
    for name, number in asked.get("settings", {}).items():
        words += ["--set", f"{name}={number}"]
    return words


def _spec(name: str, scenario: Scenario, options: Mapping[str, Any]) -> RunSpec:
    """What the scenario says, what it draws, and what is asked for, each outranking the one before."""
    drawn: dict[str, Any] = {}
    if scenario.drawn is not None:
        drawn = scenario.drawn(Random(f"{options.get('seed', 1)}:{name}"))
    said = {"scenario": name, "world": "", "workload": scenario.workload, "faults": scenario.injects, **scenario.fields}
    settings = {**scenario.fields.get("settings", {}), **drawn.get("settings", {}), **options.get("settings", {})}
    spec = msgspec.convert({"seed": 1, **said, **drawn, **options, "settings": settings}, RunSpec)
    return _fitted(spec, drawn.keys() - options.keys())


def _fitted(spec: RunSpec, drawn: Collection[str]) -> RunSpec:
    """Make what was drawn fit what was asked for: nobody who asks for three nodes has to ask for n = 3 as well."""
    asked = {name: getattr(spec, name) for name in ("nodes", "n", "r", "w") if name not in drawn}
    nodes = max(spec.nodes, *asked.values()) if "nodes" in drawn and asked else spec.nodes
    n = min(max([spec.n, *(asked[name] for name in ("r", "w") if name in asked)]), nodes) if "n" in drawn else spec.n
    changes: dict[str, Any] = {name: min(getattr(spec, name), n) for name in ("r", "w") if name in drawn}
    changes |= {"nodes": nodes, "n": n}
    if "open_loop" in drawn and not spec.rate:
        changes["open_loop"] = False
    if "for_s" in drawn:
        changes["for_s"] = min(spec.for_s, spec.every_s * 0.9)
    elif "every_s" in drawn:
        changes["every_s"] = max(spec.every_s, spec.for_s / 0.9)
    if "faults" in drawn:
        names = tuple(f"n{number}" for number in range(1, nodes + 1))
        no_files = spec.engine not in ENGINES_ON_FILES
        fitting = [name for name in spec.faults if fits(name, names) and not (no_files and needs_files(name))]
        changes["faults"] = tuple(fitting)
    return msgspec.structs.replace(spec, **changes)


def _can_be(fault: str, spec: RunSpec) -> bool:
    return fits(fault, spec.node_ids) and (spec.engine in ENGINES_ON_FILES or not needs_files(fault))


def replay_line(spec: RunSpec) -> str:
    """The one line that repeats a run: what differs from the scenario's defaults, and always the world and the
    seed.
    """
    words = ["keelhaul", "run", spec.scenario, "--world", spec.world, "--seed", str(spec.seed)]
    known = plugins.scenario(spec.scenario)
    plain = RunSpec(scenario=spec.scenario, world=spec.world, seed=spec.seed)
    if known is not None:
        plain = _spec(spec.scenario, known, {"seed": spec.seed})
    for option, field in FIELDS.items():
        value = getattr(spec, field)
        if value != getattr(plain, field):
            words += [option] if value is True else [option, _exactly(value)]
    for name, number in spec.settings.items():
        if plain.settings.get(name) != number:
            words += ["--set", f"{name}={number}"]
    for fault in spec.faults:
        if known is not None and fault not in plain.faults:
            words += ["--fault", fault]
    return shlex.join(words)


def _exactly(value: object) -> str:
    """A number so that it is read back as the very same one."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
