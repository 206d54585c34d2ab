"""The debug port shows everything that is held and under way, and changes nothing."""

from __future__ import annotations

import pytest

from node.core import debug
from node.core.clocks import Clock
from node.core.messages import DumpPage, DumpQuery
from node.core.store import Space
from tests.node.core.cluster import Cluster

KEY = b"key"


def _filled() -> Cluster:
    """A cluster whose n1 holds five keys as a replica and two hints, one of them for a key with odd bytes."""
    cluster = Cluster()
    replica = cluster.node("n1").replica
    for number in range(5):
        replica.write(b"k%d" % number, Clock(), b"value")
    replica.write(b"k1", Clock(), b"hinted", hint_for="n2")
    replica.write(b"\0odd", Clock(), b"hinted", hint_for="n3")
    return cluster


@pytest.mark.parametrize("limit", [0, 1, 2, 5, 7, 256])
def test_a_dump_has_every_key_once_whatever_the_page(limit: int) -> None:
    """The data first, then the hints; a page that ends exactly with a space is followed by one that begins the next.
    A limit of nothing is a limit of one.
    """
    node = _filled().node("n1")
    held: list[tuple[bytes, str | None]] = []
    page = debug.dump(node, DumpQuery(b"", limit))
    held += [(entry.key, entry.hint_for) for entry in page.held]
    while page.next:
        page = debug.dump(node, DumpQuery(page.next, limit))
        held += [(entry.key, entry.hint_for) for entry in page.held]
    assert held == [(b"k%d" % number, None) for number in range(5)] + [(b"k1", "n2"), (b"\0odd", "n3")]


def test_a_dump_says_whose_key_it_is_and_what_lives() -> None:
    """The primaries, by the ring, and each sibling's dot and value."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    asker = cluster.put(a, KEY, b"value")
    cluster.settle()
    ((entry),) = debug.dump(cluster.node(a), DumpQuery()).held
    assert entry.primaries == cluster.preference(KEY)[:3]
    assert [(version.dot, version.value) for version in entry.versions] == [(cluster.written(asker).dot, b"value")]


def test_a_page_ends_before_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must fit in a message; one entry is always in it, however large."""
    monkeypatch.setattr(debug, "PAGE_BYTES", 10)
    node = _filled().node("n1")
    assert [entry.key for entry in debug.dump(node, DumpQuery()).held] == [b"k0", b"k1"]
    monkeypatch.setattr(debug, "PAGE_BYTES", 1)
    assert [entry.key for entry in debug.dump(node, DumpQuery()).held] == [b"k0"]


def test_a_page_has_no_more_keys_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for, and the next page goes on from there."""
    monkeypatch.setattr(debug, "PAGE_KEYS_MAX", 2)
    node = _filled().node("n1")
    page = debug.dump(node, DumpQuery(b"", 1 << 40))
    assert [entry.key for entry in page.held] == [b"k0", b"k1"]
    assert [entry.key for entry in debug.dump(node, DumpQuery(page.next, 3)).held] == [b"k2", b"k3"]


def test_after_what_was_no_page_there_is_nothing() -> None:
    """A question from outside that makes no sense does not end the node."""
    assert debug.dump(_filled().node("n1"), DumpQuery(b"\x07rubbish")) == DumpPage((), b"")


def test_looking_stages_nothing() -> None:
    """Neither coordinating nor repairing."""
    cluster = _filled()
    store = cluster.store("n1")
    store.settle(store.seal())
    debug.dump(cluster.node("n1"), DumpQuery())
    debug.status(cluster.node("n1"))
    assert store.seal() == []
    assert len(store.scan(Space.DATA, b"", 100)) == 5


def test_the_answer_is_released_like_all_others() -> None:
    """What it shows may be staged, so it waits for the commit."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    cluster.put(a, KEY, b"value")
    asker = cluster.ask(a, DumpQuery())
    assert asker not in cluster.replies
    cluster.commit(a)
    assert isinstance(cluster.replies[asker], DumpPage)


def test_status_counts_what_is_under_way() -> None:
    """Requests, hints, staged barriers and held commands: all zero is quiet."""
    cluster = Cluster()
    a, *_ = cluster.preference(KEY)
    assert set(cluster.status(a).work.values()) == {0}

    cluster.put(a, KEY, b"value")
    work = debug.status(cluster.node(a)).work
    assert {name: count for name, count in work.items() if count} == {"requests": 1, "staged": 1, "held": 2}, (
        "two replicas are about to be asked"
    )

    cluster.settle()
    assert set(cluster.status(a).work.values()) == {0}
    assert cluster.status(a).incarnation == cluster.node(a).replica.incarnation
    assert cluster.status(a).commits > 0
