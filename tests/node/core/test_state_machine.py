"""Three nodes under whatever may happen to them, step by step: no write is lost that was acknowledged or read, dots are
unique, and replicas agree when all is well again.

Hypothesis chooses what happens next (a request, a letter delivered, lost or doubled, a commit, time, a crash, a cut),
and makes what fails smaller. N is two, so that every key has a fallback too. The model knows what clients
were told, and what each write had seen. It does not know how nodes do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from node.core.messages import Got, Refused, Written
from node.core.node import Node
from node.core.replica import Record
from node.core.store import Space
from tests.bugs import dropped_siblings, epochless_fallback, forgotten_hints, staged_read
from tests.node.core.cluster import NODE, Cluster, Letter

MEMBERS = ("n1", "n2", "n3")
KEYS = (b"k", b"another")
QUIET_MS = 20_000
"""Longer than every retry of a node."""

names = st.sampled_from(MEMBERS)
keys = st.sampled_from(KEYS)
places = st.integers(0, 7)


@dataclass(frozen=True)
class Asked:
    """A request under way: what it writes, if anything, and what its context covers."""

    key: bytes
    value: bytes | None = None
    covers: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Context:
    """What a client may carry into a put of that key, and the values that it has seen by it."""

    key: bytes
    raw: bytes
    covers: tuple[bytes, ...]


class Model:
    """What clients know."""

    def __init__(self) -> None:
        self.covers: dict[bytes, tuple[bytes, ...]] = {}
        self.told: dict[bytes, dict[bytes, None]] = {key: {} for key in KEYS}
        self.named: dict[tuple[bytes, str], bytes] = {}
        self.minted: dict[tuple[bytes, str], None] = {}

    def hear(self, asked: Asked, reply: Got | Written) -> Context:
        """Take what a client was told, and return the context that it has now."""
        if isinstance(reply, Got):
            for version in reply.versions:
                self.see(asked.key, version.dot, version.value)
                self.told[asked.key][version.value] = None
            return Context(asked.key, reply.context, tuple(version.value for version in reply.versions))
        assert asked.value is not None
        assert (asked.key, reply.dot) not in self.minted, f"{reply.dot} was handed out twice"
        self.minted[asked.key, reply.dot] = None
        self.see(asked.key, reply.dot, asked.value)
        self.told[asked.key][asked.value] = None
        return Context(asked.key, reply.context, (asked.value, *asked.covers))

    def see(self, key: bytes, dot: str, value: bytes) -> None:
        """A dot names one value."""
        known = self.named.setdefault((key, dot), value)
        assert known == value, f"{dot} names {known!r} and {value!r}"

    def lost(self, key: bytes, held: list[bytes]) -> list[bytes]:
        """What a client was told is there, and is neither held nor covered by anything that is."""
        kept: dict[bytes, None] = {}
        pending = list(held)
        while pending:
            value = pending.pop()
            if value not in kept:
                kept[value] = None
                pending += self.covers.get(value, ())
        return [value for value in self.told[key] if value not in kept]


class Story(RuleBasedStateMachine):
    """What may happen, and what must hold all the while."""

    contexts: Bundle[Context] = Bundle("contexts")
    node_type: type[Node] = NODE

    @initialize(w=st.integers(1, 2), r=st.integers(1, 2))
    def begin(self, w: int, r: int) -> None:
        """Start the nodes."""
        self.cluster = Cluster(MEMBERS, self.node_type, n=2, r=r, w=w)
        self.model = Model()
        self.under_way: dict[int, Asked] = {}
        self.values = 0

    # --- clients ---

    @rule(target=contexts, place=places, key=keys, settle=st.booleans())
    def put(self, place: int, key: bytes, settle: bool) -> MultipleResults[Context]:
        """Write blindly."""
        return self._put(self._live(place), Context(key, b"", ()), settle)

    @rule(target=contexts, place=places, context=contexts, settle=st.booleans())
    def put_over(self, place: int, context: Context, settle: bool) -> MultipleResults[Context]:
        """Write with what was seen, now or long ago."""
        return self._put(self._live(place), context, settle)

    @rule(target=contexts, place=places, key=keys, settle=st.booleans())
    def get(self, place: int, key: bytes, settle: bool) -> MultipleResults[Context]:
        """Read."""
        return self._get(self._live(place), key, settle)

    def _live(self, place: int) -> str:
        """A node that can be asked; where all are down, one is started."""
        live = [name for name in MEMBERS if name not in self.cluster.down]
        if not live:
            self.cluster.restart(MEMBERS[0])
        return live[place % len(live)] if live else MEMBERS[0]

    def _put(self, at: str, context: Context, settle: bool) -> MultipleResults[Context]:
        self.values += 1
        value = f"v{self.values}".encode()
        self.model.covers[value] = context.covers
        asked = self.cluster.put(at, context.key, value, context=context.raw)
        self.under_way[asked] = Asked(context.key, value, context.covers)
        return self._hear(settle)

    def _get(self, at: str, key: bytes, settle: bool) -> MultipleResults[Context]:
        self.under_way[self.cluster.get(at, key)] = Asked(key)
        return self._hear(settle)

    @rule(target=contexts)
    def settle(self) -> MultipleResults[Context]:
        """Let everything arrive and be committed."""
        return self._hear(True)

    def _hear(self, settle: bool) -> MultipleResults[Context]:
        """Take in every answer that has come."""
        if settle:
            self.cluster.settle()
        heard = []
        for asked in [number for number in self.under_way if number in self.cluster.replies]:
            reply, request = self.cluster.replies[asked], self.under_way.pop(asked)
            assert isinstance(reply, Got | Written | Refused)
            if not isinstance(reply, Refused):
                heard.append(self.model.hear(request, reply))
        return multiple(*heard)

    # --- the network, the disk and the clock ---

    def _letter(self, place: int) -> Letter:
        return self.cluster.letters[place % len(self.cluster.letters)]

    def _some_letters(self) -> bool:
        return bool(self.cluster.letters)

    @precondition(_some_letters)
    @rule(place=places)
    def deliver(self, place: int) -> None:
        """Deliver a letter, in any order, as far as that can be done."""
        letter = self._letter(place)
        if (letter.sender, letter.to) in self.cluster.cut:
            self.cluster.drop(letter)
        elif letter.to not in self.cluster.down:
            self.cluster.deliver(letter)
        elif letter.sender not in self.cluster.down:
            self.cluster.bounce(letter)

    @precondition(_some_letters)
    @rule(place=places)
    def drop(self, place: int) -> None:
        """Lose a letter."""
        self.cluster.drop(self._letter(place))

    @precondition(_some_letters)
    @rule(place=places)
    def duplicate(self, place: int) -> None:
        """Have a letter arrive twice."""
        letter = self._letter(place)
        self.cluster.letters.append(Letter(letter.sender, letter.to, letter.message))

    @rule(name=names)
    def commit(self, name: str) -> None:
        """Make durable what a node has staged."""
        if self.cluster._bodies[name].barriers:
            self.cluster.commit(name)

    @rule(target=contexts, ms=st.sampled_from((60, 300, 1500)), settle=st.booleans())
    def elapse(self, ms: int, settle: bool) -> MultipleResults[Context]:
        """Let time pass, with or without anything arriving meanwhile."""
        self.cluster.elapse(ms, None if settle else _nothing)
        return self._hear(settle)

    # --- faults ---

    @rule(name=names)
    def crash(self, name: str) -> None:
        """End a node at once, or start it again on what it had committed."""
        if name in self.cluster.down:
            self.cluster.restart(name)
        else:
            self.cluster.crash(name)

    @rule(name=names)
    def isolate(self, name: str) -> None:
        """Cut a node off from the others."""
        self.cluster.cut += [link for other in MEMBERS if other != name for link in ((name, other), (other, name))]

    @rule(target=contexts, place=places, key=keys)
    def put_during_a_short_cut(self, place: int, key: bytes) -> MultipleResults[Context]:
        """Write at a node that has noticed that it is alone, and let it meet the others again: so fallbacks
        coordinate.
        """
        at = self._live(place)
        self.isolate(at)
        read = self._get(at, key, settle=True)
        self.cluster.elapse(1500)
        written = self._put(at, Context(key, b"", ()), settle=True)
        self.cluster.elapse(1500)
        self.heal()
        self.cluster.elapse(1500)
        return multiple(*read.values, *written.values, *self._hear(settle=True).values)

    @rule(source=names, to=names)
    def cut(self, source: str, to: str) -> None:
        """Cut one direction of one link."""
        self.cluster.cut.append((source, to))

    @rule()
    def heal(self) -> None:
        """Undo all cuts."""
        self.cluster.cut.clear()

    # --- what must hold ---

    @invariant()
    def durable_is_what_clients_were_told(self) -> None:
        """Whatever node dies now, the disks have every write that a client was told of, or one that had seen it."""
        held: dict[bytes, list[bytes]] = {key: [] for key in KEYS}
        for name in MEMBERS:
            for key, dot, value in self._on_disk(name):
                self.model.see(key, dot, value)
                held[key].append(value)
        for key in KEYS:
            lost = self.model.lost(key, held[key])
            assert not lost, f"{key!r}: {lost} acknowledged or read, and lost; the disks hold {held[key]}"

    def _on_disk(self, name: str) -> list[tuple[bytes, str, bytes]]:
        image = self.cluster.store(name).image
        records = [*image[Space.DATA].items()]
        records += [(entry.partition(b"\0")[2], raw) for entry, raw in image[Space.HINTS].items()]
        return [
            (key, str(sibling.dot), sibling.value)
            for key, raw in records
            for sibling in msgspec.msgpack.decode(raw, type=Record).versions.siblings
        ]

    def teardown(self) -> None:
        """Heal everything, wait, read every key from all of its replicas, and compare them."""
        if not hasattr(self, "cluster"):
            return
        self.cluster.cut.clear()
        for name in list(self.cluster.down):
            self.cluster.restart(name)
        self.cluster.settle()
        self.cluster.elapse(QUIET_MS)
        self._hear(True)
        assert not self.cluster.hints(), f"hints are left: {self.cluster.hints()}"
        for key in KEYS:
            self.cluster.get(MEMBERS[0], key, r=2)
            self.cluster.settle()
            self.cluster.elapse(QUIET_MS)
            one, two = (sorted(self.cluster.held(name, key)) for name in self.cluster.preference(key)[:2])
            assert one == two, f"the replicas of {key!r} differ: {one} and {two}"
            lost = self.model.lost(key, one)
            assert not lost, f"{key!r}: {lost} acknowledged or read, and lost; the replicas hold {one}"


def _nothing() -> None:
    """Neither deliver nor commit."""


def bounded(max_examples: int, **more: Any) -> settings:
    """The same examples every time, and so many of them."""
    return settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=max_examples,
        stateful_step_count=40,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def test_nothing_that_may_happen_costs_an_acknowledged_write() -> None:
    """Nor a dot that names two values, nor replicas that stay apart."""
    run_state_machine_as_test(Story, settings=bounded(200))


@pytest.mark.parametrize(
    ("bug", "says"),
    [
        (dropped_siblings, "acknowledged or read, and lost"),
        (epochless_fallback, r"handed out twice|names b'v|and lost"),
        (forgotten_hints, "hints are left"),
        (staged_read, "acknowledged or read, and lost"),
    ],
)
def test_a_planted_bug_is_found(bug: ModuleType, says: str) -> None:
    """The machine can fail: a node with one part replaced does not pass."""

    class Guilty(Story):
        """The same story with that node."""

        node_type = bug.NODE

    with pytest.raises(AssertionError, match=says):
        run_state_machine_as_test(Guilty, settings=bounded(2000, phases=[Phase.generate]))
