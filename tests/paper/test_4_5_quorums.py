"""Section 4.5, execution of get and put: who is asked, how many must answer, and what is told to the client."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from node.core.messages import Ack, Fetch, Fetched, Replicate, Stored
from tests.node.core.cluster import Cluster

KEY = b"key"
ALL_UP = ("n1", "n2", "n3")
R_AND_W = [(r, w) for r, w in product((1, 2, 3), repeat=2)]


def _write_through(cluster: Cluster, coordinator: str, replicas: tuple[str, ...], w: int) -> None:
    """An acknowledged put whose every other message is lost: only these replicas have it."""
    asker = cluster.put(coordinator, KEY, b"value", w=w)
    cluster.commit(coordinator)
    for name in replicas:
        if name != coordinator:
            cluster.deliver(*cluster.sent(Replicate, to=name))
            cluster.commit(name)
    cluster.deliver(*cluster.sent(Stored))
    assert {ack.node for ack in cluster.written(asker).acks} == set(replicas)
    cluster.drop(*cluster.letters)


def _read_from(cluster: Cluster, coordinator: str, replicas: tuple[str, ...], r: int) -> list[bytes]:
    """A get that is answered from these replicas and no others."""
    asker = cluster.get(coordinator, KEY, r=r)
    for name in replicas:
        if name != coordinator:
            cluster.deliver(*cluster.sent(Fetch, to=name))
    cluster.deliver(*cluster.sent(Fetched))
    got = cluster.got(asker)
    assert {ack.node for ack in got.acks} == set(replicas)
    return [version.value for version in got.versions]


@pytest.mark.parametrize(("r", "w"), R_AND_W)
def test_d44_r_plus_w_greater_than_n_makes_quorums_meet(r: int, w: int) -> None:
    """“Setting R and W such that R + W > N yields a quorum-like system.” With all primaries up: whichever W replicas
    took a write and whichever R answer the next read, the read sees it if R + W > N; and if not, some read does not.
    """
    seen = []
    for written in combinations(ALL_UP, w):
        for read in combinations(ALL_UP, r):
            cluster = Cluster(ALL_UP)
            _write_through(cluster, written[0], written, w)
            seen.append(_read_from(cluster, read[0], read, r) == [b"value"])
    assert all(seen) == (r + w > 3)


def test_d43_a_get_asks_the_n_highest_ranked_reachable_nodes_and_waits_for_r() -> None:
    """“The coordinator requests all existing versions of data for that key from the N highest-ranked reachable nodes in
    the preference list for that key, and then waits for R responses before returning the result to the client. If the
    coordinator ends up gathering multiple versions of the data, it returns all the versions it deems to be causally
    unrelated.”
    """
    cluster = Cluster()
    a, b, c, d, e = cluster.preference(KEY)
    cluster.node(e).detector.missed(b)
    asker = cluster.get(e, KEY)
    assert [letter.to for letter in cluster.sent(Fetch)] == [a, c, d]

    cluster.put(a, KEY, b"one", w=1)
    cluster.put(c, KEY, b"two", w=1)
    cluster.commit(a, c)
    cluster.deliver(*cluster.sent(Fetch, to=a))
    cluster.deliver(*cluster.sent(Fetched))
    assert asker not in cluster.replies
    cluster.deliver(*cluster.sent(Fetch, to=c))
    cluster.deliver(*cluster.sent(Fetched))
    assert sorted(version.value for version in cluster.got(asker).versions) == [b"one", b"two"]


def test_d42_a_put_is_written_locally_and_sent_to_the_n_highest_ranked_reachable_nodes() -> None:
    """“The coordinator generates the vector clock for the new version and writes the new version locally. The
    coordinator then sends the new version (along with the new vector clock) to the N highest-ranked reachable nodes. If
    at least W-1 nodes respond then the write is considered successful.”
    """
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    cluster.node(a).detector.missed(b)
    asker = cluster.put(a, KEY, b"value")
    assert cluster.held(a, KEY) == [b"value"]
    cluster.commit(a)
    assert [letter.to for letter in cluster.sent(Replicate)] == [c, d]

    cluster.deliver(*cluster.sent(Replicate, to=c))
    cluster.commit(c)
    cluster.deliver(*cluster.sent(Stored))
    assert cluster.written(asker).acks == (Ack(a), Ack(c))


def test_d46_read_repair_after_the_reply() -> None:
    """“After the read response has been returned to the caller the state machine waits for a small period of time to
    receive any outstanding responses. If stale versions were returned in any of the responses, the coordinator updates
    those nodes with the latest version. This process is called read repair” (5).
    """
    cluster = Cluster(ALL_UP)
    a, b, c = cluster.preference(KEY)
    _write_through(cluster, a, (a, b), 2)
    asker = cluster.get(a, KEY)
    cluster.deliver(*cluster.sent(Fetch))
    cluster.deliver(*cluster.sent(Fetched, b))
    cluster.got(asker)
    assert cluster.sent(Replicate) == [], "the reply comes first"

    cluster.deliver(*cluster.sent(Fetched, c))
    assert [letter.to for letter in cluster.sent(Replicate)] == [c]
    cluster.deliver(*cluster.sent(Replicate))
    assert cluster.held(c, KEY) == [b"value"]
