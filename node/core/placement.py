"""Who is responsible for what: partitions of the ring, tokens of the nodes, and the preference lists they make.

The ring is cut into partitions, and a token is a place on it that belongs to a node. Who keeps a partition is found by
walking clockwise from its end, over the tokens. That much is common to the three strategies of the paper (Dynamo, 6.2):

1. each node has T random tokens, and every token ends a partition;
2. each node has T random tokens, but the partitions are Q equal ones, and tokens only place them;
3. Q equal partitions, and exactly one token at the end of each; who gets it is in `claims`.

A layout is a value, made by one membership operation after another, and a pure function of them: whoever has the same
operations has the same layout. It does not know which nodes are up, nor what is stored, nor what is on the move.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from heapq import heappop, heapreplace
from itertools import islice

import msgspec

from node.core import claims
from node.core.changes import Member
from node.core.claims import RING, RING_BITS

POSITION_BITS = 128
"""MD5 yields 128-bit positions (Dynamo, 4.3)."""

REMEMBERED = 16
"""How many layouts are kept, because all nodes of a simulated cluster make the same ones, again and again."""

RANGES_NAMED = 8
"""How many ranges of partitions a warning names before it only counts."""


class Layout(msgspec.Struct, frozen=True, dict=True):
    """Members, partitions and tokens, in one of the three strategies.

    `share` is T, the tokens that are drawn for each unit of capacity. `ends` are the exclusive ends of the partitions,
    ascending to the end of the ring. The token at `positions[k]`, ascending as well, belongs to `owners[k]`; an item
    belongs to the first token whose position is larger than its own.
    """

    strategy: int
    share: int
    roster: tuple[Member, ...]
    ends: tuple[int, ...]
    positions: tuple[int, ...]
    owners: tuple[str, ...]

    @cached_property
    def members(self) -> dict[str, Member]:
        """Everybody by node id, in the order of the ids."""
        return {member.node: member for member in self.roster}

    def joined(self, member: Member, salt: str) -> Layout:
        """With one more member, that draws its tokens or steals them."""
        return _joined(self, member, salt)

    def left(self, node: str, salt: str) -> Layout:
        """Without one of the members; its tokens are gone or go to the others."""
        return _left(self, node, salt)

    def replaced(self, node: str, member: Member, salt: str) -> Layout:  # noqa: ARG002 - nothing is drawn
        """With one member in another's place: it takes exactly the tokens that the other had, whatever its capacity."""
        roster = _admitted(member, self._without(node, "replaced"))
        owners = tuple(member.node if owner == node else owner for owner in self.owners)
        return msgspec.structs.replace(self, roster=roster, owners=owners)

    def with_tokens(self, member: Member, positions: Iterable[int]) -> Layout:
        """With one more member that has tokens at these positions. Every partition that was stays one or is cut."""
        assert self.strategy != 3, "in strategy 3 there is no place for another token"
        ring = dict(zip(self.positions, self.owners, strict=True))
        for position in positions:
            if not 0 < position <= RING or position in ring:
                raise ValueError(
                    f"a token of {member.node} at {position}: must be in 1..2**64, where no other token is"
                )
            ring[position] = member.node
        return _ringed(self, _admitted(member, self.roster), ring)

    def partition(self, position128: int) -> int:
        """The number of the partition in which a key's position lies."""
        assert 0 <= position128 < 1 << POSITION_BITS, position128
        return bisect_right(self.ends, position128 >> (POSITION_BITS - RING_BITS))

    def preference_list(self, index: int) -> tuple[str, ...]:
        """Every member once, in the order in which they are responsible for the partition (Dynamo, 4.3 and 4.6)."""
        return self.replicas(index, len(self.roster))

    def replicas(self, index: int, n: int) -> tuple[str, ...]:
        """The first n of the preference list: those that keep the partition. All members, if there are fewer."""
        known = self._replicas.get((index, n))
        if known is None:
            walk = self._walk(index)
            known = walk[:n] if self._plain else tuple(islice(apart([self.members[node] for node in walk]), n))
            self._replicas[index, n] = known
        return known

    def tokens_of(self, node: str) -> int:
        """How many tokens a node has."""
        return self._held[node]

    def efficiency(self, n: int) -> float:
        """How well the load is balanced with n replicas: that of the average node divided by the largest (Dynamo, 6.2).

        A node's load is the share of the ring that it keeps, for each unit of its capacity. 1 is perfect.
        """
        load: Counter[str] = Counter()
        for index, width in enumerate(self._widths):
            for node in self.replicas(index, n):
                load[node] += width
        capacity = sum(member.capacity for member in self.roster)
        return load.total() / capacity / max(load[member.node] / member.capacity for member in self.roster)

    def warnings(self, n: int) -> list[str]:
        """Where n replicas do not stand as far apart as one would wish, in a line for each place that has several.

        Two replicas on one host are always told; two in one rack or data centre, when others have none.
        """
        said = []
        if len(self.roster) < n:
            said.append(f"every partition has {len(self.roster)} replicas instead of {n}: there are no more nodes")
        return said + _crowded_places(self, n)

    def _without(self, node: str, verb: str) -> tuple[Member, ...]:
        if node not in self.members:
            raise ValueError(f"{node} cannot be {verb}: it is no member; members are {', '.join(self.members)}")
        return tuple(member for member in self.roster if member.node != node)

    def _walk(self, index: int) -> tuple[str, ...]:
        """Every member, in the order in which its first token is met, clockwise from the end of the partition.

        Who has no token at all comes last, and not always in the same order.
        """
        start = bisect_left(self.positions, self.ends[index])
        size = 4 * len(self._held)
        while True:
            met = dict.fromkeys(self._twice[start : start + size])
            if len(met) == len(self._held):
                break
            size *= 2
        landless = [node for node in self.members if node not in met] if len(met) < len(self.roster) else []
        turn = index % len(landless) if landless else 0
        return (*met, *landless[turn:], *landless[:turn])

    @cached_property
    def _twice(self) -> tuple[str, ...]:
        """The owners of all tokens, twice around, so that every walk is a slice."""
        return self.owners + self.owners

    @cached_property
    def _held(self) -> Counter[str]:
        return Counter(self.owners)

    @cached_property
    def _widths(self) -> list[int]:
        return [end - start for start, end in zip((0, *self.ends), self.ends, strict=False)]

    @cached_property
    def _plain(self) -> bool:
        """Whether each node is a machine of its own and all are in one rack, so that every choice is the walk's."""
        racks = {(member.dc, member.rack) for member in self.roster}
        return len(racks) == 1 and len({member.machine for member in self.roster}) == len(self.roster)

    @cached_property
    def _replicas(self) -> dict[tuple[int, int], tuple[str, ...]]:
        """What has been worked out so far, by partition and number of replicas."""
        return {}


