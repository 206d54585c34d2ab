"""What one node keeps, under which names it writes, and what a restart finds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.changes import History, Switch
from node.core.clocks import Clock, Dot
from node.core.replica import Replica
from node.core.store import Space
from node.core.versions import NOTHING, Versions, merge
from node.runtime.memory import MemoryStore

KEY = b"key"
NO_CONTEXT = Clock()


def _opened(store: MemoryStore, seed: int = 1) -> Replica:
    replica = Replica("n1", store, Random(seed), lambda: None, lambda _key, _versions: None)
    assert replica.open("a cluster") is None
    return replica


def _commit(store: MemoryStore) -> None:
    store.settle(store.seal())


def _reopened(store: MemoryStore, seed: int = 2) -> tuple[Replica, MemoryStore]:
    """The next life on what was committed."""
    after = MemoryStore(store.image)
    return _opened(after, seed), after


def _values(versions: Versions) -> list[bytes]:
    return [sibling.value for sibling in versions.siblings]


# --- incarnations ---


def test_every_start_is_another_incarnation() -> None:
    """What was staged and not committed may have been seen, and a copy of the disk may be somewhere else: no dot of an
    earlier life is minted again in any of these (hazards H03 and H22).
    """
    store = MemoryStore()
    replica = _opened(store)
    replica.write(KEY, NO_CONTEXT, b"committed")
    _commit(store)
    lost, _ = replica.write(KEY, NO_CONTEXT, b"lost in the crash")

    again, _ = _reopened(store)
    copy, _ = _reopened(store, seed=3)

    minted = [life.write(KEY, NO_CONTEXT, b"after")[0] for life in (again, copy)]
    assert len({replica.incarnation, again.incarnation, copy.incarnation}) == 3
    assert len({lost, *minted}) == 3


def test_lives_are_counted() -> None:
    """From one, and a life whose start was not committed does not count."""
    store = MemoryStore()
    assert _opened(store).life == 1
    _commit(store)
    again, _ = _reopened(store)
    assert again.life == 2
    unheard, _ = _reopened(store)
    assert unheard.life == 2


@pytest.mark.parametrize(("node", "cluster"), [("n2", "a cluster"), ("n1", "another")])
def test_a_disk_that_belongs_to_somebody_else_is_refused(node: str, cluster: str) -> None:
    """A node that ran on another's data would answer for it (hazard H22)."""
    store = MemoryStore()
    _opened(store)
    _commit(store)
    stranger = Replica(node, MemoryStore(store.image), Random(2), lambda: None, lambda _key, _versions: None)
    assert (
        stranger.open(cluster)
        == f"its data are those of n1 of cluster a cluster, and this is {node} of cluster {cluster}"
    )


def test_what_is_known_of_the_ring_is_kept() -> None:
    """A new life knows what the last one had committed, and an empty disk nothing."""
    store = MemoryStore()
    replica = _opened(store)
    assert replica.history() == History()
    known = History().with_switch(Switch(0, 8, 0, 1, "n2"))
    replica.keep_history(known)
    _commit(store)
    again, _ = _reopened(store)
    assert again.history() == known


def test_a_key_that_is_dropped_is_gone_and_whoever_watches_is_told() -> None:
    """Every change of a key's own record is told, hints are not; what is made again is of another epoch."""
    told: list[tuple[bytes, bool]] = []
    replica = Replica("n1", MemoryStore(), Random(1), lambda: None, lambda key, it: told.append((key, it is not None)))
    replica.open("a cluster")
    first, _ = replica.write(KEY, NO_CONTEXT, b"value")
    replica.write(KEY, NO_CONTEXT, b"value", hint_for="n2")
    replica.drop(KEY)
    assert told == [(KEY, True), (KEY, False)]
    assert replica.replicated(KEY) == NOTHING
    assert _values(replica.hinted("n2", KEY)) == [b"value"]
    second, _ = replica.write(KEY, NO_CONTEXT, b"value")
    assert second.actor != first.actor


def test_an_empty_disk_is_another_incarnation() -> None:
    """The node's name is the same, and what it wrote before is unknown to it."""
    assert _opened(MemoryStore(), seed=1).incarnation != _opened(MemoryStore(), seed=2).incarnation


# --- key epochs ---


