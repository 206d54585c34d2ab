"""Replicate one register map from a primary to its backups, and find a new primary when the old one falls silent.

State is copied whole when a backup does not know its primary's ballot, and write by write afterwards, under positions
that leave no gap (the idea is Viewstamped Replication's, with a snapshot in the place of its log). With `fencing` it
takes a majority to become primary, and a majority to acknowledge. Without it a backup that hears nothing promotes
itself, and a primary counts only those whom it hears: so there are two primaries on the two sides of a cut, and the
writes of the one with the smaller ballot are overwritten when they meet. That is the flaw.

Even with fencing a node that has lost its disk has forgotten its promises. Its vote for a new primary does not count
before it has its data back, but that it may have promised before is forgotten for good. This file knows peers and
ballots. It does not know clients, nor in which world it runs. Times are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from harness.systems.primary_backup_messages import (
    NONE,
    Append,
    Ballot,
    Beat,
    Claim,
    Granted,
    Held,
    Links,
    Newer,
    Replication,
    State,
    Sync,
)
from node.core.clocks import Actor, Dot
from node.core.messages import Put
from node.core.store import Space
from node.core.versions import Sibling
from node.runtime.ports import Clock, Engine

BEAT_NS = 100_000_000
"""How often a primary is heard, and how often anybody looks at the time."""
PATIENCE_NS = 400_000_000
"""A primary, or a backup, that was not heard for so long is taken to be down."""
STAGGER_NS = 200_000_000
"""How much longer each next node waits, so that the first live one in order is the new primary."""

_BALLOTS = b"ballots"


class Disk:
    """Commits: one at a time, each for all that was staged before it."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._waiting: list[Callable[[], None]] = []
        self.busy = False
        self.commits = 0

    def then(self, act: Callable[[], None]) -> None:
        """Act when all that is staged now is durable."""
        self._waiting.append(act)
        if not self.busy:
            self.busy = True
            self._clock.after(0, self._commit)

    def _commit(self) -> None:
        acts, self._waiting = self._waiting, []

        def done() -> None:
            self.commits += 1
            for act in acts:
                act()
            self.busy = bool(self._waiting)
            if self.busy:
                self._clock.after(0, self._commit)

        self._engine.commit(done)


