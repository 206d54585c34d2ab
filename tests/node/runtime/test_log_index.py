"""Keys in order, however they came and went."""

from __future__ import annotations

from itertools import islice
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from node.runtime.log_index import CHUNK, Index, SortedKeys

keys = st.binary(max_size=3)


@given(first=st.lists(keys, unique=True), changes=st.lists(st.tuples(keys, st.none() | keys)), after=st.none() | keys)
def test_an_index_is_a_map_in_order(
    first: list[bytes], changes: list[tuple[bytes, bytes | None]], after: bytes | None
) -> None:
    """It agrees with a dictionary, sorted, and with the sizes of what is in it."""
    model = dict.fromkeys(first, b"first")
    index = Index(dict(model))
    for key, value in changes:
        index.apply(key, value)
        model.pop(key, None)
        model |= {} if value is None else {key: value}
    assert list(index.window(None)) == sorted(model.items())
    assert list(index.window(after)) == [
        (key, value) for key, value in sorted(model.items()) if after is None or key > after
    ]
    assert index.bytes == sum(len(key) + len(value) for key, value in model.items())


def test_chunks_stay_short_however_keys_come() -> None:
    """In order, in reverse, and at random; and none is left when all have gone."""
    names = [b"%06d" % number for number in range(10 * CHUNK)]
    for coming in (names, names[::-1], Random("keys").sample(names, len(names))):
        ordered = SortedKeys()
        for name in coming:
            ordered.add(name)
        assert max(map(len, ordered._chunks)) <= 2 * CHUNK
        assert list(ordered.after(None)) == names
        assert list(islice(ordered.after(names[3 * CHUNK]), 5)) == names[3 * CHUNK + 1 : 3 * CHUNK + 6]
        for name in coming:
            ordered.remove(name)
        assert not ordered._chunks
        assert not ordered._lasts