def test_records_of_different_keys_have_different_epochs() -> None:
    """An epoch is drawn from the node's counter when a record is created, by a write or by a merge."""
    replica = _opened(MemoryStore())
    one, versions = replica.write(b"one", NO_CONTEXT, b"value")
    replica.merge(b"two", versions)
    two, _ = replica.write(b"two", NO_CONTEXT, b"value")
    hint, _ = replica.write(b"one", NO_CONTEXT, b"value", hint_for="n2")
    assert len({one.actor.epoch, two.actor.epoch, hint.actor.epoch}) == 3


def test_the_epoch_counter_is_kept_with_the_records() -> None:
    """It is committed with the record that uses it, and does not begin again."""
    store = MemoryStore()
    replica = _opened(store)
    first, _ = replica.write(b"one", NO_CONTEXT, b"value")
    _commit(store)

    again, _ = _reopened(store)

    second, _ = again.write(b"two", NO_CONTEXT, b"value")
    assert second.actor.epoch > first.actor.epoch


def test_a_hint_that_was_delivered_and_is_made_again_gets_another_epoch() -> None:
    """Without it a healthy fallback names two values by one dot, and a replica drops the second as already known."""
    replica = _opened(MemoryStore())
    first, delivered = replica.write(KEY, NO_CONTEXT, b"v1", hint_for="n2")
    assert replica.forget_hint("n2", KEY, delivered)

    second, hint = replica.write(KEY, NO_CONTEXT, b"v2", hint_for="n2")

    assert second != first
    assert _values(merge(delivered, hint)) == [b"v1", b"v2"]


def test_an_incoming_clock_ahead_of_ours_draws_an_epoch() -> None:
    """Others know more of our events than we do: our record went backwards, and counting on would repeat them."""
    replica = _opened(MemoryStore())
    first, _ = replica.write(KEY, NO_CONTEXT, b"one")
    forgotten = Dot(first.actor, 2)

    replica.merge(KEY, Versions(NO_CONTEXT.including(first).including(forgotten)))

    minted, _ = replica.write(KEY, NO_CONTEXT, b"again")
    assert minted.actor.epoch > first.actor.epoch


def test_a_context_ahead_of_our_record_draws_an_epoch() -> None:
    """A client has seen an event of ours that we have not."""
    replica = _opened(MemoryStore())
    first, _ = replica.write(KEY, NO_CONTEXT, b"one")
    ahead = NO_CONTEXT.including(Dot(first.actor, 7))

    minted, _ = replica.write(KEY, ahead, b"two")

    assert minted.actor.epoch > first.actor.epoch
    again, _ = replica.write(KEY, NO_CONTEXT, b"three")
    assert again == Dot(minted.actor, 2)


def test_an_ordinary_merge_keeps_the_epoch() -> None:
    """What others wrote, and our own events coming back, are no reason to begin a new one."""
    replica, other = _opened(MemoryStore()), _opened(MemoryStore(), seed=9)
    first, mine = replica.write(KEY, NO_CONTEXT, b"mine")
    _, theirs = other.write(KEY, NO_CONTEXT, b"theirs")

    replica.merge(KEY, theirs)
    replica.merge(KEY, mine)

    second, _ = replica.write(KEY, NO_CONTEXT, b"mine too")
    assert second == Dot(first.actor, 2)


def test_what_is_known_already_is_not_staged_again() -> None:
    """Replication is idempotent, and a repetition costs no sync."""
    store = MemoryStore()
    replica = _opened(store)
    _, versions = replica.write(KEY, NO_CONTEXT, b"value")
    _commit(store)

    replica.merge(KEY, versions)

    assert store.seal() == []


# --- hints ---


def test_hints_lie_apart_from_the_data() -> None:
    """“Nodes that receive hinted replicas will keep them in a separate local database” (Dynamo, 4.6)."""
    store = MemoryStore()
    replica = _opened(store)
    replica.write(KEY, NO_CONTEXT, b"value", hint_for="n2")
    assert store.scan(Space.DATA, b"", 10) == []
    assert [name for name, _ in store.scan(Space.HINTS, b"", 10)] == [b"n2\0key"]
    assert replica.replicated(KEY) == NOTHING
    assert _values(replica.hinted("n2", KEY)) == _values(replica.versions(KEY)) == [b"value"]


