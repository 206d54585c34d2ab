"""Versions of a key: what has been seen, and what of it is alive (Dynamo, 4.4)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.clocks import Actor, Clock, Dot
from node.core.versions import NOTHING, Versions, merge, write

REPLICAS = ("x", "y", "z")


@dataclass
class _World:
    """Three replicas, beside a model that remembers every write's true causal history as a set of writes.

    A context is held twice, as the clock that a client would carry and as the set of writes that it stands for.
    """

    versions: list[Versions] = field(default_factory=lambda: [NOTHING] * 3)
    known: list[frozenset[Dot]] = field(default_factory=lambda: [frozenset()] * 3)
    histories: dict[Dot, frozenset[Dot]] = field(default_factory=dict)
    contexts: list[tuple[Clock, frozenset[Dot]]] = field(default_factory=lambda: [(Clock(), frozenset())])
    minted: list[int] = field(default_factory=lambda: [0] * 3)

    def write(self, replica: int, context: int) -> None:
        """Write with one of the contexts that were ever handed out; its reply hands out another one."""
        clock, history = self.contexts[context % len(self.contexts)]
        self.minted[replica] += 1
        dot = Dot(Actor(REPLICAS[replica], "1", 1), self.minted[replica])
        self.versions[replica] = write(self.versions[replica], clock, dot, str(dot).encode())
        self.histories[dot] = history | {dot}
        self.known[replica] |= self.histories[dot]
        self.contexts.append((clock.including(dot), self.histories[dot]))

    def read(self, replica: int) -> None:
        """Read one replica: the context covers all that it has seen."""
        self.contexts.append((self.versions[replica].clock, self.known[replica]))

    def tell(self, source: int, target: int) -> None:
        """Merge what one replica has into another."""
        self.versions[target] = merge(self.versions[target], self.versions[source])
        self.known[target] |= self.known[source]

    def maximal(self, replica: int) -> list[Dot]:
        """What ought to be alive: the writes that no other known write has in its history."""
        known = self.known[replica]
        return sorted(dot for dot in known if not any(dot in self.histories[other] for other in known if other != dot))


indices = st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.just("write"), indices, st.integers(0, 40)),
    st.tuples(st.just("read"), indices, st.just(0)),
    st.tuples(st.just("tell"), indices, indices),
)


def _played(script: list[tuple[str, int, int]]) -> _World:
    world = _World()
    for verb, one, two in script:
        match verb:
            case "write":
                world.write(one, two)
            case "read":
                world.read(one)
            case "tell":
                world.tell(one, two)
    return world


@settings(max_examples=300)
@given(st.lists(steps, max_size=30))
def test_what_lives_is_the_maximal_elements_of_the_true_causal_history(script: list[tuple[str, int, int]]) -> None:
    """Whatever is written where, with whichever old or new context, and whoever told whom: no more and no less lives
    than what nobody has overwritten who had seen it.
    """
    world = _played(script)
    for replica in range(3):
        assert [sibling.dot for sibling in world.versions[replica].siblings] == world.maximal(replica)
        assert all(world.versions[replica].clock.covers(dot) for dot in world.known[replica])


@settings(max_examples=200)
@given(st.lists(steps, max_size=24))
def test_merge_is_a_semilattice(script: list[tuple[str, int, int]]) -> None:
    """Commutative, associative and idempotent, so replication, hints and repairs may come in any order and twice."""
    x, y, z = _played(script).versions
    assert merge(x, y) == merge(y, x)
    assert merge(merge(x, y), z) == merge(x, merge(y, z))
    assert merge(x, x) == x
    assert merge(merge(x, y), y) == merge(x, y)
    assert merge(x, NOTHING) == merge(NOTHING, x) == x


def _dot(node: str, counter: int) -> Dot:
    return Dot(Actor(node, "1", 1), counter)


def _values(versions: Versions) -> list[bytes]:
    return [sibling.value for sibling in versions.siblings]


def test_a_blind_write_stands_beside_what_is_there() -> None:
    """Without a context nothing is replaced: the writer had seen nothing."""
    first = write(NOTHING, Clock(), _dot("x", 1), b"one")
    assert _values(write(first, Clock(), _dot("x", 2), b"two")) == [b"one", b"two"]


def test_interleaved_writers_through_one_node_do_not_pile_up_siblings() -> None:
    """Two clients that each follow their own last write through one coordinator leave two siblings, not a hundred:
    the sibling explosion of server-side vector clocks (hazard H01).
    """
    versions, contexts = NOTHING, [Clock(), Clock()]
    for number in range(1, 101):
        client, dot = number % 2, _dot("x", number)
        versions = write(versions, contexts[client], dot, b"value")
        contexts[client] = contexts[client].including(dot)
    assert len(versions.siblings) == 2


def test_a_put_context_spares_siblings_with_smaller_counters() -> None:
    """The dot of a write says nothing of the events before it: who had not seen them does not replace them."""
    versions = write(NOTHING, Clock(), _dot("x", 1), b"unseen")
    versions = write(versions, Clock(), _dot("x", 2), b"mine")
    mine = Clock().including(_dot("x", 2))

    assert _values(write(versions, mine, _dot("x", 3), b"mine again")) == [b"unseen", b"mine again"]


def test_a_version_that_was_overwritten_elsewhere_does_not_come_back() -> None:
    """Who still has it learns of its death from a clock that covers it."""
    old = write(NOTHING, Clock(), _dot("x", 1), b"old")
    new = write(old, old.clock, _dot("x", 2), b"new")
    assert _values(merge(new, old)) == _values(merge(old, new)) == [b"new"]
