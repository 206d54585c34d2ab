"""Bare nodes, with nothing between them but a list: the test is the network, the disk and the clock.

What a node sends lies in `letters` until the test delivers it, drops it, or brings it back as unreached; what a node
stages becomes durable when the test commits; time passes when the test says so. `settle` and `elapse` do all of that
in order, for the tests that are about something else.

What goes on in the background without end is so slow here that it disturbs nobody who counts letters or timers: gossip
once an hour, and no anti-entropy. Tests of the background set `gossip_ms` and `anti_entropy_ms` themselves.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from node.core import facts
from node.core.admin_messages import AdminRequest, AdminResponse
from node.core.config import ClusterConfig
from node.core.facts import Fact
from node.core.messages import (
    DebugRequest,
    DebugResponse,
    PeerMessage,
    Request,
    Response,
)
from node.core.node import Node
from node.runtime.memory import MemoryStore

M = TypeVar("M")

NODE_MODULE = "KEELHAUL_NODE_MODULE"
"""The environment variable that names a module whose `NODE` is tested instead of the shipped one."""

NODE: type[Node] = importlib.import_module(os.environ[NODE_MODULE]).NODE if NODE_MODULE in os.environ else Node

MS = 1_000_000
HOUR_MS = 3_600_000
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


class World:
    """Nodes, and everything that they asked for."""

    def __init__(self, members: tuple[str, ...] = MEMBERS, node_type: type[Node] = NODE, **settings: Any) -> None:
        quiet = {"gossip_ms": HOUR_MS, "anti_entropy_ms": 0}
        self.config = ClusterConfig(members=members, secret="a secret", **{**quiet, **settings}).checked()
        self.now_ns = 0
        self.letters: list[Letter] = []
        self.delivered: list[Letter] = []
        self.replies: dict[int, Response | DebugResponse | AdminResponse] = {}
        self.redialled: list[tuple[str, str]] = []
        self.met: list[tuple[str, str, str]] = []
        self.resigned: dict[str, str] = {}
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

    def start(self, name: str, store: MemoryStore, *, seeds: tuple[str, ...] = (), address: str = "") -> None:
        """Begin a life of a node on a store; its start is staged and not committed."""
        self._lives += 1
        rng = Random(f"life {self._lives}")
        node = self._node_type(name, self.config, store, rng, seeds=dict.fromkeys(seeds, ""), address=address)
        self._bodies[name] = _Body(node, store, {}, [])
        self.down = [other for other in self.down if other != name]
        self._do(name, node.start(self.now_ns))

    def crash(self, name: str) -> None:
        """End a node at once: what was not committed is lost, and it hears nothing more."""
        body = self._bodies[name]
        body.timers.clear()
        body.barriers.clear()
        self.down.append(name)

    def until(self, is_so: Callable[[], bool], *, step_ms: int = 10, most_ms: int = 60_000) -> None:
        """Let time pass until something is so."""
        until_ns = self.now_ns + most_ms * MS
        while not is_so():
            assert self.now_ns < until_ns, "it never comes to that"
            self.elapse(step_ms)

    @property
    def up(self) -> list[str]:
        """The nodes that live."""
        return [name for name in self._bodies if name not in self.down]

    def restart(self, name: str) -> None:
        """Begin the next life of a node on what its last one had committed."""
        self.start(name, MemoryStore(self._bodies[name].store.image))

    # --- what happens, step by step ---

    def ask(self, at: str, request: Request | DebugRequest | AdminRequest) -> int:
        """Ask anything."""
        self._asked += 1
        self.feed(at, facts.ClientAsked(self._asked, request))
        return self._asked

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
                case facts.Meet(peer, address):
                    self.met.append((name, peer, address))
                case facts.Resign(text):
                    self.resigned[name] = text
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
            self.delivered.append(letter)
            self.feed(letter.to, facts.PeerSaid(letter.sender, letter.message, letter.ring))

    def say(self, source: str, to: str, message: PeerMessage) -> None:
        """Let a node hear what nobody has sent, as if it came from a peer that knows the same ring."""
        self.feed(to, facts.PeerSaid(source, message, self.node(to).ring.digest))

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
        """In how many milliseconds each timer of a node is due; the one of its gossip does not count."""
        due = sorted((at_ns - self.now_ns) // MS for at_ns in self._bodies[name].timers.values())
        return [ms for ms in due if ms < HOUR_MS // 2]

    # --- and all of it at once ---

    def settle(self) -> None:
        """Deliver and commit everything, in order, until nothing is left; what is for a dead node is lost."""
        while self.letters or any(body.barriers for body in self._bodies.values()):
            if self.letters:
                letter = self.letters[0]
                (self.drop if self._is_lost(letter) else self.deliver)(letter)
            else:
                self.commit(*(name for name, body in self._bodies.items() if body.barriers))

    def _is_lost(self, letter: Letter) -> bool:
        return letter.to in self.down or (letter.sender, letter.to) in self.cut

    def elapse(self, ms: int, then: Callable[[], None] | None = None) -> None:
        """Let time pass, firing timers in the order in which they are due; `then` (or else `settle`) after each."""
        until_ns = self.now_ns + ms * MS
        for at_ns, name, timer in iter(lambda: self._next_timer(until_ns), None):
            self.now_ns = max(self.now_ns, at_ns)
            del self._bodies[name].timers[timer]
            self.feed(name, facts.TimerFired(timer))
            (then or self.settle)()
        self.now_ns = until_ns

    def happen(self, rng: Random) -> None:
        """Let one thing happen, whichever the dice say: the first letter on some link arrives, or some node commits.

        Only when there is nothing of that does time pass, until the next timer is due: so nobody is ever late.
        """
        links = list({(letter.sender, letter.to): None for letter in self.letters})
        nodes = [name for name, body in self._bodies.items() if body.barriers]
        if not links and not nodes:
            due = self._next_timer(self.now_ns + HOUR_MS * MS)
            assert due is not None, "nothing will ever happen again"
            self.elapse((due[0] - self.now_ns) // MS + 1, then=lambda: None)
        elif (dice := rng.randrange(len(links) + len(nodes))) < len(nodes):
            self.commit(nodes[dice])
        else:
            link = links[dice - len(nodes)]
            letter = next(letter for letter in self.letters if (letter.sender, letter.to) == link)
            (self.drop if self._is_lost(letter) else self.deliver)(letter)

    def _next_timer(self, until_ns: int) -> tuple[int, str, int] | None:
        due = (
            (at_ns, name, timer)
            for name, body in self._bodies.items()
            for timer, at_ns in body.timers.items()
            if at_ns <= until_ns
        )
        return min(due, default=None)
