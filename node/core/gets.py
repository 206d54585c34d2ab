"""The read conversation (Dynamo, 4.5 and 5): ask N, wait for R, reconcile, answer; then repair who was behind.

Any node may coordinate a read. A read has no effect, so one that does not find its quorum has definitely failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from node.core.calls import CORRECTIONS, Answer, Calls
from node.core.candidates import Assignment
from node.core.messages import Ack, Differs, Fetch, Fetched, Get, Got, Refused, Replicate, Response, Version
from node.core.quorum import Quorum, Settled
from node.core.versions import NOTHING, Versions

if TYPE_CHECKING:
    from node.core.node import Node


class _Reading:
    """Who was asked for a key, what those who answered hold, and that `merged`: everything known, reconciled."""

    def __init__(self, node: Node, key: bytes, calls: Calls, needed: int) -> None:
        self._node = node
        self.key = key
        self.calls = calls
        self.place = node.ring.at(key)
        self.candidates = node.candidates(self.place, self.place.seats)
        self.quorum = Quorum(needed)
        self.held: dict[str, Versions] = {}
        self.merged = NOTHING
        self._durable: dict[str, bool] = {}
        self._asked: dict[str, Assignment] = {}
        self._corrected: Counter[str] = Counter()

    @property
    def is_overtaken(self) -> bool:
        """Whether the key's seats have passed to others since this began: what was read may be the past."""
        return self._node.ring.at(self.key).seats != self.place.seats

    @property
    def acks(self) -> tuple[Ack, ...]:
        """Who answered, and in whose place."""
        return tuple(Ack(name, self._asked[name].hint_for, self._durable[name]) for name in self.held)

    def ask(self, assignment: Assignment) -> None:
        """Ask a node; this node answers itself at once."""
        self._asked[assignment.node] = assignment
        if assignment.node == self._node.id:
            self._take(self._node.id, self._node.replica.versions(self.key), self._node.durable)
        else:
            self.calls.ask(assignment.node, lambda call: Fetch(call, self.key, self.calls.remaining_ns))

    def heed(self, answer: Answer, *, replace: bool) -> None:
        """Take an answer; ask another node instead of one that gave none."""
        if isinstance(answer.message, Fetched):
            self._take(answer.peer, answer.message.versions, answer.message.durable)
        elif isinstance(answer.message, Differs) and self._corrected[answer.peer] < CORRECTIONS:
            self._corrected[answer.peer] += 1
            self.ask(self._asked[answer.peer])
        elif replace and (instead := self.candidates.instead_of(self._asked[answer.peer])):
            self.ask(instead)

    def behind(self, merged: Versions) -> list[str]:
        """The primaries that answered with less than what is known."""
        return [name for name in self.candidates.primaries if self.held.get(name, merged) != merged]

    def _take(self, name: str, versions: Versions, durable: bool) -> None:
        self.merged = self._node.replica.merged(self.merged, versions) if self.held else versions
        self.held[name], self._durable[name] = versions, durable
        self.quorum.succeed(name, self._asked[name].primary)


async def get(node: Node, request: Get, respond: Callable[[Response], None]) -> None:
    """Coordinate one read."""
    reading = await _read(node, request, request.remaining_ns)
    while reading.is_overtaken and reading.calls.remaining_ns > 0:
        reading.calls.close()
        reading = await _read(node, request, reading.calls.remaining_ns)
    if reading.quorum.settled(0) is not Settled.REACHED or reading.is_overtaken:
        respond(_refusal(node, request, reading))
        reading.calls.close()
        return
    respond(_reply(node, request, reading))
    await _repair(node, reading)


async def _read(node: Node, request: Get, remaining_ns: int) -> _Reading:
    """Ask those who sit at the key now, until R have answered, or cannot any more, or others have taken a seat."""
    reading = _Reading(node, request.key, node.calls(remaining_ns), request.r or node.config.r)
    for assignment in reading.candidates.first():
        reading.ask(assignment)
    calls = reading.calls
    while reading.quorum.settled(calls.open) is Settled.PENDING and not reading.is_overtaken:
        answer = await calls.next()
        if answer is None:
            break
        reading.heed(answer, replace=True)
    return reading


async def _repair(node: Node, reading: _Reading) -> None:
    """Wait a small period for the answers still out, then bring those up to date who are behind (Dynamo, 5)."""
    calls = reading.calls
    if calls.open:
        calls.within(node.config.repair_window_ms * 1_000_000)
    while (answer := await calls.next()) is not None:
        reading.heed(answer, replace=False)
    calls.close()
    merged = reading.merged
    behind = reading.behind(merged)
    if not behind:
        return
    repairs = node.calls(node.peer_timeout_ns * 2)
    for name in behind:
        if name == node.id:
            node.replica.merge(reading.key, merged)
        else:
            repairs.ask(name, lambda call: Replicate(call, reading.key, merged, None, node.peer_timeout_ns))
    while await repairs.next() is not None:
        pass
    repairs.close()


def _reply(node: Node, request: Get, reading: _Reading) -> Got:
    merged = reading.merged
    versions = tuple(Version(str(sibling.dot), sibling.value) for sibling in merged.siblings)
    context = node.seal(request.key, merged.clock)
    return Got(request.request, versions, context, node.id, reading.acks, node.ring.digest)


def _refusal(node: Node, request: Get, reading: _Reading) -> Refused:
    answered = ", ".join(reading.held) or "nobody"
    text = f"{len(reading.held)} of R = {reading.quorum.needed} replicas answered {node.id} in time: {answered}"
    return Refused(request.request, "unavailable", text, definite=True)