def found(members: Sequence[Member], *, strategy: int, partitions: int, tokens: int) -> Layout:
    """The layout of a new cluster, whatever the order in which its members are named.

    `partitions` is Q, in strategies 2 and 3; `tokens` is T, those of each unit of capacity, in strategies 1 and 2.
    """
    if strategy not in (1, 2, 3):
        raise ValueError(f"partitioning strategy {strategy}: must be 1, 2 or 3")
    if strategy != 1 and partitions < 1:
        raise ValueError(f"{partitions} partitions: strategy {strategy} needs at least 1")
    if strategy != 3 and tokens < 1:
        raise ValueError(f"{tokens} tokens: strategy {strategy} needs at least 1 for each unit of capacity")
    return _found(_roster(members), strategy, partitions, tokens)


def placed(members: Sequence[Member], tokens: Mapping[int, str], *, strategy: int = 1) -> Layout:
    """A layout whose tokens stand where they are put by hand, each at the end of a partition: {position: node}."""
    roster = _roster(members)
    names = [member.node for member in roster]
    for position, node in tokens.items():
        if not 0 < position <= RING:
            raise ValueError(f"a token of {node} at {position}: must be in 1..2**64")
        if node not in names:
            raise ValueError(f"the token at {position} is {node}'s, which is no member; members are {', '.join(names)}")
    layout = _ringed(Layout(1, 1, (), (RING,), (), ()), roster, tokens)
    if strategy == 3 and layout.ends != layout.positions:
        raise ValueError("no token at 2**64: strategy 3 needs one at the end of each partition, also of the last")
    return msgspec.structs.replace(layout, strategy=strategy)


def apart(walk: Sequence[Member]) -> Iterator[str]:
    """The nodes of a walk, as far apart from those before as can be: over data centres, then racks, then machines.

    The next is always the first, in the order of the walk, of those whose data centre has been chosen least often,
    then whose rack, then whose machine (Dynamo, 4.3 and 4.6).
    """
    waiting: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for place, member in enumerate(walk):
        waiting.setdefault((member.dc, member.rack), []).append((0, place))
    chosen: Counter[str] = Counter()
    centres: Counter[str] = Counter()
    racks: Counter[tuple[str, str]] = Counter()

    def first(rack: tuple[str, str]) -> tuple[int, int, int, int]:
        """The best of a rack, whose heap is by (how often its machine has been chosen, place in the walk)."""
        heap = waiting[rack]
        while chosen[walk[heap[0][1]].machine] != heap[0][0]:
            heapreplace(heap, (chosen[walk[heap[0][1]].machine], heap[0][1]))
        return (centres[rack[0]], racks[rack], *heap[0])

    while waiting:
        rack = min(waiting, key=first)
        member = walk[heappop(waiting[rack])[1]]
        if not waiting[rack]:
            del waiting[rack]
        centres[member.dc] += 1
        racks[rack] += 1
        chosen[member.machine] += 1
        yield member.node


