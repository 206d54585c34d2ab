"""Sections 4.6 and 4.8.3, handling failures: sloppy quorums, hinted handoff, and local failure detection."""

from __future__ import annotations

import pytest

from node.core.messages import Ack, Ping
from tests.node.core.cluster import Cluster

KEY = b"key"


def test_d50_sloppy_quorum_uses_the_first_n_healthy_nodes() -> None:
    """“It uses a “sloppy quorum”; all read and write operations are performed on the first N healthy nodes from the
    preference list, which may not always be the first N nodes encountered while walking the consistent hashing ring.”
    """
    cluster = Cluster()
    a, b, c, d, e = cluster.preference(KEY)
    cluster.down = [b, c]
    for name in (b, c):
        cluster.node(a).detector.missed(name)

    put = cluster.put(a, KEY, b"value", w=3)
    cluster.settle()
    get = cluster.get(a, KEY, r=3)
    cluster.settle()

    healthy = {Ack(a), Ack(d, hint_for=b), Ack(e, hint_for=c)}
    assert set(cluster.written(put).acks) == healthy
    assert set(cluster.got(get).acks) == healthy
    assert [version.value for version in cluster.got(get).versions] == [b"value"]


def test_d50_sloppy_quorum_is_no_quorum() -> None:
    """The same words with the other edge (hazard H04): on both sides of a partition, each believing the other down,
    R + W > N writes and reads succeed, and the read does not see the write. Both are siblings afterwards.
    """
    cluster = Cluster()
    a, b, c, d, e = cluster.preference(KEY)
    left, right = (a, d), (b, c, e)
    cluster.cut = [(one, two) for one in left for two in right] + [(two, one) for one in left for two in right]
    one = cluster.put(a, KEY, b"left")
    two = cluster.put(b, KEY, b"right")
    cluster.settle()
    cluster.elapse(1000)
    cluster.written(one)
    cluster.written(two)
    get = cluster.get(c, KEY)
    cluster.settle()
    cluster.elapse(300)
    assert [version.value for version in cluster.got(get).versions] == [b"right"]

    cluster.cut = []
    cluster.elapse(5000)
    assert [sorted(cluster.held(name, KEY)) for name in (a, b, c)] == [[b"left", b"right"]] * 3


def test_d51_hinted_replica_lies_apart_names_its_recipient_and_is_delivered() -> None:
    """“The replica sent to D will have a hint in its metadata that suggests which node was the intended recipient of
    the replica (in this case A). Nodes that receive hinted replicas will keep them in a separate local database that is
    scanned periodically. Upon detecting that A has recovered, D will attempt to deliver the replica to A. Once the
    transfer succeeds, D may delete the object from its local store without decreasing the total number of replicas in
    the system.”
    """
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    cluster.crash(a)
    asker = cluster.put(b, KEY, b"value", w=3)
    cluster.settle()
    cluster.elapse(250)
    assert Ack(d, hint_for=a) in cluster.written(asker).acks
    assert cluster.hinted(d, a, KEY) == [b"value"]
    assert cluster.held(d, KEY) == []

    cluster.elapse(3000)
    assert cluster.hints() == [(d, a)], "A has not recovered"

    cluster.restart(a)
    cluster.settle()
    cluster.elapse(2000)
    assert [cluster.held(name, KEY) for name in (a, b, c)] == [[b"value"]] * 3
    assert cluster.hints() == []


@pytest.mark.parametrize("lost", range(1, 5))
def test_m8_with_w_1_a_write_is_rejected_only_if_all_nodes_are_down(lost: int) -> None:
    """“Applications that need the highest level of availability can set W to 1, which ensures that a write is accepted
    as long as a single node in the system has durably written the key it to its local store. Thus, the write request is
    only rejected if all nodes in the system are unavailable.”
    """
    cluster = Cluster()
    preference = cluster.preference(KEY)
    cluster.down = list(preference[:lost])
    survivor = preference[-1]
    for name in cluster.down:
        cluster.node(survivor).detector.missed(name)
    asker = cluster.put(survivor, KEY, b"value", w=1)
    cluster.settle()
    cluster.elapse(1000)
    cluster.written(asker)


def test_d54_local_failure_detection() -> None:
    """“Node A may consider node B failed if node B does not respond to node A's messages (even if B is responsive to
    node C's messages). [...] node A quickly discovers that a node B is unresponsive when B fails to respond to a
    message; Node A then uses alternate nodes to service requests that map to B's partitions; A periodically retries B
    to check for the latter's recovery. In the absence of client requests to drive traffic between two nodes, neither
    node really needs to know whether the other is reachable and responsive.” (4.8.3)
    """
    cluster = Cluster()
    a, b, c, d, _ = cluster.preference(KEY)
    cluster.cut = [(b, a)]
    cluster.elapse(5000)
    assert cluster.status(a).suspected == (), "no traffic, no need to know"

    put = cluster.put(a, KEY, b"value", w=3)
    cluster.settle()
    cluster.elapse(250)
    assert set(cluster.written(put).acks) == {Ack(a), Ack(c), Ack(d, hint_for=b)}
    assert cluster.status(a).suspected == (b,)

    cluster.get(c, KEY, r=3)
    cluster.settle()
    assert cluster.status(c).suspected == (), "B answers C, and that is nobody's business but C's"
    assert cluster.status(a).suspected == (b,)

    cluster.cut = []
    pings: list[str] = []

    def look() -> None:
        pings.extend(letter.to for letter in cluster.sent(Ping, a))
        cluster.settle()

    cluster.elapse(600, then=look)
    assert b in pings
    assert cluster.status(a).suspected == ()
