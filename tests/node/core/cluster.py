"""A cluster of bare nodes, with nothing between them but a list: the test is the network, the disk and the clock.

What a node sends lies in `letters` until the test delivers it, drops it, or brings it back as unreached; what a node
stages becomes durable when the test commits; time passes when the test says so. `settle` and `elapse` do all of that
in order, for the tests that are about something else.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from node.core import facts
from node.core.config import ClusterConfig
from node.core.facts import Fact
from node.core.messages import (
    DebugRequest,
    DebugResponse,
    DumpQuery,
    Get,
    Got,
    PeerMessage,
    Put,
    Refused,
    Request,
    Response,
    Status,
    StatusQuery,
    Written,
)
from node.core.node import Node
from node.core.store import Space
from node.runtime.memory import MemoryStore

M = TypeVar("M")

NODE_MODULE = "KEELHAUL_NODE_MODULE"
"""The environment variable that names a module whose `NODE` is tested instead of the shipped one."""

NODE: type[Node] = importlib.import_module(os.environ[NODE_MODULE]).NODE if NODE_MODULE in os.environ else Node

MS = 1_000_000
MEMBERS = ("n1", "n2", "n3", "n4", "n5")


@dataclass(eq=False)
class Letter:
    """A message that was sent and not delivered yet."""

    sender: str
    to: str
    message: PeerMessage
    ring: str = ""


@dataclass(eq=False)
class _Body:
    """What a node lives on: its store, the timers it has set, and the barriers it has asked for."""

    node: Node
    store: MemoryStore
    timers: dict[int, int]
    barriers: list[int]


class Cluster:
    """Nodes, and everything that they asked for."""

    def __init__(self, members: tuple[str, ...] = MEMBERS, node_type: type[Node] = NODE, **settings: int) -> None:
        self.config = ClusterConfig(members=members, secret="a secret", **settings).checked()
        self.now_ns = 0
        self.letters: list[Letter] = []
        self.replies: dict[int, Response | DebugResponse] = {}
        self.redialled: list[tuple[str, str]] = []
        self.left: list[str] = []
        self.down: list[str] = []
        self.cut: list[tuple[str, str]] = []
        self._node_type = node_type
        self._asked = 0
        self._lives = 0
        self._bodies: dict[str, _Body] = {}
        for name in members:
            self.start(name, MemoryStore())
        self.settle()

    # --- lives ---

    def node(self, name: str) -> Node:
        """A node itself."""
        return self._bodies[name].node

    def store(self, name: str) -> MemoryStore:
        """A node's store."""
        return self._bodies[name].store

    def start(self, name: str, store: MemoryStore) -> None:
        """Begin a life of a node on a store; its start is staged and not committed."""
        self._lives += 1
        node = self._node_type(name, self.config, store, Random(f"life {self._lives}"))
        self._bodies[name] = _Body(node, store, {}, [])
        self.down = [other for other in self.down if other != name]
        self._do(name, node.start(self.now_ns))

    def crash(self, name: str) -> None:
        """End a node at once: what was not committed is lost, and it hears nothing more."""
        body = self._bodies[name]
        body.timers.clear()
        body.barriers.clear()
        self.down.append(name)

    def restart(self, name: str) -> None:
        """Begin the next life of a node on what its last one had committed."""
        self.start(name, MemoryStore(self._bodies[name].store.image))

    # --- asking ---

    def preference(self, key: bytes) -> tuple[str, ...]:
        """The key's preference list."""
        return self._bodies[self.config.members[0]].node.ring.at(key).preference

    def get(self, at: str, key: bytes, *, r: int | None = None, ms: int = 1000) -> int:
        """Ask a node for a key; returns the number under which the reply will be found."""
        return self.ask(at, Get("a request", key, ms * MS, r))

    def put(
        self, at: str, key: bytes, value: bytes, *, context: bytes = b"", w: int | None = None, ms: int = 1000
    ) -> int:
        """Ask a node to write; returns the number under which the reply will be found."""
        return self.ask(at, Put("a request", key, value, context, ms * MS, w))

    def ask(self, at: str, request: Request | DebugRequest) -> int:
        """Ask anything."""
        self._asked += 1
        self.feed(at, facts.ClientAsked(self._asked, request))
        return self._asked

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

    # --- the network, the disk and the clock, step by step ---

    def feed(self, name: str, fact: Fact) -> None:
        """Tell a node a fact, and take down what it commands."""
        self._do(name, self._bodies[name].node.handle(fact, self.now_ns))

    def _do(self, name: str, commands: list[facts.Command]) -> None:
        body = self._bodies[name]
        for command in commands:
            match command:
                case facts.Send(to, message, ring):
                    self.letters.append(Letter(name, to, message, ring))
                case facts.Reply(asker, response):
                    assert asker not in self.replies, f"{name} answered {asker} twice"
                    self.replies[asker] = response
                case facts.Persist(barrier):
                    body.barriers.append(barrier)
                case facts.SetTimer(timer, delay_ns):
                    assert delay_ns > 0
                    body.timers[timer] = self.now_ns + delay_ns
                case facts.CancelTimer(timer):
                    del body.timers[timer]
                case facts.Redial(peer):
                    self.redialled.append((name, peer))
                case facts.Leave():
                    self.left.append(name)

    def sent(self, kind: type[PeerMessage], sender: str | None = None, to: str | None = None) -> list[Letter]:
        """The letters on their way, of one kind, in the order in which they were sent."""
        return [
            letter
            for letter in self.letters
            if isinstance(letter.message, kind) and sender in (None, letter.sender) and to in (None, letter.to)
        ]

    def deliver(self, *letters: Letter) -> None:
        """Deliver these letters, in this order."""
        for letter in letters:
            self.letters.remove(letter)
            self.feed(letter.to, facts.PeerSaid(letter.sender, letter.message, letter.ring))

    def drop(self, *letters: Letter) -> None:
        """Lose these letters."""
        for letter in letters:
            self.letters.remove(letter)

    def bounce(self, *letters: Letter) -> None:
        """Bring these letters back to their senders: certainly not delivered."""
        for letter in letters:
            self.letters.remove(letter)
            self.feed(letter.sender, facts.PeerUnreached(letter.to, letter.message))

    def commit(self, *names: str) -> None:
        """Make durable what these nodes have staged and asked for; one commit for all of their barriers."""
        for name in names:
            body = self._bodies[name]
            body.store.settle(body.store.seal())
            barrier, body.barriers[:] = body.barriers[-1], []
            self.feed(name, facts.Committed(barrier))

    def timers(self, name: str) -> list[int]:
        """In how many milliseconds each timer of a node is due."""
        return sorted((at_ns - self.now_ns) // MS for at_ns in self._bodies[name].timers.values())

    # --- and all of it at once ---

    def settle(self) -> None:
        """Deliver and commit everything, in order, until nothing is left; what is for a dead node is lost."""
        while self.letters or any(body.barriers for body in self._bodies.values()):
            if self.letters:
                letter = self.letters[0]
                lost = letter.to in self.down or (letter.sender, letter.to) in self.cut
                (self.drop if lost else self.deliver)(letter)
            else:
                self.commit(*(name for name, body in self._bodies.items() if body.barriers))

    def elapse(self, ms: int, then: Callable[[], None] | None = None) -> None:
        """Let time pass, firing timers in the order in which they are due; `then` (or else `settle`) after each."""
        until_ns = self.now_ns + ms * MS
        for at_ns, name, timer in iter(lambda: self._next_timer(until_ns), None):
            self.now_ns = max(self.now_ns, at_ns)
            del self._bodies[name].timers[timer]
            self.feed(name, facts.TimerFired(timer))
            (then or self.settle)()
        self.now_ns = until_ns

    def _next_timer(self, until_ns: int) -> tuple[int, str, int] | None:
        due = (
            (at_ns, name, timer)
            for name, body in self._bodies.items()
            for timer, at_ns in body.timers.items()
            if at_ns <= until_ns
        )
        return min(due, default=None)

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
            assert not isinstance(page, Response | Status)
            yield from ((held.key, held.hint_for) for held in page.held)
            if not page.next:
                return
            after = page.next
