"""The command line of a node: a configuration file, or a few options that make up the same settings.

This file knows options and what they stand for. What is right together is `Settings`' to say.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from node.core.config import ClusterConfig, ConfigError
from node.runtime.addresses import ANYWHERE, Address, listened, parsed
from node.runtime.settings import Settings, load

SECRET = "keelhaul"
"""What contexts are sealed with when nobody has given a secret: everybody knows it."""
SECRET_VARIABLE = "KEELHAUL_SECRET"

CONSTANTS = tuple(field.name for field in msgspec.structs.fields(ClusterConfig) if type(field.default) is int)
"""What of a cluster can be set with `--set`: everything that is a number."""

_PARTS = (
    *("node", "cluster", "seeds", "listen", "advertise", "data", "engine", "debug", "secret", "constants"),
    "log_file",
)
"""The options that a configuration file takes the place of."""


class Asked(NamedTuple):
    """What was asked for on the command line. `warnings` are sentences for the log."""

    settings: Settings
    log_level: str
    die_with_parent: bool
    warnings: tuple[str, ...]


def read(argv: Sequence[str] | None) -> Asked:
    """Read a command line; raises `ConfigError` in one line, or `SystemExit` as `argparse` does."""
    given = _parser().parse_args(argv)
    warnings: tuple[str, ...] = ()
    if given.config is not None:
        beside = [name for name in _PARTS if getattr(given, name)]
        if beside:
            raise ConfigError(f"--{_option(beside[0])} beside --config: what the file says is said there only")
        settings = load(given.config)
    else:
        settings = _composed(given)
        if settings.cluster.secret == SECRET:
            warnings = (f"contexts are sealed with the well-known secret; give --secret, or set {SECRET_VARIABLE}",)
    return Asked(settings, given.log_level, given.die_with_parent, warnings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keelhaul-node",
        description="Run one node of a cluster: from a configuration file, or from --node, --cluster and --data.",
    )
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="the node's settings, as JSON, in place of the next eleven options")
    add("--node", metavar="ID", help="which node this is")
    add("--cluster", metavar="ID=HOST:PORT,…", help="the founders, the same in the same order for every node")
    add("--seeds", metavar="ID=HOST:PORT,…", help="other nodes that are there, for one that is to join")
    add("--listen", metavar="HOST:PORT", help="where to listen; a founder's default is its own address")
    add("--advertise", metavar="HOST:PORT", help="where others dial this node; default: where it listens")
    add("--data", metavar="DIRECTORY", help="where to keep data; each node has its own directory")
    add("--engine", choices=("log", "sqlite", "memory"), help="what to keep data in; default: log")
    add("--debug", metavar="HOST:PORT", help="open a debug port there")
    add("--secret", help=f"what contexts are sealed with, the same for every node; also {SECRET_VARIABLE}")
    add("--set", dest="constants", action="append", metavar="NAME=NUMBER", help=f"one of {', '.join(CONSTANTS)}")
    add("--log-file", metavar="FILE", help="write the log there too")
    add("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    add("--die-with-parent", action="store_true", help="end at once when the parent process ends")
    return parser


def _composed(given: argparse.Namespace) -> Settings:
    """Make settings of options."""
    for name in ("node", "cluster"):
        if not getattr(given, name):
            raise ConfigError(f"--{name} is missing; give --config FILE, or --node, --cluster and --data")
    founders = _addresses("--cluster", given.cluster)
    addresses = {**founders, **(_addresses("--seeds", given.seeds) if given.seeds else {})}
    if given.node not in founders and not given.listen:
        raise ConfigError(f"--listen is missing: {given.node} is none of the founders {', '.join(founders)}")
    listen = _address("--listen", given.listen) if given.listen else founders[given.node]
    if given.listen and listen[0] not in ANYWHERE:
        addresses.pop(given.node, None)  # it is there now, wherever it was founded
    secret = given.secret or os.environ.get(SECRET_VARIABLE) or SECRET
    config = ClusterConfig(members=tuple(founders), secret=secret)
    return Settings(
        node=given.node,
        cluster=msgspec.structs.replace(config, **_constants(given.constants or ())),
        listen=listen,
        addresses=addresses,
        advertise=_address("--advertise", given.advertise) if given.advertise else None,
        data=given.data or "",
        engine=given.engine or "log",
        debug=_address("--debug", given.debug) if given.debug else None,
        log_file=given.log_file,
    ).checked()


def _address(option: str, text: str) -> Address:
    try:
        return listened(text)
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from error


def _addresses(option: str, text: str) -> dict[str, Address]:
    """Read id=host:port, separated by commas, each id once."""
    found: dict[str, Address] = {}
    for part in text.split(","):
        node, separator, address = part.partition("=")
        if not separator or not node or node in found:
            why = f"{node} is there twice" if node in found else f"{part!r} is no id=host:port"
            raise ConfigError(f"{option}: {why}; give each node once, such as n1=127.0.0.1:7101,n2=127.0.0.1:7102")
        try:
            found[node] = parsed(address)
        except ConfigError as error:
            raise ConfigError(f"{option}: {node}: {error}") from error
    return found


def _constants(given: Iterable[str]) -> dict[str, int]:
    constants: dict[str, int] = {}
    for setting in given:
        name, _, value = setting.partition("=")
        if name not in CONSTANTS:
            raise ConfigError(f"--set {setting}: there is no constant {name!r}; there are {', '.join(CONSTANTS)}")
        if not value.isascii() or not value.isdigit():
            raise ConfigError(f"--set {setting}: give a number, such as {name}=3")
        constants[name] = int(value[:19])
    return constants


def _option(name: str) -> str:
    return {"constants": "set"}.get(name, name.replace("_", "-"))
