"""The settings of one node: from a file of JSON, and nothing in it that is not known here, or from a command line.

This file knows what a node needs to run on a machine. What the whole cluster agrees on is `ClusterConfig`'s, and where
a node stands that joins is said by the operator's order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from node.core.config import ClusterConfig, ConfigError
from node.runtime.addresses import ANYWHERE, parsed, shown

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Address = tuple[str, Port]
"""Host and port."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node on one machine: a founder, which is one of the cluster's members, or an outsider that is to join them.

    `addresses` says where others are dialled, which need not be where they listen: a founder names all other founders,
    an outsider at least one node that is there. `advertise` is where others dial this node: by default what
    `addresses` says of it, else `listen`. Port 0 in `listen` or `debug` takes any free port; the log says which.
    `debug` null means no debug port. With an `egress` every peer is dialled there; it goes by the hello. `reuse_port`
    is for whoever keeps the port reserved with a bound socket of its own. `data` is needed by every engine but
    `memory`.
    """

    node: str
    cluster: ClusterConfig
    listen: Address
    addresses: dict[str, Address]
    advertise: Address | None = None
    egress: Address | None = None
    data: str = ""
    engine: Literal["log", "sqlite", "memory"] = "log"
    debug: Address | None = None
    reuse_port: bool = False
    log_file: str | None = None

    def checked(self) -> Settings:
        """Return the settings themselves, or raise `ConfigError` in one line."""
        self.cluster.checked()
        if not self.node or "\0" in self.node:
            raise ConfigError(f"node is {self.node!r}; a node id is not empty and has no NUL in it")
        self._check_addresses()
        if self.engine != "memory" and not self.data:
            raise ConfigError(f"data is missing: engine {self.engine} needs a directory")
        return self

    def advertised(self, port: int) -> str:
        """Where others dial this node, as host:port, when it listens on that port."""
        host, fixed = self._seen
        return shown((host, fixed or port))

    @property
    def _seen(self) -> Address:
        return self.advertise or self.addresses.get(self.node) or self.listen

    def _check_addresses(self) -> None:
        founders = self.cluster.members
        others = [name for name in self.addresses if name != self.node]
        missing = [founder for founder in founders if founder not in (self.node, *others)]
        if self.node in founders and missing:
            raise ConfigError(f"addresses: {', '.join(missing)} is missing; give [host, port] for each other founder")
        if not others and self.node not in founders:
            raise ConfigError(
                f"addresses: {self.node} is none of the founders {', '.join(founders)}; give [host, port] of at least"
                " one node that is there"
            )
        if self._seen[0] in ANYWHERE:
            raise ConfigError(f"advertise: nobody can dial {shown(self._seen)}; give [host, port] that others can")
        named = [("advertise", self.advertise), ("egress", self.egress)]
        for name, address in (*named, *((f"addresses: {name}", address) for name, address in self.addresses.items())):
            if address is not None:
                _diallable(name, address)


def load(path: Path) -> Settings:
    """Read and check a configuration file; raises `ConfigError` in one line that names the file and the setting."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Settings).checked()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _diallable(name: str, address: Address) -> None:
    try:
        parsed(shown(address))
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error
