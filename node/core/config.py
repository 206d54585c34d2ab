"""What every node of a cluster agrees on.

This file knows the numbers and what they may be. It does not know addresses, disks or files: those belong to one
node.
"""

from __future__ import annotations

import msgspec

PARTITIONS_MAX = 1 << 16
TIME_MS_MAX = 3_600_000
OBJECT_BYTES_MAX = 4 << 20
"""A quarter of what a frame carries: it must hold an object, and some siblings beside it."""


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
        _within("partitions", self.partitions, len(self.members), PARTITIONS_MAX, f"with {len(self.members)} members ")
        for name in _TIMES:
            _within(name, getattr(self, name), 1, TIME_MS_MAX)
        _within("object_bytes_max", self.object_bytes_max, 1, OBJECT_BYTES_MAX)
        if not self.secret:
            raise ConfigError("secret is empty; contexts are sealed with it")
        return self


def _within(name: str, value: int, least: int, most: int, because: str = "") -> None:
    if not least <= value <= most:
        raise ConfigError(f"{name} is {value}; {because}it can be {least} to {most}")


_TIMES = ("request_timeout_ms", "peer_timeout_ms", "probe_interval_ms", "hint_retry_ms", "repair_window_ms")