def test_a_node_knows_what_it_holds_as_a_replica_and_as_hints() -> None:
    """A read is answered with all of it, whomever it is for."""
    replica = _opened(MemoryStore())
    replica.write(KEY, NO_CONTEXT, b"own")
    replica.write(KEY, NO_CONTEXT, b"for n2", hint_for="n2")
    replica.write(KEY, NO_CONTEXT, b"for n3", hint_for="n3")
    replica.write(b"another key", NO_CONTEXT, b"other", hint_for="n3")
    assert sorted(_values(replica.versions(KEY))) == [b"for n2", b"for n3", b"own"]


def test_a_hint_is_forgotten_only_when_it_is_what_was_delivered() -> None:
    """A newer version may have come in between the delivery and its confirmation (hazard H08)."""
    replica = _opened(MemoryStore())
    _, delivered = replica.write(KEY, NO_CONTEXT, b"v1", hint_for="n2")
    _, newer = replica.write(KEY, NO_CONTEXT, b"v2", hint_for="n2")

    assert not replica.forget_hint("n2", KEY, delivered)
    assert _values(replica.hinted("n2", KEY)) == [b"v1", b"v2"]

    assert replica.forget_hint("n2", KEY, newer)
    assert replica.hinted("n2", KEY) == NOTHING
    assert replica.hints == {}


def test_hints_are_found_again_at_a_restart() -> None:
    """More than one page of them, and keys may have any bytes (hazard H07)."""
    store = MemoryStore()
    replica = _opened(store)
    keys = [b"\0odd\0key\0"] + [b"key %d" % number for number in range(600)]
    for key in keys:
        replica.write(key, NO_CONTEXT, b"value", hint_for="n2")
    replica.write(KEY, NO_CONTEXT, b"value", hint_for="n3")
    _commit(store)

    again, _ = _reopened(store)

    assert sorted(again.hints) == ["n2", "n3"]
    assert sorted(again.hints["n2"]) == sorted(keys)


def test_a_record_of_another_format_is_refused() -> None:
    """Rather than read wrongly."""
    store = MemoryStore()
    replica = _opened(store)
    replica.write(KEY, NO_CONTEXT, b"value")
    raw = store.get(Space.DATA, KEY)
    assert raw is not None
    store.stage(Space.DATA, KEY, raw[:1] + b"\x02" + raw[2:])
    with pytest.raises(AssertionError, match="has record format 2; this node reads 1"):
        replica.replicated(KEY)


steps = st.tuples(
    st.sampled_from(["write", "hint", "deliver", "deliver and forget", "tell", "commit", "crash", "leave"]),
    st.integers(0, 30),
)


@settings(max_examples=200)
@given(st.lists(steps, max_size=30))
def test_one_dot_names_one_value_for_ever(script: list[tuple[str, int]]) -> None:
    """A node writes as a replica and as a fallback, delivers hints and forgets them, crashes and leaves; another
    replica hears of some of it, but only of what was committed. No dot that could have been heard of is minted twice,
    and what is alive anywhere has the value that it was written with.
    """
    store, lives = MemoryStore(), 1
    replica, elsewhere = _opened(store), NOTHING
    committed: dict[Dot, bytes] = {}
    fresh: dict[Dot, bytes] = {}
    for number, (verb, choice) in enumerate(script):
        if verb in ("write", "hint"):
            context = elsewhere.clock if choice % 3 == 0 else NO_CONTEXT
            value = b"%d" % number
            dot, _ = replica.write(KEY, context, value, hint_for="n2" if verb == "hint" else None)
            assert dot not in committed | fresh
            fresh[dot] = value
        elif verb == "tell":
            replica.merge(KEY, elsewhere, hint_for="n2" if choice % 2 else None)
        if verb in ("commit", "deliver", "deliver and forget", "leave"):
            _commit(store)
            committed, fresh = committed | fresh, {}
        if verb.startswith("deliver"):
            hinted = replica.hinted("n2", KEY)
            elsewhere = merge(elsewhere, merge(hinted, replica.replicated(KEY) if choice % 2 else NOTHING))
            assert not verb.endswith("forget") or hinted == NOTHING or replica.forget_hint("n2", KEY, hinted)
        if verb in ("crash", "leave"):
            lives, fresh = lives + 1, {}
            replica, store = _reopened(store, lives)
    for sibling in merge(elsewhere, replica.versions(KEY)).siblings:
        assert sibling.value == (committed | fresh)[sibling.dot]
