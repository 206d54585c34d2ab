"""What every node of a cluster agrees on.

This file knows the numbers and what they may be. It does not know addresses, disks or files: those belong to one
node.
"""

from __future__ import annotations

import msgspec


class ConfigError(Exception):
    """A configuration that cannot work: names the setting, its value, and what would have been right."""


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cluster's members and its constants (Dynamo, 4.5 and 6): N replicas, R to read, W to write.

    `partitions` is Q, the number of equal partitions of the ring. Times are milliseconds. `secret` seals contexts.
    """

    members: tuple[str, ...]
    secret: str
    partitions: int = 64
    n: int = 3
    r: int = 2
    w: int = 2
    request_timeout_ms: int = 1000
    peer_timeout_ms: int = 250
    probe_interval_ms: int = 250
    hint_retry_ms: int = 500
    repair_window_ms: int = 50
    object_bytes_max: int = 1 << 20

    def checked(self) -> ClusterConfig:
        """Return the configuration itself, or raise `ConfigError` in one line."""
        if not self.members or len(set(self.members)) != len(self.members):
            raise ConfigError(f"members {list(self.members)}: give at least one node, each of them once")
        if any("\0" in member or not member for member in self.members):
            raise ConfigError("members: a node id is not empty and has no NUL in it")
        if not 1 <= self.n <= len(self.members):
            raise ConfigError(f"n is {self.n}; with {len(self.members)} members it can be 1 to {len(self.members)}")
        for name, quorum in (("r", self.r), ("w", self.w)):
            if not 1 <= quorum <= self.n:
                raise ConfigError(f"{name} is {quorum}; with n = {self.n} it can be 1 to {self.n}")
        if self.partitions < len(self.members):
            raise ConfigError(f"partitions is {self.partitions}; at least one for each of {len(self.members)} members")
        for name in _TIMES:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; give at least 1 ms")
        if not self.secret:
            raise ConfigError("secret is empty; contexts are sealed with it")
        return self


_TIMES = ("request_timeout_ms", "peer_timeout_ms", "probe_interval_ms", "hint_retry_ms", "repair_window_ms")
