"""Who owns which tokens of the ring: T random ones each, or which of Q equal partitions (Dynamo, 6.2).

In strategies 1 and 2 a node draws its tokens, and that is all. In strategy 3 there is one at the end of each partition:
“each node is assigned Q/S tokens”, in proportion to its capacity where nodes differ. A joiner steals its tokens from
those that have most for their capacity, a leaver's are spread over those that have least, and no other token moves.
How many are whose follows Sainte-Laguë's method of apportionment: when a node comes, no bystander is due more than
before, and when one goes, none is due less, so the numbers stay fair by moving only what must move. (The largest
remainders, which are simpler, do not promise that.) With equal capacities everybody has Q/S, rounded down or up.

Which tokens are whose is drawn, but so that tokens of one machine, or one rack, do not lie close together: where they
do, a replica is displaced to a node further on, which then keeps more than its share. This file knows the owners of
partitions. It does not know of preference lists, nor how many replicas there are.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heapreplace
from itertools import groupby

from node.core.changes import Member

RING_BITS = 64
"""Places on the ring are told apart by so many bits of a key's position, its top ones."""

RING = 1 << RING_BITS
"""The end of the ring: the first position that is on it no more, and the last that a token can have."""

APART = 3
"""How far apart the tokens of one machine are kept, where there are machines enough: so far that N = 4 is not hurt."""

SWAPS = 64
"""With how many others a token in a crowd may try to change its owner."""

MACHINE, RACK, DATA_CENTRE = 256, 16, 1
"""What it costs to lie close: one machine is worse than all racks within reach, and a rack than all data centres."""


