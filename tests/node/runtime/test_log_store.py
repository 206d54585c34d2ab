"""The log engine byte by byte: its format, what it notices, what it recovers, and in which order it asks the disk."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from node.core.store import Space
from node.runtime.disk import DiskError
from node.runtime.files import Files
from node.runtime.log_format import FORMAT
from node.runtime.log_store import SEGMENTS_MAX, LogStore
from node.runtime.ports import EngineError
from tests.node.runtime.tape import Tape

DATA = Space.DATA
SEGMENT, MARKS = "00000001.segment", "00000001.marks"


def commit(store: LogStore, *changes: tuple[bytes, bytes | None]) -> None:
    """Commit these changes of the data, and insist on the call back."""
    for key, value in changes:
        store.stage(DATA, key, value)
    done: list[bool] = []
    store.commit(lambda: done.append(True))
    assert done == [True]


def data(store: LogStore) -> dict[bytes, bytes]:
    """Everything in the data space."""
    return dict(store.scan(DATA, b"", 1 << 20))


def written(count: int, **options: Any) -> tuple[Tape, list[dict[bytes, bytes]]]:
    """A tape with so many batches, and what was to be read after each."""
    tape = Tape()
    store = LogStore(tape, **options)
    states = [data(store)]
    for number in range(count):
        commit(store, (b"k%d" % (number % 3), b"v%d" % number * 10), (b"gone", None if number % 2 else b"x"))
        states.append(data(store))
    return tape, states


def opened(files: dict[str, bytes]) -> dict[bytes, bytes] | str:
    """What a log on these files holds, or why it is refused."""
    try:
        return data(LogStore(Tape(files)))
    except EngineError as error:
        return str(error)


GOLDEN = {
    SEGMENT: bytes.fromhex(
        "6b65656c6861756c01000000010000000100000000000000010000000000000002000000000000000000000000000000"
        "000000000000000044000000000000003abcf800d54b486236000000010000000000000044000000000000000b3b9c3a"
        "52d0f38d000b00000003000000696e6361726e6174696f6e6162630103000000050000006b657976616c756501050000"
        "00000000006f74686572d54b48620c00000002000000000000009a00000000000000a688a60d7bf051f80103000000ff"
        "ffffff6b6579"
    ),
    MARKS: bytes.fromhex("9a0000000000000001ab042cc600000000000000884d8d2e"),
}


def test_the_first_format_stays_readable() -> None:
    """These bytes were written by the first version; whoever changes the format reads them all the same."""
    tape = Tape()
    store = LogStore(tape)
    store.stage(Space.META, b"incarnation", b"abc")
    commit(store, (b"key", b"value"), (b"other", b""))
    commit(store, (b"key", None))
    assert tape.files == GOLDEN
    again = LogStore(Tape(GOLDEN))
    assert data(again) == {b"other": b""}
    assert again.get(Space.META, b"incarnation") == b"abc"


def test_a_newer_format_is_refused() -> None:
    """Rather than read wrongly."""
    tape, _ = written(1)
    head = bytearray(tape.files[SEGMENT])
    head[8] = FORMAT + 1
    said = f"tape/{SEGMENT} has format {FORMAT + 1}; this node reads up to format {FORMAT}"
    assert opened({SEGMENT: bytes(head)}) == said


# --- damage ---


@pytest.mark.parametrize("options", [{}, {"compact_bytes": 1, "slice_bytes": 1}], ids=["segments", "snapshots too"])
def test_every_flipped_bit_is_noticed_or_does_no_harm(options: dict[str, int]) -> None:
    """One bit in each byte of each file: what is served afterwards is right and complete, or nothing is served."""
    tape, states = written(7, **options)
    refused = 0
    for name, content in tape.files.items():
        for at in range(len(content)):
            flipped = bytearray(content)
            flipped[at] ^= 1 << at % 8
            found = opened({**tape.files, name: bytes(flipped)})
            refusals = (f"{name} is corrupt at byte", f"{name} has format")
            assert found == states[-1] or any(refusal in found for refusal in refusals), f"{name}, byte {at}"
            refused += isinstance(found, str)
    assert refused > sum(map(len, tape.files.values())) * 0.7


@pytest.mark.parametrize("options", [{}, {"compact_bytes": 1, "slice_bytes": 1}], ids=["segments", "snapshots too"])
def test_every_truncation_is_noticed_or_does_no_harm(options: dict[str, int]) -> None:
    """Each file cut to each length, or gone altogether."""
    tape, states = written(7, **options)
    for name, content in tape.files.items():
        without = {other: kept for other, kept in tape.files.items() if other != name}
        for files in [without, *({**without, name: content[:length]} for length in range(len(content)))]:
            found = opened(files)
            assert found == states[-1] or "is corrupt at byte" in found, f"{name}, {len(files.get(name, b''))} bytes"


def test_without_its_mark_the_last_batch_cannot_be_told_from_a_torn_one() -> None:
    """What nobody can know: it is left out. Damage before it is noticed all the same, because the batch was begun."""
    tape, states = written(4)
    content = tape.files[SEGMENT]
    last = content.rindex(b"\xd5KHb")
    for at in range(len(content)):
        flipped = bytearray(content)
        flipped[at] ^= 1
        found = opened({SEGMENT: bytes(flipped)})
        assert found == states[-2] if at >= last else isinstance(found, str), f"byte {at}"


def test_a_batch_of_which_any_part_is_missing_is_torn() -> None:
    """Whatever sectors of the batch under way reached the disk, in whatever order: all before it is there."""
    tape, states = written(2)
    store = LogStore(tape)
    tape.fails = lambda call: "cut" if call.startswith("sync") else None
    with pytest.raises(DiskError):
        commit(store, *((b"big%d" % number, bytes([number]) * 500) for number in range(6)))
    name = "00000002.segment"
    content = tape.files[name]
    start = content.rindex(b"\xd5KHb")
    sectors = range(start - start % 512, len(content), 512)
    for kept in product([False, True], repeat=len(sectors)):
        torn = bytearray(content[:start].ljust(len(content), b"\0"))
        for at, keep in zip(sectors, kept, strict=True):
            if keep:
                torn[max(at, start) : at + 512] = content[max(at, start) : at + 512]
        found = opened({**tape.files, name: bytes(torn)})
        assert isinstance(found, dict)
        assert len(found) == len(states[-1]) + 6 * all(kept)


def test_zeros_after_the_end_mean_nothing() -> None:
    """Room made ahead for later batches, of which a dead life made no use."""
    tape, states = written(3)
    assert opened({**tape.files, SEGMENT: tape.files[SEGMENT] + bytes(5000)}) == states[-1]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda files: files.pop("00000002.segment"), "00000002.segment is corrupt at byte 0: the file is missing"),
        (
            lambda files: files.update({"00000002.segment": files["00000001.segment"]}),
            "00000002.segment is corrupt at byte 0: this is segment 1",
        ),
        (
            lambda files: files.update({SEGMENT: written(2)[0].files[SEGMENT][:-1] + b"\0"}),
            "00000001.segment is corrupt at byte ",
        ),
        (
            lambda files: files.update({SEGMENT: b""}),
            "00000001.segment is corrupt at byte 0: the file ends after 0 bytes, within its head",
        ),
    ],
    ids=["missing", "another's place", "a sealed segment", "empty"],
)
def test_a_refusal_names_file_offset_and_what_is_wrong(harm: Callable[[dict[str, bytes]], object], said: str) -> None:
    """In one line, for whoever has to mend it."""
    tape, _ = written(2)
    for _ in range(2):
        commit(LogStore(tape), (b"more", b"1"))
    harm(tape.files)
    found = opened(tape.files)
    assert isinstance(found, str)
    assert found.startswith(f"tape/{said}")


def test_files_of_another_store_are_noticed() -> None:
    """A segment that a restored backup, or somebody's hand, has left among ours."""
    tape, _ = written(1)
    LogStore(tape).close()
    other = Tape()
    other._drawn = 100
    commit(LogStore(other), (b"k", b"v"))
    LogStore(other).close()
    tape.files["00000002.segment"] = other.files["00000002.segment"]
    assert "00000002.segment is corrupt at byte 0: the file belongs to another store" in str(opened(tape.files))


