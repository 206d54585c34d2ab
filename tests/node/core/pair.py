"""Two nodes that can do nothing but compare their trees and repair what differs: the test is the network and the clock.

What they say lies in `letters`, one after the other, until the test passes it on or drops it; `run` passes everything
on and lets time pass until an exchange has ended. Calls, timers, detectors and trees are the real ones; the records are
a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Literal, NamedTuple

from node.core.anti_entropy import exchange
from node.core.calls import Calls, Switchboard
from node.core.clocks import Actor, Clock, Dot
from node.core.config import ClusterConfig
from node.core.conversations import Conversations, Kind, Timers
from node.core.detector import Detector
from node.core.exchanges import Exchanged, Exchanges
from node.core.messages import (
    Fetch,
    Fetched,
    PeerAnswer,
    PeerMessage,
    Replicate,
    RootsQuery,
    Stored,
    TreeHashes,
    TreeQuery,
)
from node.core.ring import RING_BITS
from node.core.store import Space
from node.core.tree_queries import answer
from node.core.trees import Trees
from node.core.versions import NOTHING, Versions, merge, write

MS = 1_000_000
PEER_TIMEOUT_MS = 250
SETTLE_MS = 1000
ROUND_MS = 2000

RING = 1 << RING_BITS
QUARTERS = (RING // 4, RING // 2, 3 * RING // 4, RING)


class Records:
    """A node's records, whose changes go into its trees at once."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self.held: dict[bytes, Versions] = {}

    def replicated(self, key: bytes) -> Versions:
        """What is held of a key."""
        return self.held.get(key, NOTHING)

    def merge(self, key: bytes, versions: Versions) -> None:
        """Take up what somebody else knows."""
        self.put(key, merge(self.replicated(key), versions))

    def put(self, key: bytes, versions: Versions) -> None:
        """Hold this and nothing else of a key."""
        self.held[key] = versions
        self._trees.update(key, versions)

    def forget(self, key: bytes) -> None:
        """Hold nothing of a key."""
        del self.held[key]
        self._trees.update(key, None)

    def now_in(self, trees: Trees) -> None:
        """From now on changes go into other trees, as after a restart."""
        self._trees = trees

    def page(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, Versions]]:
        """A page of records, in order."""
        assert space is Space.DATA
        return [(key, self.held[key]) for key in sorted(self.held) if key > after][:limit]


class Letter(NamedTuple):
    """A message on its way."""

    sender: str
    to: str
    message: PeerMessage


class Side:
    """One of the two nodes, as far as anti-entropy can tell; it also grants itself background time at once."""

    def __init__(self, pair: Pair, name: str, ends: tuple[int, ...]) -> None:
        self.id = name
        self.config = ClusterConfig(
            members=("n1", "n2"), secret="s", anti_entropy_ms=ROUND_MS, anti_entropy_settle_ms=SETTLE_MS
        )
        self.peer_timeout_ns = PEER_TIMEOUT_MS * MS
        self.trees = Trees(ends)
        self.trees.ready = True
        self.replica = Records(self.trees)
        self.background = self
        self.exchanges = Exchanges()
        self.detector = Detector()
        self.rng = Random(name)
        self.slices = 0
        self.stuck = False
        self.timers = Timers(pair.setter(name), lambda timer: pair.cancel(name, timer))
        self.conversations = Conversations(self.timers, lambda callback: callback())
        self._pair = pair
        self._switchboard = Switchboard(self, self.timers, self.detector, self.peer_timeout_ns, 1)

    # --- what the conversations need ---

    async def slice(self, task: Literal["anti-entropy"]) -> None:
        """Grant and count a slice."""
        assert task == "anti-entropy"
        self.slices += 1

    def shared(self) -> list[tuple[int, str]]:
        """Both have all partitions, until the test says otherwise."""
        return [(end, other) for end in self._pair.shared for other in ("n1", "n2") if other != self.id]

    def calls(self, time_ns: int) -> Calls:
        """A set of calls that share a deadline."""
        return self._switchboard.open(time_ns)

    def send(self, peer: str, message: PeerMessage) -> None:
        """Put a letter on its way."""
        self._pair.letters.append(Letter(self.id, peer, message))

    def suspect(self, peer: str) -> None:
        """Treat the peer as down."""
        self.detector.missed(peer)

    def when_released(self, callback: Callable[[], None]) -> None:
        """Everything leaves at once, but where the test says that a commit takes for ever."""
        if not self.stuck:
            callback()

    # --- what they are told ---

    def hear(self, letter: Letter) -> None:
        """Answer a question, or take an answer."""
        message = letter.message
        if isinstance(message, RootsQuery | TreeQuery):
            self.send(letter.sender, answer(self.trees, message))
        elif isinstance(message, Fetch):
            self.send(letter.sender, Fetched(message.call, self.replica.replicated(message.key)))
        elif isinstance(message, Replicate):
            self.replica.merge(message.key, message.versions)
            self.send(letter.sender, Stored(message.call))
        else:
            assert isinstance(message, PeerAnswer), message
            self._switchboard.answered(letter.sender, message)


