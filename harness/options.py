"""What can be asked of a run on the command line: one option for each field of a spec that people set.

This file knows options and which fields they are for. It does not know commands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
from msgspec.structs import fields

from harness.spec import ENGINES, ON_CUT, RunSpec, UsageError

EXIT = {"valid": 0, "invalid": 1, "unknown": 2}
EXIT_USAGE = 64
EXIT_FAILED = 70


class Option(NamedTuple):
    """An option, the field that it sets, the type of its value, and what it is for."""

    name: str
    field: str
    type: Any
    about: str


OPTIONS = (
    Option("--system", "system", str, "The system under test."),
    Option("--time-limit", "time_limit_s", float, "Seconds of stress."),
    Option("--nodes", "nodes", int, "Nodes of the cluster."),
    Option("--spares", "spares", int, "Nodes beside them, that may come into the cluster."),
    Option("--dcs", "dcs", int, "Data centres that they stand in."),
    Option("--racks", "racks", int, "Racks of each data centre."),
    Option("--n", "n", int, "Replicas of a key."),
    Option("--r", "r", int, "Replicas that must answer a read."),
    Option("--w", "w", int, "Replicas that must confirm a write."),
    Option("--concurrency", "concurrency", int, "Clients."),
    Option("--rate", "rate", float, "Operations a second of all; 0: no limit."),
    Option("--open-loop", "open_loop", bool, "Begin operations when they are due, whatever became of earlier ones."),
    Option("--every", "every_s", float, "Seconds between two faults."),
    Option("--for", "for_s", float, "Seconds that a fault lasts."),
    Option("--keys", "keys", int, "Keys."),
    Option("--engine", "engine", str, f"What nodes keep data in: {', '.join(ENGINES)}."),
    Option("--node-module", "variant", str, "Run the NODE of this module, such as tests.bugs.forgotten_hints."),
    Option("--message-seed", "message_seed", int, "Draws delays in a simulation, in place of the seed."),
    Option("--latency-us", "latency_us", float, "Median delay of a simulated link, in microseconds."),
    Option("--latency-sigma", "latency_sigma", float, "How far its delays spread (of their logarithm)."),
    Option("--on-cut", "on_cut", str, f"What a simulated cut does to messages: {', '.join(ON_CUT)}."),
)

FIELDS = {option.name: option.field for option in OPTIONS}


def runs_option(command: Any) -> Any:
    """Let a command say where runs are."""
    path = click.Path(path_type=Path)
    return click.option("--runs", type=path, default=Path("runs"), show_default=True, help="Where runs are.")(command)


def spec_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command every option of a spec; what is not given is None, so that a scenario can say or draw it."""
    defaults = {field.name: field.default for field in fields(RunSpec)}
    for option in reversed(OPTIONS):
        default = defaults[option.field]
        about = option.about if default in (None, False) else f"{option.about}  [default: {_shown(default)}]"
        kind: dict[str, Any] = {"is_flag": True} if option.type is bool else {"type": option.type}
        command = click.option(option.name, option.field, default=None, help=about, **kind)(command)
    several: dict[str, Any] = {"multiple": True}
    command = click.option(
        "--set", "settings", callback=_settings, help="A constant of the system: NAME=NUMBER.", **several
    )(command)
    return click.option(
        "--fault", "more_faults", help="One more fault than the scenario's; may be given again.", **several
    )(command)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Those options that somebody gave."""
    return {name: value for name, value in options.items() if value is not None and value not in ((), {})}


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _settings(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    settings: dict[str, int] = {}
    for setting in given:
        name, separator, value = setting.partition("=")
        if not separator or not value.isascii() or not value.removeprefix("-").isdigit():
            raise UsageError(f"--set {setting}: give NAME=NUMBER, such as hint_retry_ms=500")
        settings[name] = int(value)
    return settings


def look_here_for(variant: str | None) -> None:
    """A --node-module is looked for in the current directory too, as by `python -m`; installed packages come
    first.
    """
    if variant is not None:
        sys.path.append(str(Path.cwd()))