# --- failures ---


@pytest.mark.parametrize("call", ["append 00000001.segment", "sync 00000001.segment", "append 00000001.marks"])
def test_a_disk_that_fails_is_the_end_and_what_was_acknowledged_stays(call: str) -> None:
    """The error says what failed; nothing is tried again; the next opening finds all that was acknowledged."""
    tape = Tape()
    store = LogStore(tape)
    commit(store, (b"before", b"1"))
    tape.fails = lambda made: "no space" if made == call else None
    with pytest.raises(EngineError, match=f"tape: {call}: no space"):
        commit(store, (b"after", b"2"))
    assert tape.calls.count(call) == 2
    tape.fails = lambda made: None
    assert data(LogStore(tape)) in ({b"before": b"1"}, {b"before": b"1", b"after": b"2"})


def test_an_opening_that_fails_lets_go_of_the_disk() -> None:
    """Whatever it was that failed."""
    tape, _ = written(1)
    tape.files[SEGMENT] = b"rubbish"
    with pytest.raises(EngineError):
        LogStore(tape)
    tape, _ = written(1)
    tape.fails = lambda call: "broken"
    with pytest.raises(DiskError):
        LogStore(tape)
    assert tape.calls[-1] == "close"


# --- the order of things ---


def test_a_commit_is_one_append_one_sync_and_a_mark() -> None:
    """The mark comes after the sync, and nobody waits for it."""
    tape, _ = written(1)
    store = LogStore(tape)
    tape.calls.clear()
    commit(store, (b"k", b"v"), (b"l", b"w"))
    assert tape.calls == ["append 00000002.segment", "sync 00000002.segment", "append 00000002.marks"]


