"""A cluster of bare nodes, asked as clients and operators ask, and looked into.

What happens to it is in `tests.node.core.world`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from node.core.admin_messages import AdminRequest, Commit, Done, Plan, PlanQuery, Stage, Staged
from node.core.changes import JOIN, Member
from node.core.messages import (
    DumpPage,
    DumpQuery,
    Get,
    Got,
    Put,
    Refused,
    Status,
    StatusQuery,
    Written,
)
from node.core.store import Space
from node.runtime.memory import MemoryStore
from tests.node.core.world import HOUR_MS, MEMBERS, MS, NODE, NODE_MODULE, Letter, World

__all__ = ["HOUR_MS", "MEMBERS", "MS", "NODE", "NODE_MODULE", "Cluster", "Letter"]

M = TypeVar("M")


class Cluster(World):
    """Nodes, their clients and their operator."""

    # --- operators ---

    def order(self, at: str, operation: str, node: str, by: str = "") -> Done:
        """Have an operator give one order at a node: staged, looked at, committed."""
        comes = node if operation == JOIN else by
        member = Member(comes) if comes else None
        self.told(at, Stage("an order", operation, node, member), Staged)
        plan = self.told(at, PlanQuery("a plan"), Plan)
        return self.told(at, Commit("a commit", plan.token, 1), Done)

    def told(self, at: str, request: AdminRequest, kind: type[M]) -> M:
        """What an operator is told who asks a node; a silence that the node has to wait for is over in a second."""
        asker = self.ask(at, request)
        self.settle()
        if asker not in self.replies:
            self.elapse(1000)
        return self._reply(asker, kind)

    def join(self, name: str, at: str, *, seeds: tuple[str, ...] = ()) -> None:
        """Start a newcomer with an empty disk, and have it join at a node; only what can move at once has moved."""
        self.start(name, MemoryStore(), seeds=seeds)
        self.settle()
        self.order(at, JOIN, name)

    def moved(self, ms: int = 60_000) -> None:
        """Let time pass until every node that is up knows one ring in which no seat is on its way."""
        self.until(self.at_rest, step_ms=100, most_ms=ms)

    def at_rest(self) -> bool:
        """Whether every node that is up knows one ring, in which nothing moves."""
        rings = [self.node(name).ring for name in self.up]
        return len({ring.digest for ring in rings}) == 1 and not rings[0].moves

    # --- asking ---

    def preference(self, key: bytes) -> tuple[str, ...]:
        """The key's preference list."""
        return self._bodies[self.config.members[0]].node.ring.at(key).preference

    def kept_by(self, name: str, count: int) -> list[bytes]:
        """So many keys that a node keeps."""
        node = self._bodies[self.config.members[0]].node
        keys = (b"%05d" % number for number in range(100_000))
        return list(islice((key for key in keys if name in node.ring.at(key).seats), count))

    def get(self, at: str, key: bytes, *, r: int | None = None, ms: int = 1000) -> int:
        """Ask a node for a key; returns the number under which the reply will be found."""
        return self.ask(at, Get("a request", key, ms * MS, r))

    def put(
        self, at: str, key: bytes, value: bytes, *, context: bytes = b"", w: int | None = None, ms: int = 1000
    ) -> int:
        """Ask a node to write; returns the number under which the reply will be found."""
        return self.ask(at, Put("a request", key, value, context, ms * MS, w))

    def got(self, asker: int) -> Got:
        """The reply to a get that succeeded."""
        return self._reply(asker, Got)

    def written(self, asker: int) -> Written:
        """The reply to a put that succeeded."""
        return self._reply(asker, Written)

    def refused(self, asker: int) -> Refused:
        """The refusal of a request."""
        return self._reply(asker, Refused)

    def status(self, at: str) -> Status:
        """What a node has under way; the reply must not be held back just now."""
        return self._reply(self.ask(at, StatusQuery()), Status)

    def _reply(self, asker: int, kind: type[M]) -> M:
        reply = self.replies.get(asker)
        assert isinstance(reply, kind), f"the reply to {asker} is {reply!r}"
        return reply

    # --- looking ---

    def held(self, name: str, key: bytes) -> list[bytes]:
        """The values that a node holds of a key as one of its replicas."""
        return [sibling.value for sibling in self.node(name).replica.replicated(key).siblings]

    def hinted(self, name: str, target: str, key: bytes) -> list[bytes]:
        """The values that a node holds of a key for another node."""
        return [sibling.value for sibling in self.node(name).replica.hinted(target, key).siblings]

    def hints(self) -> list[tuple[str, str]]:
        """Who holds hints for whom, as it lies in the stores."""
        return [
            (name, entry.partition(b"\0")[0].decode())
            for name, body in self._bodies.items()
            for entry, _ in body.store.scan(Space.HINTS, b"", 1000)
        ]

    def dumped(self, name: str, limit: int = 256) -> Iterator[tuple[bytes, str | None]]:
        """What a node's debug port says it holds, page by page: each key, and for whom it is kept."""
        after = b""
        while True:
            page = self.replies[self.ask(name, DumpQuery(after, limit))]
            assert isinstance(page, DumpPage)
            yield from ((held.key, held.hint_for) for held in page.held)
            if not page.next:
                return
            after = page.next
