"""Contexts are opaque to clients, sealed to their key, and refused when they are not what was issued (Dynamo, 4.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.clocks import Clock, Dot
from node.core.contexts import BadContextError, _mac, seal, unseal
from tests.node.core.strategies import ACTORS, clocks

SECRET, KEY = b"secret", b"key"
CLOCK = Clock().including(Dot(ACTORS[0], 3))


@given(clocks, st.binary(), st.binary())
def test_a_context_opens_to_the_clock_that_was_sealed(clock: Clock, secret: bytes, key: bytes) -> None:
    """For any key and any secret."""
    assert unseal(secret, key, seal(secret, key, clock)) == clock


def test_the_empty_clock_is_the_empty_context() -> None:
    """Who has seen nothing carries nothing."""
    assert seal(SECRET, KEY, Clock()) == b""
    assert unseal(SECRET, KEY, b"") == Clock()


@given(clocks.filter(lambda clock: bool(clock.entries)), st.data())
def test_any_flipped_bit_is_refused(clock: Clock, data: st.DataObject) -> None:
    """Wherever it is flipped: “damaged” is never taken for “no context”, nor for another one."""
    context = bytearray(seal(SECRET, KEY, clock))
    bit = data.draw(st.integers(0, len(context) * 8 - 1))
    context[bit // 8] ^= 1 << bit % 8

    with pytest.raises(BadContextError):
        unseal(SECRET, KEY, bytes(context))


@given(clocks.filter(lambda clock: bool(clock.entries)), st.data())
def test_a_cut_or_lengthened_context_is_refused(clock: Clock, data: st.DataObject) -> None:
    """Every proper beginning but the empty one, and anything with more behind it."""
    context = seal(SECRET, KEY, clock)
    cut = data.draw(st.integers(1, len(context) - 1))

    for wrong in (context[:cut], context[cut:], context + b"\0"):
        with pytest.raises(BadContextError):
            unseal(SECRET, KEY, wrong)


def test_another_keys_context_is_refused() -> None:
    """It would claim to have seen events that this key never had."""
    with pytest.raises(BadContextError, match="another key or by another cluster"):
        unseal(SECRET, b"other", seal(SECRET, KEY, CLOCK))


def test_another_clusters_context_is_refused() -> None:
    """A cluster trusts what it sealed itself."""
    with pytest.raises(BadContextError, match="another key or by another cluster"):
        unseal(b"guess", KEY, seal(SECRET, KEY, CLOCK))


def test_the_border_between_key_and_context_cannot_be_moved() -> None:
    """The key's length is sealed too, so a byte cannot pass from one to the other."""
    context = seal(SECRET, b"key", CLOCK)
    with pytest.raises(BadContextError, match="damaged"):
        unseal(SECRET, b"key" + context[16:17], context[:16] + context[17:])


@pytest.mark.parametrize(
    ("body", "says"), [(b"\x02rest", "has format 2; this node reads format 1"), (b"\x01\xc1", "does not decode")]
)
def test_a_well_sealed_context_that_does_not_decode_is_refused(body: bytes, says: str) -> None:
    """One from another release of the same cluster, say."""
    with pytest.raises(BadContextError, match=says):
        unseal(SECRET, KEY, _mac(SECRET, KEY, body) + body)
