"""The ring: MD5 positions, Q partitions dealt to S nodes, a preference list for every key (Dynamo, 4.2 and 6.2)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.ring import Ring, position

MEMBERS = tuple(f"n{number}" for number in range(1, 8))


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", 0xD41D8CD98F00B204E9800998ECF8427E),
        (b"a", 0x0CC175B9C0F1B6A831C399E269772661),
        (b"abc", 0x900150983CD24FB0D6963F7D28E17F72),
        (b"message digest", 0xF96B697D7CB7938D525A2F31AAF161D0),
    ],
)
def test_a_position_is_the_md5_of_the_key(text: bytes, digest: int) -> None:
    """“Dynamo applies a MD5 hash on the key to generate a 128-bit identifier” (4.1); the vectors are RFC 1321's."""
    assert position(text) == digest


@pytest.mark.parametrize(("key", "partition"), [(b"", 53), (b"a", 3), (b"abc", 36), (b"message digest", 62)])
def test_a_partition_is_the_first_bits_of_the_position(key: bytes, partition: int) -> None:
    """With Q = 64 the top six bits, read off RFC 1321's digests by hand: d4 is 53, 0c is 3, 90 is 36, f9 is 62."""
    assert Ring(MEMBERS, 64).partition(key) == partition


@given(st.binary(), st.integers(7, 200))
def test_partitions_are_equal_ranges_of_the_whole_ring(key: bytes, partitions: int) -> None:
    """Partition k is [k/Q, (k+1)/Q) of the 128-bit circle, also where Q is no power of two."""
    partition = Ring(MEMBERS, partitions).partition(key)
    assert partition * 2**128 <= position(key) * partitions < (partition + 1) * 2**128


@given(st.permutations(MEMBERS))
def test_the_ring_is_a_function_of_the_members_in_any_order(members: list[str]) -> None:
    """Nobody needs to be told the ring who knows the members."""
    one, two = Ring(members, 64), Ring(MEMBERS, 64)
    assert one.owners == two.owners
    assert one.digest == two.digest


def test_other_members_or_other_partitions_are_another_ring() -> None:
    """And their digests say so."""
    digests = [Ring(MEMBERS, 64).digest, Ring(MEMBERS[1:], 64).digest, Ring(MEMBERS, 65).digest]
    assert len(set(digests)) == 3
    assert Ring(("ab", "c"), 4).digest != Ring(("a", "bc"), 4).digest


@given(st.integers(1, 40), st.integers(0, 200))
def test_every_node_owns_q_over_s_partitions(size: int, more: int) -> None:
    """“Each node is assigned Q/S tokens” (6.2): where S does not divide Q, one more for some and never two."""
    members = [f"n{number}" for number in range(size)]
    owned = Counter(Ring(members, size + more).owners)

    share = (size + more) // size
    assert sorted(owned) == sorted(members)
    assert set(owned.values()) <= {share, share + 1}
    assert list(owned.values()).count(share + 1) == (size + more) % size


@given(st.integers(1, 20), st.integers(0, 100), st.binary())
def test_a_preference_list_has_every_node_once(size: int, more: int, key: bytes) -> None:
    """“The preference list contains only distinct physical nodes” (4.3), and more than N of them: here all."""
    members = [f"n{number}" for number in range(size)]
    assert sorted(Ring(members, size + more).preference_list(key)) == sorted(members)


@given(st.binary())
def test_a_preference_list_is_the_walk_clockwise_from_the_key(key: bytes) -> None:
    """The owner of the key's partition first, then each further node as its first partition is met (4.2, 4.3)."""
    ring = Ring(MEMBERS, 64)
    walk = [ring.owners[(ring.partition(key) + step) % 64] for step in range(64)]
    assert list(ring.preference_list(key)) == sorted(set(walk), key=walk.index)


def test_the_load_of_a_node_that_is_down_spreads_over_the_others() -> None:
    """“If a node becomes unavailable [...] the load handled by this node is evenly dispersed across the remaining
    available nodes” (4.2): whoever is lost, every other node is the first to stand in somewhere.
    """
    ring = Ring(MEMBERS, 210)
    keys = [str(number).encode() for number in range(5000)]
    for lost in MEMBERS:
        heirs = Counter(ring.preference_list(key)[1] for key in keys if ring.preference_list(key)[0] == lost)
        assert sorted(heirs) == sorted(set(MEMBERS) - {lost})
        assert max(heirs.values()) < sum(heirs.values()) / 2
