"""Anti-entropy, for as long as a node lives: rounds from peer to peer, what ends an exchange early, and the rebuild."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from node.core.anti_entropy import PAGE, anti_entropy, rebuild
from node.core.changes import History
from node.core.clocks import Clock
from node.core.conversations import Inbox, Kind
from node.core.messages import Declined, Differs, Fetch, Fetched, PeerAnswer, Pong, RootsQuery, TreeHashes
from node.core.trees import Trees
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import Cluster
from tests.node.core.pair import NEW, QUARTERS, RING, ROUND_MS, SETTLE_MS, Letter, alike, at_rest, version


def test_rounds_go_from_peer_to_peer_and_skip_those_that_are_down() -> None:
    """One exchange a round, each with the next peer that is up, about all partitions shared with it."""
    pair = alike(ends=QUARTERS)
    pair.n1.shared = lambda: [(QUARTERS[0], "n2"), (QUARTERS[1], "n3"), (QUARTERS[2], "n2"), (QUARTERS[0], "n4")]  # type: ignore[method-assign]
    pair.n1.detector.missed("n4")
    pair.begin(pair.n1, anti_entropy(pair.n1))
    asked = []
    for _ in range(10):
        pair.elapse(ROUND_MS, deliver=False)
        for letter in pair.letters:
            assert isinstance(letter.message, RootsQuery)
            asked.append((letter.to, letter.message.ends))
            pair.n1.hear(Letter(letter.to, "n1", Declined(letter.message.call, "busy")))
        pair.letters.clear()
    assert len(asked) == 10
    expected = [("n2", (QUARTERS[0], QUARTERS[2])), ("n3", (QUARTERS[1],))] * 6
    assert asked in (expected[:10], expected[1:11])
    assert pair.n1.exchanges.counts["aborted"] == 10
    assert sorted(pair.n1.exchanges.last) == ["n2", "n3"]


def test_nodes_do_not_begin_in_step() -> None:
    """Each begins at a time of its own within the first round, also when the whole cluster starts at once."""
    pair = alike()
    for side in (pair.n1, pair.n2):
        pair.begin(side, anti_entropy(side))
    first, second = (at_ns for at_ns, *_ in sorted(pair.timers))
    assert 0 < first < second - 1_000_000
    assert second <= ROUND_MS * 1_000_000


def test_there_are_no_rounds_while_the_trees_are_built_nor_with_nobody_to_ask() -> None:
    """The first exchange comes after the rebuild; a lone node has none."""
    pair = alike()
    pair.n1.trees.ready = False
    pair.begin(pair.n1, anti_entropy(pair.n1))
    pair.elapse(5 * ROUND_MS)
    assert pair.said == []
    pair.n1.trees.ready = True
    pair.shared = ()
    pair.elapse(5 * ROUND_MS)
    assert pair.said == []
    pair.shared = QUARTERS
    pair.elapse(5 * ROUND_MS)
    assert pair.n1.exchanges.counts["exchanges"] == 5


def test_anti_entropy_can_be_off() -> None:
    """A round every 0 ms is none at all."""
    pair = alike()
    pair.n1.config = replace(pair.n1.config, anti_entropy_ms=0)
    pair.begin(pair.n1, anti_entropy(pair.n1))
    pair.elapse(10 * ROUND_MS)
    assert (pair.said, pair.n1.conversations.open[Kind.REQUEST]) == ([], 0)


def test_a_rebuild_reads_the_store_in_pages_while_writes_go_on() -> None:
    """One slice a page, and the trees are those of whoever was there all the time, whatever was written meanwhile."""
    pair = alike(2 * PAGE + 10)
    for side in (pair.n1, pair.n2):
        side.replica.put(b"%04d-" % (PAGE - 1), NEW)
    fresh = pair.n1.trees = Trees(QUARTERS)
    pair.n1.replica.now_in(fresh)
    gate = Inbox[None]()
    pair.n1.slice = lambda task: gate.next()  # type: ignore[method-assign]
    pair.begin(pair.n1, rebuild(pair.n1))
    writes = [(b"0000", b"9998"), (b"1033", b"0001"), (b"0600", b"0002"), (b"0700", b"0700")]
    for put, gone in writes:
        assert not fresh.ready
        for side in (pair.n1, pair.n2):
            side.replica.put(put, version("y"))
            if gone in side.replica.held:
                side.replica.forget(gone)
        gate.put(None)
    assert fresh.ready
    assert pair.n1.conversations.open[Kind.REQUEST] == 0
    assert [fresh.root(end) for end in QUARTERS] == [pair.n2.trees.root(end) for end in QUARTERS]
    assert sum(map(fresh.count, QUARTERS)) == len(pair.n1.replica.held)


@pytest.mark.parametrize("delivered", range(14))
def test_a_peer_that_falls_silent_ends_the_exchange(delivered: int) -> None:
    """Wherever it happens: before the first answer, on the way down, at the second look or in the middle of repairs."""
    pair = alike(ends=(RING,))
    pair.n1.replica.put(b"0000", NEW)
    pair.n2.replica.put(b"0001", NEW)
    results = pair.exchange()
    for _ in range(delivered):
        if not pair.letters:
            pair.elapse(SETTLE_MS, deliver=False)
        pair.deliver(1)
    pair.letters.clear()
    for _ in range(4):
        pair.elapse(SETTLE_MS, deliver=False)
        pair.letters.clear()
    assert [result.aborted for result in results] == ["n2 did not answer"]
    assert not pair.n1.detector.is_up("n2")
    assert pair.n1.exchanges.counts["aborted"] == 1
    assert pair.n1.conversations.open[Kind.REQUEST] == 0

    pair.n1.detector.heard("n2")
    assert pair.run().aborted == ""
    at_rest(pair)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (lambda call: TreeHashes(call, (), ready=False), "n2 is still building its trees"),
        (lambda call: Differs(call, History()), "n2 knows another ring"),
        (lambda call: Declined(call, "why not"), "n2 declined: why not"),
        (lambda call: TreeHashes(call, (1,)), "n2 gave 1 hashes where there are 4"),
        (Pong, "n2 answered another question: Pong"),
    ],
)
def test_an_answer_that_is_amiss_ends_the_exchange(said: Callable[[int], PeerAnswer], reason: str) -> None:
    """It is counted, it says why, and nothing was compared."""
    pair = alike()
    results = pair.exchange()
    question = pair.letters.pop().message
    assert isinstance(question, RootsQuery)
    pair.n1.hear(Letter("n2", "n1", said(question.call)))
    assert [(result.aborted, result.roots) for result in results] == [(reason, 0)]
    assert pair.n1.exchanges.counts | {"exchanges": 1, "aborted": 1} == pair.n1.exchanges.counts


def test_a_peer_that_begins_to_rebuild_at_the_second_look_ends_the_exchange() -> None:
    """Trees that cover half a store would look like keys that are missing."""
    pair = alike()
    pair.n1.replica.put(b"0000", NEW)
    results = pair.exchange()
    pair.deliver()
    pair.n2.trees.ready = False
    pair.elapse(SETTLE_MS)
    assert [(result.aborted, result.moved) for result in results] == [("n2 is still building its trees", 0)]


def test_what_was_answered_counts_although_other_answers_are_missing() -> None:
    """One silence among many repairs: those that came are merged, and the next exchange does the rest."""
    pair = alike(ends=(RING,))
    for number in range(10):
        pair.n2.replica.put(b"%04d" % number, NEW)
    results = pair.exchange()
    pair.deliver()
    pair.elapse(SETTLE_MS, deliver=False)
    while not any(isinstance(letter.message, Fetched) for letter in pair.letters):
        pair.deliver(1)
    pair.letters = [letter for letter in pair.letters if isinstance(letter.message, Fetch | Fetched)][1:]
    pair.deliver()
    pair.elapse(SETTLE_MS)
    assert (results[0].aborted, results[0].repaired_here) == ("n2 did not answer", 9)
    assert len(pair.differing()) == 1
    assert pair.run().repaired_here == 1
    at_rest(pair)


def test_an_exchange_ends_although_its_question_never_leaves() -> None:
    """What is sent waits for what was staged before it; a disk that is stuck must not hold the exchange for ever."""
    pair = alike()
    pair.n1.stuck = True
    results = pair.exchange()
    pair.elapse(SETTLE_MS, deliver=False)
    assert [result.aborted for result in results] == ["n2 did not answer"]
    assert pair.n1.detector.is_up("n2"), "it was never asked"


def test_a_partition_that_is_no_longer_shared_is_not_repaired() -> None:
    """The ring changed while the exchange waited: the keys have gone elsewhere, and must not be fetched again."""
    pair = alike(ends=(RING,))
    for key in list(pair.n1.replica.held)[:10]:
        pair.n1.replica.forget(key)
    results = pair.exchange()
    pair.deliver()
    pair.shared = ()
    pair.elapse(SETTLE_MS)
    assert results[0].aborted == f"the partition that ends at {RING} is no longer shared with n2"
    assert pair.keys_of(Fetch) == []


# --- with real nodes -------------------------------------------------------------------------------------------------


def _written(keys: int) -> tuple[Cluster, list[bytes]]:
    """A cluster of five with so many keys, each of them on all of its three primaries."""
    cluster = Cluster(anti_entropy_ms=ROUND_MS)
    some = [b"%04d" % number for number in range(keys)]
    for key in some:
        cluster.put(cluster.preference(key)[0], key, key)
        cluster.settle()
    cluster.elapse(1000)
    assert sum(_held(cluster, some).values()) == 3 * keys
    return cluster, some


def _held(cluster: Cluster, keys: list[bytes]) -> dict[str, int]:
    """How many of these keys each node holds as they were written."""
    return {name: sum(cluster.held(name, key) == [key] for key in keys) for name in cluster.config.members}


def _moved(cluster: Cluster) -> int:
    counts = [cluster.node(name).exchanges.counts for name in cluster.config.members]
    return sum(each["repaired_here"] + each["repaired_there"] for each in counts)


def test_a_node_that_lost_its_disk_gets_everything_back() -> None:
    """Scenarios S33 and S34: restored to the exact count, without a single read; and then nothing is moved any more."""
    cluster, keys = _written(120)
    assert _moved(cluster) == 0
    before = _held(cluster, keys)
    assert before["n2"] > 40
    cluster.start("n2", MemoryStore())
    assert _held(cluster, keys)["n2"] == 0
    cluster.elapse(10 * ROUND_MS)
    assert _held(cluster, keys) == before
    moved = _moved(cluster)
    assert moved >= before["n2"]
    cluster.elapse(10 * ROUND_MS)
    assert _moved(cluster) == moved


def test_exchanges_end_while_a_replica_is_down_and_heal_it_when_it_is_back() -> None:
    """Scenario S35: they go on among the others, none hangs, and what the node missed without a hint it gets later."""
    cluster, keys = _written(30)
    cluster.crash("n2")
    cluster.elapse(5 * ROUND_MS)
    others = [cluster.node(name) for name in cluster.config.members if name != "n2"]
    assert all(node.exchanges.counts["exchanges"] > node.exchanges.counts["aborted"] for node in others)
    assert all(not node.detector.is_up("n2") for node in others if "n2" in node.exchanges.last)

    key = next(key for key in keys if "n2" in cluster.preference(key)[1:3])
    cluster.node(cluster.preference(key)[0]).replica.write(key, Clock(), b"beside")
    cluster.restart("n2")
    cluster.elapse(10 * ROUND_MS)
    assert [sorted(cluster.held(name, key)) for name in cluster.preference(key)[:3]] == [sorted([key, b"beside"])] * 3
