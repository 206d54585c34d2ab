"""The configuration file of one node: JSON, and nothing in it that is not known here.

This file knows what a node needs to run on a machine. What the whole cluster agrees on is `ClusterConfig`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from node.core.config import ClusterConfig, ConfigError

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Address = tuple[str, Port]
"""Host and port."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node on one machine.

    `addresses` says where each of the other members is dialled, which need not be where it listens. Port 0 in
    `listen` or `debug` takes any free port; the log says which. `debug` null means no debug port. `reuse_port` is for
    whoever keeps the port reserved with a bound socket of its own. `data` is needed by every engine but
    `memory`.
    """

    node: str
    cluster: ClusterConfig
    listen: Address
    addresses: dict[str, Address]
    data: str = ""
    engine: Literal["log", "sqlite", "memory"] = "log"
    debug: Address | None = None
    reuse_port: bool = False
    log_file: str | None = None

    def checked(self) -> Settings:
        """Return the settings themselves, or raise `ConfigError` in one line."""
        self.cluster.checked()
        members = self.cluster.members
        if self.node not in members:
            raise ConfigError(f"node {self.node!r} is none of the members {', '.join(members)}")
        missing = [member for member in members if member != self.node and member not in self.addresses]
        if missing:
            raise ConfigError(f"addresses: {', '.join(missing)} is missing; give [host, port] for each other member")
        unknown = [name for name in self.addresses if name not in members]
        if unknown:
            raise ConfigError(f"addresses: {', '.join(unknown)} is none of the members {', '.join(members)}")
        if self.engine != "memory" and not self.data:
            raise ConfigError(f"data is missing: engine {self.engine} needs a directory")
        return self


def load(path: Path) -> Settings:
    """Read and check a configuration file; raises `ConfigError` in one line that names the file and the setting."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings).checked()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from error