class Pair:
    """Nodes n1 and n2, what is on its way between them, and everything that was `said`."""

    def __init__(self, ends: tuple[int, ...] = (RING,)) -> None:
        self.shared = ends
        self.now_ns = 0
        self.letters: list[Letter] = []
        self.said: list[Letter] = []
        self.timers: list[tuple[int, int, str]] = []
        self.sides = {name: Side(self, name, ends) for name in ("n1", "n2")}
        self.n1, self.n2 = self.sides["n1"], self.sides["n2"]

    def setter(self, name: str) -> Callable[[int, int], None]:
        """How one of the two sets its timers."""

        def set_timer(timer: int, delay_ns: int) -> None:
            assert delay_ns > 0
            self.timers.append((self.now_ns + delay_ns, timer, name))

        return set_timer

    def cancel(self, name: str, timer: int) -> None:
        """Forget a timer."""
        self.timers = [each for each in self.timers if each[1:] != (timer, name)]

    def begin(self, side: Side, conversation: Coroutine[Any, Any, None]) -> None:
        """Begin a conversation at one side."""
        side.conversations.begin(Kind.REQUEST, conversation)

    def deliver(self, most: int | None = None) -> None:
        """Pass letters on, also those that they lead to, until none is left or so many have been."""
        delivered = 0
        while self.letters and delivered != most:
            letter = self.letters.pop(0)
            self.said.append(letter)
            self.sides[letter.to].hear(letter)
            delivered += 1

    def elapse(self, ms: int, *, deliver: bool = True) -> None:
        """Let time pass; what is said meanwhile is delivered at once, unless the test does it."""
        until_ns = self.now_ns + ms * MS
        while due := [timer for timer in self.timers if timer[0] <= until_ns]:
            first = min(due)
            self.timers.remove(first)
            self.now_ns, timer, name = first
            for side in self.sides.values():
                side.timers.now_ns = self.now_ns
            self.sides[name].timers.fired(timer)
            if deliver:
                self.deliver()
        self.now_ns = until_ns

    def exchange(self) -> list[Exchanged]:
        """Begin an exchange of n1 with n2; what comes of it will be in the list."""
        results: list[Exchanged] = []

        async def conversation() -> None:
            results.append(await exchange(self.n1, "n2", self.shared))

        self.begin(self.n1, conversation())
        return results

    def run(self) -> Exchanged:
        """Make one exchange, to its end."""
        results = self.exchange()
        self.deliver()
        for _ in range(1000):
            if results:
                return results[0]
            self.elapse(SETTLE_MS)
        raise AssertionError("the exchange has no end")

    def keys_of(self, kind: type[Fetch | Replicate]) -> list[bytes]:
        """The keys in all messages of a kind that were delivered, in order."""
        return sorted(letter.message.key for letter in self.said if isinstance(letter.message, kind))

    def differing(self) -> list[bytes]:
        """The keys that the two hold different versions of."""
        one, two = self.n1.replica.held, self.n2.replica.held
        return [key for key in sorted({**one, **two}) if one.get(key) != two.get(key)]


def version(writer: str, counter: int = 1, known: Versions = NOTHING, context: Clock | None = None) -> Versions:
    """What is known of a key after a write; it replaces all that was known, or what the context covers."""
    dot = Dot(Actor(writer, "1", 1), counter)
    return write(known, known.clock if context is None else context, dot, str(dot).encode())


OLD = version("x")
NEW = version("x", 2, OLD)


def alike(count: int = 300, ends: tuple[int, ...] = QUARTERS) -> Pair:
    """Both hold the same keys."""
    pair = Pair(ends)
    for number in range(count):
        for side in (pair.n1, pair.n2):
            side.replica.put(b"%04d" % number, OLD)
    return pair


def at_rest(pair: Pair) -> None:
    """Whoever compares again finds nothing, and asks for nothing but roots; no timer is left behind."""
    assert pair.differing() == []
    assert pair.timers == []
    before = len(pair.said)
    for _ in range(2):
        again = pair.run()
        assert (again.differing, again.keys, again.moved, again.left, again.aborted) == (0, 0, 0, 0, "")
    assert {type(letter.message) for letter in pair.said[before:]} == {RootsQuery, TreeHashes}