@lru_cache(maxsize=REMEMBERED)
def _found(roster: tuple[Member, ...], strategy: int, partitions: int, tokens: int) -> Layout:
    ends = (RING,) if strategy == 1 else tuple(-(-RING * number // partitions) for number in range(1, partitions + 1))
    if strategy == 3:
        return Layout(3, tokens, roster, ends, ends, claims.dealt(roster, partitions))
    ring: dict[int, str] = {}
    for member in roster:
        ring |= claims.tokens(ring, member, tokens, "")
    return _ringed(Layout(strategy, tokens, (), ends, (), ()), roster, ring)


@lru_cache(maxsize=REMEMBERED)
def _joined(layout: Layout, member: Member, salt: str) -> Layout:
    roster = _admitted(member, layout.roster)
    if layout.strategy != 3:
        taken = dict(zip(layout.positions, layout.owners, strict=True))
        return layout.with_tokens(member, claims.tokens(taken, member, layout.share, salt))
    owners = claims.stolen(layout.owners, layout.roster, member, salt)
    return msgspec.structs.replace(layout, roster=roster, owners=owners)


@lru_cache(maxsize=REMEMBERED)
def _left(layout: Layout, node: str, salt: str) -> Layout:
    roster = layout._without(node, "removed")
    if not roster:
        raise ValueError(f"{node} cannot be removed: it is the last member")
    if layout.strategy == 3:
        owners = claims.spread(layout.owners, roster, node, salt)
        return msgspec.structs.replace(layout, roster=roster, owners=owners)
    tokens = zip(layout.positions, layout.owners, strict=True)
    ring = {position: owner for position, owner in tokens if owner != node}
    if not ring:
        raise ValueError(f"{node} cannot be removed: no other member has a token")
    return _ringed(layout, roster, ring)


def _ringed(layout: Layout, roster: tuple[Member, ...], ring: Mapping[int, str]) -> Layout:
    """With these members and tokens. In strategy 1 every end that was stays one: ranges only ever become finer."""
    positions = tuple(sorted(ring))
    ends = tuple(sorted({*layout.ends, *positions})) if layout.strategy == 1 else layout.ends
    owners = tuple(ring[position] for position in positions)
    return msgspec.structs.replace(layout, roster=roster, ends=ends, positions=positions, owners=owners)


def _roster(members: Sequence[Member]) -> tuple[Member, ...]:
    """Those who found a ring."""
    roster: tuple[Member, ...] = ()
    for member in members:
        roster = _admitted(member, roster)
    if not roster:
        raise ValueError("no members: a ring is founded by at least one")
    return roster


def _admitted(member: Member, roster: tuple[Member, ...]) -> tuple[Member, ...]:
    """The roster with one more."""
    if member.node in [other.node for other in roster]:
        raise ValueError(f"{member.node} cannot join: it is a member already")
    if member.capacity < 1:
        raise ValueError(f"{member.node} has capacity {member.capacity}: must be at least 1")
    return tuple(sorted((*roster, member), key=lambda each: each.node))


def _crowded_places(layout: Layout, n: int) -> list[str]:
    """A line for each place that has several replicas of some partitions, and for each number of them."""
    hosts = {member.node: member.machine for member in layout.roster}
    racks = {member.node: f"{member.dc}/{member.rack}" if member.dc else member.rack for member in layout.roster}
    centres = {member.node: member.dc for member in layout.roster}
    kinds = (
        ("host", hosts, n),
        ("rack", racks, len({*racks.values()})),
        ("data centre", centres, len({*centres.values()})),
    )
    found_at: dict[tuple[str, str, int], list[int]] = {}
    for kind, places, available in kinds:
        for index in range(len(layout.ends)):
            uses = Counter(places[node] for node in layout.replicas(index, n))
            if len(uses) < min(uses.total(), available):
                for place, count in uses.items():
                    if count > 1:
                        found_at.setdefault((kind, place, count), []).append(index)
    return [
        f"{_ranges(indices)} {'have' if len(indices) > 1 else 'has'} {count} replicas on {kind} {place or '(unnamed)'}"
        for (kind, place, count), indices in found_at.items()
    ]


def _ranges(indices: Sequence[int]) -> str:
    """The numbers of partitions, as short as can be: `partitions 0..3, 7 and 2 more`."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    named = ", ".join(str(first) if first == last else f"{first}..{last}" for first, last in runs[:RANGES_NAMED])
    more = sum(last - first + 1 for first, last in runs[RANGES_NAMED:])
    return f"partition{'s' if len(indices) > 1 else ''} {named}" + (f" and {more} more" if more else "")
