"""Place keys on the ring, and say who keeps them.

Partitioning strategy 3 of the paper (Dynamo, 6.2): the ring of MD5 positions is cut into Q equal partitions, and
every one of S nodes owns Q/S of them (one more or less where S does not divide Q). The ring is a pure function of the
members: whoever has the same members computes the same ring, in any order. It does not know which nodes are up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

POSITION_BITS = 128
"""MD5 yields 128-bit positions (Dynamo, 4.3)."""

KEYS_REMEMBERED = 4096
"""How many keys' positions are kept, because each request looks its key up several times."""


@lru_cache(maxsize=KEYS_REMEMBERED)
def position(key: bytes) -> int:
    """Where a key lies on the ring: its MD5 as an integer of 128 bits."""
    return int.from_bytes(hashlib.md5(key, usedforsecurity=False).digest(), "big")


class Ring:
    """Who owns each partition, and the preference list of each key."""

    def __init__(self, members: Sequence[str], partitions: int) -> None:
        self.members = tuple(sorted(members))
        self.owners, self._preference = _laid_out(self.members, partitions)
        self.digest = hashlib.md5(
            "\0".join((str(partitions), *self.members)).encode(), usedforsecurity=False
        ).hexdigest()[:12]

    def partition(self, key: bytes) -> int:
        """The partition that a key falls in; its owner's position is larger than the key's (Dynamo, 4.2)."""
        return position(key) * len(self.owners) >> POSITION_BITS

    def preference_list(self, key: bytes) -> tuple[str, ...]:
        """Every node in the order in which it is responsible for the key, each physical node once (Dynamo, 4.6)."""
        return self._preference[self.partition(key)]


@lru_cache(maxsize=16)
def _laid_out(members: tuple[str, ...], partitions: int) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The owner of each partition, and its preference list; remembered, because nodes start again and again."""
    owners = _claims(members, partitions)
    return owners, tuple(tuple(dict.fromkeys(owners[first:] + owners[:first])) for first in range(partitions))


def _claims(members: tuple[str, ...], partitions: int) -> tuple[str, ...]:
    """Deal the partitions out in rounds, each in an order of its own, so that a node's neighbours vary.

    A fixed order would hand the whole load of a node that is down to one successor (Dynamo, 4.2, virtual nodes).
    """
    owners: list[str] = []
    dealt = 0
    while len(owners) < partitions:
        owners += sorted(members, key=lambda member: position(f"{dealt}\0{member}".encode()))
        dealt += 1
    return tuple(owners[:partitions])