class Replica:
    """One node's copy, and its part in who is primary. `changed` is called when there is another primary or none,
    and when more of what was written is where it has to be.
    """

    def __init__(
        self, node: str, members: tuple[str, ...], engine: Engine, links: Links, clock: Clock, *, fencing: bool
    ) -> None:
        self.id = node
        self.disk = Disk(engine, clock)
        self.leader: str | None = None
        self.position = 0
        self.records: dict[bytes, Sibling] = {}
        self.changed: Callable[[], None] = lambda: None
        self._members = members
        self._peers = tuple(peer for peer in members if peer != node)
        self._engine, self._links, self._clock, self._fencing = engine, links, clock, fencing
        self._majority = len(members) // 2 + 1
        self._promised = self._adopted = NONE
        self._patience_ns = PATIENCE_NS + members.index(node) * STAGGER_NS
        self._heard_ns: dict[str, int] = {}  # of a primary: when each backup was heard; else: the primary, as itself
        self._safe: dict[str, int] = {}  # of a primary: up to where each node is durable; else: this node alone
        self._grants: dict[str, State] = {}
        self.incarnation = ""

    # --- what its owner asks ---

    @property
    def leading(self) -> bool:
        """Whether this is the primary, as far as it knows."""
        return self.leader == self.id

    def open(self, rng: Random) -> None:
        """Read what the disk has, and wait for a primary."""
        self.incarnation = f"{rng.getrandbits(48):012x}"
        raw = self._engine.get(Space.META, _BALLOTS)
        if raw is not None:
            kept = msgspec.msgpack.decode(raw, type=tuple[Ballot, Ballot, int])
            self._promised, self._adopted, self.position = kept
        for key, value in self._engine.scan(Space.DATA, b"", 1 << 30):
            self.records[key] = msgspec.msgpack.decode(value, type=Sibling)
        self._wait()

    def write(self, request: Put) -> Dot:
        """Write as the primary; returns the write's name. It is not acknowledged before `holders` are enough."""
        dot = Dot(Actor(self.id, self.incarnation, self._promised.term), self.position + 1)
        record = Sibling(dot, request.value)
        self._put(request.key, record)
        self._tell_all(Append(self._promised, self.position, request.key, record))
        self._when_safe()
        return dot

    def holders(self, position: int) -> tuple[str, ...] | None:
        """Who holds everything up to a position durably, or None when they are too few to say so."""
        holders = tuple(node for node in self._members if self._safe.get(node, -1) >= position)
        return holders if len(holders) >= self._quorum() else None

    def unsettled(self) -> int:
        """How many nodes, as far as this one knows, are not where they should be."""
        if self.leading:
            return sum(self._safe.get(node, -1) < self.position for node in self._members)
        return int(self.leader is None or self._safe.get(self.id, -1) < self.position)

    def tick(self) -> None:
        """Every `BEAT_NS`: tell that the primary lives, or see that it does not."""
        if self.leading and self._fencing and self._heard() < self._majority:
            self._step_down()
        elif self.leading:
            self._tell_all(Beat(self._promised, self.position))
        elif self._clock.now_ns() - self._heard_ns[self.id] > self._patience_ns:
            self._promote()

    # --- who is primary ---

    def _quorum(self) -> int:
        """How many have to hold a write before it is acknowledged; without fencing, of those that are heard."""
        return self._majority if self._fencing else min(self._majority, self._heard())

    def _heard(self) -> int:
        """How many are there, this one included."""
        since_ns = self._clock.now_ns() - PATIENCE_NS
        return 1 + sum(self._heard_ns.get(peer, since_ns) > since_ns for peer in self._peers)

    def _wait(self) -> None:
        self._heard_ns = {self.id: self._clock.now_ns()}
        self._safe = {}
        self._grants = {}

    def _promote(self) -> None:
        """Stand for primary; without fencing nobody else is asked."""
        self._step_down()
        ballot = Ballot(self._promised.term + 1, self.id)
        self._promise(ballot)
        self.disk.then(lambda: self._stand(ballot))

    def _stand(self, ballot: Ballot) -> None:
        if ballot != self._promised:
            return
        if self._fencing:
            self._tell_all(Claim(ballot))
            self._granted(self.id, Granted(ballot, self._state()))
        else:
            self._lead(self._state())

    def _granted(self, source: str, vote: Granted) -> None:
        """Count the votes; one of a node whose disk is empty counts only where everybody votes, as at the very first
        start.
        """
        if vote.ballot != self._promised or vote.ballot.node != self.id or self.leading:
            return
        self._grants[source] = vote.state
        knowing = [state for state in self._grants.values() if state.adopted > NONE]
        if len(knowing) >= self._majority or len(self._grants) == len(self._members):
            self._lead(max(self._grants.values(), key=lambda state: (state.adopted, state.position)))

    def _lead(self, state: State) -> None:
        """Begin as primary, with the newest state that is known, and give it to everybody."""
        self._wait()
        self.leader = self.id
        self._heard_ns = dict.fromkeys(self._peers, self._clock.now_ns())
        self._adopt(self._promised, state)
        self._tell_all(Sync(self._promised, self._state()))
        self._when_safe()
        self.changed()

    def _step_down(self, leader: str | None = None) -> None:
        self.leader = leader
        self._wait()
        self.changed()

    def _follows(self, source: str, ballot: Ballot) -> bool:
        """Follow who speaks as the primary, unless a newer ballot was promised."""
        if ballot < self._promised:
            self._links.send(source, Newer(self._promised))
            return False
        if ballot > self._promised:
            self._promise(ballot)
        if self.leader != source:
            self._step_down(source)
            if ballot == self._adopted:
                self._when_safe()
        self._heard_ns[self.id] = self._clock.now_ns()
        return True

    # --- what peers say ---

    def peer_said(self, source: str, message: Replication) -> None:
        """Take a message from a peer."""
        match message:
            case Held():
                self._held(source, message)
            case Granted():
                self._granted(source, message)
            case Newer(ballot) | Claim(ballot):
                if ballot > self._promised:
                    self._promise(ballot)
                    self._step_down()
                    if isinstance(message, Claim):
                        self.disk.then(lambda: self._links.send(source, Granted(ballot, self._state())))
                elif isinstance(message, Claim):
                    self._links.send(source, Newer(self._promised))
            case Beat(ballot, position):
                if self._follows(source, ballot):
                    behind = ballot != self._adopted or self.position < position
                    self._links.send(source, Held(ballot, self._safe.get(self.id, -1), behind))
            case Append(ballot, position, key, record):
                if self._follows(source, ballot) and ballot == self._adopted and position == self.position + 1:
                    self._put(key, record)
                    self._when_safe()
            case Sync(ballot, state):
                if self._follows(source, ballot) and (ballot, state.position) > (self._adopted, self.position):
                    self._adopt(ballot, state)
                    self._when_safe()

    def _held(self, source: str, answer: Held) -> None:
        if self.leading and answer.ballot == self._promised:
            self._heard_ns[source] = self._clock.now_ns()
            self._safe[source] = max(answer.position, self._safe.get(source, -1))
            if answer.behind:
                self._links.send(source, Sync(self._promised, self._state()))
            self.changed()

    # --- what is kept ---

    def _state(self) -> State:
        return State(self._adopted, self.position, dict(self.records))

    def _put(self, key: bytes, record: Sibling) -> None:
        self.position += 1
        self.records[key] = record
        self._engine.stage(Space.DATA, key, msgspec.msgpack.encode(record))
        self._keep()

    def _adopt(self, ballot: Ballot, state: State) -> None:
        """Hold this and nothing else."""
        for key in [key for key in self.records if key not in state.records]:
            self._engine.stage(Space.DATA, key, None)
        for key, record in state.records.items():
            self._engine.stage(Space.DATA, key, msgspec.msgpack.encode(record))
        self.records = dict(state.records)
        self.position, self._adopted = state.position, ballot
        self._keep()

    def _promise(self, ballot: Ballot) -> None:
        self._promised = ballot
        self._keep()

    def _keep(self) -> None:
        kept = (self._promised, self._adopted, self.position)
        self._engine.stage(Space.META, _BALLOTS, msgspec.msgpack.encode(kept))

    def _when_safe(self) -> None:
        """When what is held now is durable, count it here, or have the primary count it."""
        ballot, position = self._promised, self.position

        def safe() -> None:
            if self.leader is None or ballot != self._promised:
                return
            self._safe[self.id] = position
            if self.leading:
                self.changed()
            else:
                self._links.send(self.leader, Held(ballot, position, behind=False))

        self.disk.then(safe)

    def _tell_all(self, message: Replication) -> None:
        for peer in self._peers:
            self._links.send(peer, message)