def test_an_opening_makes_names_durable_then_its_segment_then_removes() -> None:
    """And a segment is synced before it gets its name."""
    tape, _ = written(1)
    tape.files["00000007.snapshot.new"] = b"never finished"
    tape.calls.clear()
    LogStore(tape)
    new = "00000002.segment.new"
    assert tape.calls == [
        *("remove 00000007.snapshot.new", "sync names", f"append {new}", f"sync {new}", f"rename {new}", "sync names")
    ]


def test_nothing_is_removed_before_the_snapshot_is_durable() -> None:
    """Synced, renamed, its name synced, and only then are the old segments removed."""
    tape, states = written(5, compact_bytes=1)
    calls = tape.calls
    named = calls.index("rename 00000002.snapshot.new")
    assert calls[named - 1 : named + 4] == [
        *("sync 00000002.snapshot.new", "rename 00000002.snapshot.new", "sync names"),
        *("remove 00000001.segment", "remove 00000001.marks"),
    ]
    assert opened(tape.files) == states[-1]


def test_a_log_that_is_written_over_does_not_grow() -> None:
    """It stays within a small multiple of what is alive, also across openings that write little."""
    tape = Tape()
    store = LogStore(tape, compact_bytes=20_000)
    longest = 0
    for number in range(2000):
        commit(store, (b"%d" % (number % 20), bytes(200)))
        longest = max(longest, sum(map(len, tape.files.values())))
    assert longest < 60_000
    for _ in range(3 * SEGMENTS_MAX):
        store = LogStore(tape, compact_bytes=20_000)
        commit(store, (b"opened", b"1"))
    assert len(tape.files) < 3 * SEGMENTS_MAX
    assert len(data(LogStore(tape))) == 21


def test_what_is_staged_while_a_snapshot_is_written_is_not_in_it_before_it_is_durable() -> None:
    """A slice may have seen what was never committed; then the snapshot waits for that commit."""
    tape = Tape()
    store = LogStore(tape, compact_bytes=1)
    commit(store, (b"a", b"1"))
    store.stage(DATA, b"a", b"2")
    store.commit(lambda: store.stage(DATA, b"b", b"never committed"))
    assert opened(tape.files) == {b"a": b"2"}


def test_an_empty_key_survives_compaction(tmp_path: Path) -> None:
    """It is greater than no key, so no page shows it; it is there all the same. On real files, for once."""
    store = LogStore(Files(tmp_path), compact_bytes=1)
    for number in range(4):
        commit(store, (b"", b"%d" % number))
    store.close()
    assert list(tmp_path.glob("*.snapshot"))
    again = LogStore(Files(tmp_path))
    assert again.get(DATA, b"") == b"3"
    again.close()
