"""What every node of a cluster agrees on.

This file knows the numbers and what they may be. It does not know addresses, disks or files: those belong to one
node.
"""

from __future__ import annotations

import hashlib

import msgspec

from node.core.changes import Member

KEY_BYTES_MAX = 4096
PARTITIONS_MAX = 1 << 12
TOKENS_MAX = 1024
CAPACITY_MAX = 1024
SLICES_MAX = 64
TIME_MS_MAX = 3_600_000
OBJECT_BYTES_MAX = 4 << 20
"""A quarter of what a frame carries: it must hold an object, and some siblings beside it."""


class ConfigError(Exception):
    """A configuration that cannot work: names the setting, its value, and what would have been right."""


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cluster's members and its constants (Dynamo, 4.5 and 6): N replicas, R to read, W to write.

    `members` are the founders: who comes later is told by the ring's history. `places` says where those of them stand
    that are not like the others. `strategy` is the paper's number (6.2); `partitions` is Q, the number of equal
    partitions of strategies 2 and 3, and `tokens` is T, how many a node of capacity 1 has under strategies 1 and 2.
    Times are milliseconds; an `anti_entropy_ms` of 0 means none. Background work is slowed down when the 99th
    percentile of the store's commits over the last minute exceeds `background_p99_ms`: more than the 50 ms that the
    paper gives a read, because a commit waits for a sync, and for the commit before it. `secret` seals contexts.
    """

    members: tuple[str, ...]
    secret: str
    places: tuple[Member, ...] = ()
    strategy: int = 3
    partitions: int = 64
    tokens: int = 8
    n: int = 3
    r: int = 2
    w: int = 2
    request_timeout_ms: int = 1000
    peer_timeout_ms: int = 250
    probe_interval_ms: int = 250
    hint_retry_ms: int = 500
    repair_window_ms: int = 50
    gossip_ms: int = 1000
    anti_entropy_ms: int = 2000
    anti_entropy_settle_ms: int = 1000
    background_p99_ms: int = 150
    background_wait_ms: int = 50
    slices_max: int = 64
    object_bytes_max: int = 1 << 20

    @property
    def founders(self) -> tuple[Member, ...]:
        """The members that the cluster begins with, and where they stand."""
        placed = {place.node: place for place in self.places}
        return tuple(placed.get(node, Member(node)) for node in self.members)

    @property
    def cluster(self) -> str:
        """A name for what all of its nodes must agree on from the beginning; one with another is of another cluster."""
        agreed = (self.founders, self.strategy, self.partitions, self.tokens, self.n, self.secret)
        return hashlib.md5(msgspec.msgpack.encode(agreed), usedforsecurity=False).hexdigest()[:12]

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
        _within("strategy", self.strategy, 1, 3)
        _within("tokens", self.tokens, 1, TOKENS_MAX)
        strangers = [place.node for place in self.places if place.node not in self.members]
        if strangers:
            raise ConfigError(f"places: {', '.join(strangers)} is none of the members {', '.join(self.members)}")
        for place in self.places:
            _within(f"places: the capacity of {place.node}", place.capacity, 1, CAPACITY_MAX)
        _within("anti_entropy_ms", self.anti_entropy_ms, 0, TIME_MS_MAX)
        _within("slices_max", self.slices_max, 1, SLICES_MAX)
        for name in _TIMES:
            _within(name, getattr(self, name), 1, TIME_MS_MAX)
        _within("object_bytes_max", self.object_bytes_max, 1, OBJECT_BYTES_MAX)
        if not self.secret:
            raise ConfigError("secret is empty; contexts are sealed with it")
        return self


def _within(name: str, value: int, least: int, most: int, because: str = "") -> None:
    if not least <= value <= most:
        raise ConfigError(f"{name} is {value}; {because}it can be {least} to {most}")


_TIMES = (
    "request_timeout_ms",
    "peer_timeout_ms",
    "probe_interval_ms",
    "hint_retry_ms",
    "repair_window_ms",
    "gossip_ms",
    "anti_entropy_settle_ms",
    "background_p99_ms",
    "background_wait_ms",
)