def drawn(*words: str) -> int:
    """A number of 64 bits that nobody chose, and that everybody draws from the same words: the top of their MD5."""
    return int.from_bytes(
        hashlib.md5("\0".join(words).encode(), usedforsecurity=False).digest()[: RING_BITS // 8], "big"
    )


def tokens(taken: Mapping[int, str], member: Member, share: int, salt: str) -> dict[int, str]:
    """A member's random tokens, so many for each unit of capacity; one that falls on another is drawn again."""
    mine: dict[int, str] = {}
    number = 0
    while len(mine) < share * member.capacity:
        position = drawn(salt, member.node, str(number)) or RING
        number += 1
        if position not in taken:
            mine[position] = member.node
    return mine


def dealt(members: Sequence[Member], partitions: int) -> tuple[str, ...]:
    """The owners at the founding: in rounds, each in an order of its own, so that a node's neighbours vary.

    A fixed order would hand the whole load of a node that is down to one successor (Dynamo, 4.2, virtual nodes).
    """
    table: list[str | None] = [None] * partitions
    crowding = Crowding(members, table)
    index = 0
    for turn, group in groupby(_turns(members, partitions), key=lambda due: due[0]):
        waiting = sorted((node for _, node in group), key=lambda node: drawn(str(turn), node))
        while waiting and index < partitions:
            place = index
            chosen = min(waiting, key=lambda node: crowding.of(node, place))
            waiting.remove(chosen)
            table[index] = chosen
            index += 1
    _untangle(table, range(partitions), crowding)
    return _settled(table)


def stolen(owners: Sequence[str], members: Sequence[Member], joiner: Member, salt: str) -> tuple[str, ...]:
    """The owners after one has joined the members: it has its share, and what it has not stolen has not moved."""
    table: list[str | None] = list(owners)
    crowding = Crowding((*members, joiner), table)
    held = Counter(owners)
    harm = [(crowding.of(joiner.node, index) - crowding.of(owner, index)) for index, owner in enumerate(owners)]
    ranks = [(harm[index], drawn(salt, str(index))) for index in range(len(table))]
    for _ in range(_quota((*members, joiner), len(table), joiner.node)):
        load = {member.node: (2 * held[member.node] - 1) / member.capacity for member in members}
        most = max(load.values())
        givers = {node for node, has in load.items() if has == most}
        index = min((at for at, owner in enumerate(table) if owner in givers), key=ranks.__getitem__)
        held[owners[index]] -= 1
        table[index] = joiner.node
        for near in crowding.near(index):
            harm_there = crowding.of(joiner.node, near) - crowding.of(owners[near], near)
            ranks[near] = (harm_there, ranks[near][1])
    return _settled(table)


def spread(owners: Sequence[str], remaining: Sequence[Member], leaver: str, salt: str) -> tuple[str, ...]:
    """The owners after one has left: its tokens have gone to those that remain, and no others have moved."""
    table: list[str | None] = [None if owner == leaver else owner for owner in owners]
    crowding = Crowding(remaining, table)
    held = Counter(owners)
    free = sorted((at for at, owner in enumerate(table) if owner is None), key=lambda at: drawn(salt, str(at)))
    for index in free:
        load = {member.node: (2 * held[member.node] + 1) / member.capacity for member in remaining}
        least = min(load.values())
        chances = [
            (crowding.of(node, index), drawn(salt, str(index), node), node)
            for node, has in load.items()
            if has == least
        ]
        heir = min(chances)[-1]
        held[heir] += 1
        table[index] = heir
    _untangle(table, free, crowding)
    return _settled(table)


class Crowding:
    """How close to each other tokens lie that would fail together, in a table of owners that is being filled in."""

    def __init__(self, members: Sequence[Member], table: list[str | None]) -> None:
        self._table = table
        self._places = {member.node: (member.dc, member.rack, member.machine) for member in members}
        machines = len({member.machine for member in members})
        reach = max(0, min(APART, machines // 2, (len(table) - 1) // 2))
        self._steps = [
            (step, 1 << (reach - abs(step))) for step in range(-reach, reach + 1) if step
        ]  # nearer is worse than all that is further
        self._rack = RACK if len({(member.dc, member.rack) for member in members}) > 1 else 0
        self._dc = DATA_CENTRE if len({member.dc for member in members}) > 1 else 0

    def of(self, node: str | None, index: int) -> int:
        """What it costs that this node should have this token; 0 when nothing close is close to it in the world."""
        if node is None:
            return 0
        table, size = self._table, len(self._table)
        cost = 0
        for step, weight in self._steps:
            other = table[(index + step) % size]
            if other is not None:
                cost += weight * self._likeness(node, other)
        return cost

    def near(self, index: int) -> Iterator[int]:
        """The tokens whose cost depends on who has this one."""
        for step, _ in self._steps:
            yield (index + step) % len(self._table)

    def _likeness(self, one: str, other: str) -> int:
        if one == other:
            return MACHINE
        (dc, rack, machine), (other_dc, other_rack, other_machine) = self._places[one], self._places[other]
        if machine == other_machine:
            return MACHINE
        if dc != other_dc:
            return 0
        return self._rack if rack == other_rack and self._rack else self._dc


def _turns(members: Sequence[Member], partitions: int) -> Iterable[tuple[float, str]]:
    """Who is due a token, and when: at 1, 3, 5 … divided by its capacity (Sainte-Laguë).

    Equal fractions are equal floats, because division is rounded correctly; capacities are far too small for unequal
    ones to be.
    """
    capacity = sum(member.capacity for member in members)
    return sorted(
        ((2 * number + 1) / member.capacity, member.node)
        for member in members
        for number in range(2 * partitions * member.capacity // capacity + 2)
    )


def _quota(members: Sequence[Member], partitions: int, node: str) -> int:
    """How many tokens a node is due among these members, the last of those that are due one at the same time."""
    due = [(1 / member.capacity, member.node == node, member.node, 1, member.capacity) for member in members]
    heapify(due)
    quota = 0
    for _ in range(partitions):
        _, mine, name, turn, capacity = due[0]
        quota += mine
        heapreplace(due, ((turn + 2) / capacity, mine, name, turn + 2, capacity))
    return quota


def _untangle(table: list[str | None], free: Sequence[int], crowding: Crowding) -> None:
    """Let tokens in a crowd change owners among the free ones, where both together are then less crowded."""
    for turn, index in enumerate(free):
        for step in range(1, min(SWAPS, len(free) - 1) + 1):
            if not crowding.of(table[index], index):
                break
            other = free[(turn + step) % len(free)]
            before = crowding.of(table[index], index) + crowding.of(table[other], other)
            table[index], table[other] = table[other], table[index]
            if crowding.of(table[index], index) + crowding.of(table[other], other) >= before:
                table[index], table[other] = table[other], table[index]


def _settled(table: Sequence[str | None]) -> tuple[str, ...]:
    """The table, every token of which has an owner by now."""
    owners = tuple(owner for owner in table if owner is not None)
    assert len(owners) == len(table), "a token has no owner"
    return owners
