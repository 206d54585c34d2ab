"""What goes into a node's container: its configuration file, its command, and the module of a known bug.

This file knows where things lie in the image, and which ports a node listens on there; every node has an address to
itself, so the ports are the same everywhere. It does not know Docker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import msgspec

from harness.spec import RunSpec, UsageError
from node.core.config import ClusterConfig
from node.runtime.settings import Settings

PORT = 7000
DEBUG_PORT = 7001
DATA = "/var/lib/keelhaul"
SOURCES = "/opt/keelhaul"
CONFIG_FOLDER, CONFIG_FILE = "/etc/keelhaul", "node.json"


@dataclass(frozen=True)
class Recipe:
    """What one node is made of; `files` by folder, each a file's path in it and its content. No command means the
    image's own.
    """

    node: str
    address: str
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    command: Sequence[str] | None = None


def recipe(node: str, addresses: Mapping[str, str], cluster: ClusterConfig, spec: RunSpec) -> Recipe:
    """The recipe of one node of a cluster at these addresses."""
    settings = Settings(
        node=node,
        cluster=cluster,
        listen=("0.0.0.0", PORT),
        addresses={other: (address, PORT) for other, address in addresses.items()},
        data=DATA,
        engine=cast(Any, spec.engine),
        debug=("0.0.0.0", DEBUG_PORT),
    )
    files: dict[str, Mapping[str, bytes]] = {CONFIG_FOLDER: {CONFIG_FILE: msgspec.json.encode(settings)}}
    command = None
    if spec.variant is not None:
        files[SOURCES] = module_files(spec.variant)
        command = ("python", "-m", spec.variant, "--config", f"{CONFIG_FOLDER}/{CONFIG_FILE}")
    return Recipe(node, addresses[node], files, command)


def module_files(name: str) -> dict[str, bytes]:
    """A module that is not in the image, and the packages around it: path below the sources, and content.

    The files beside it come along, because it may build on them; those of packages further up do not.
    """
    try:
        spec = find_spec(name)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        raise UsageError(f"--node-module {name}: there is no such module")
    module = Path(spec.origin)
    packages = name.split(".")[:-1]
    found = sorted(module.parent.glob("*.py")) if packages else [module]
    files = {"/".join((*packages, path.name)): path.read_bytes() for path in found}
    for depth in range(1, len(packages)):
        init = module.parents[len(packages) - depth] / "__init__.py"
        if init.is_file():
            files["/".join((*packages[:depth], init.name))] = init.read_bytes()
    return files
