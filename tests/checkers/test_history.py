"""A history comes back as it was written, and a damaged one is never taken for a whole one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.history import (
    Ack,
    Completed,
    DamagedHistoryError,
    Dumped,
    FaultChanged,
    Held,
    History,
    Invoked,
    NodeChanged,
    Outcome,
    PhaseBegan,
    Place,
    Record,
    RingTold,
    RunEnded,
    RunStarted,
    Sent,
    Settled,
    Version,
    encode,
    read,
)
from tests.checkers.story import OK, UNKNOWN, Story

_text = st.text(max_size=6)
_maybe = st.none() | _text
_at = st.integers(0, 2**62)
_versions = st.lists(st.builds(Version, dot=_text, value=_text), max_size=3).map(tuple)
_nodes = st.lists(_text, max_size=3).map(tuple)
_anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_text, inner, max_size=2),
    max_leaves=4,
)
_details = st.dictionaries(_text, _anything, max_size=2)
_acks = st.lists(st.builds(Ack, node=_text, hint_for=_maybe, durable=st.booleans()), max_size=2).map(tuple)
_held = st.lists(
    st.builds(Held, key=_text, primaries=_nodes, versions=_versions, hint_for=_maybe), max_size=2
).map(tuple)  # fmt: skip
_later: st.SearchStrategy[Record] = st.one_of(
    st.builds(PhaseBegan, at=_at, name=_text),
    st.builds(
        FaultChanged, at=_at, id=st.integers(0, 99), name=_text, event=_text, detail=_details,
        delivered=st.none() | st.booleans(), observed=_details,
    ),
    st.builds(NodeChanged, at=_at, node=_text, event=_text, detail=_details),
    st.builds(Dumped, at=_at, round=_text, node=_text, held=_held),
    st.builds(
        Settled, at=_at, round=_text, state=_text, waited_ns=_at,
        work=st.dictionaries(_text, st.dictionaries(_text, st.integers(0, 9), max_size=2), max_size=2),
    ),
    st.builds(
        RingTold, at=_at, round=_text, node=_text, ring=_text, n=st.integers(1, 9), moves=st.integers(0, 99),
        states=st.dictionaries(_text, _text, max_size=2), seats=st.lists(_nodes, max_size=2).map(tuple),
        places=st.dictionaries(_text, st.builds(Place, machine=_text, rack=_text, dc=_text), max_size=2),
        transfers=st.lists(
            st.builds(Sent, seat=_text, giver=_text, taker=_text, state=_text, keys=_at, sent=_at), max_size=2
        ).map(tuple),
        exchanges=st.dictionaries(_text, st.integers(0, 9), max_size=2),
    ),
    st.builds(RunEnded, at=_at, interrupted=_maybe),
)  # fmt: skip
_operation = st.tuples(
    st.builds(Invoked, at=_at, op=st.just("?"), client=_text, node=_text, f=_text, key=_text, value=_maybe,
              context_of=_maybe),
    st.none() | st.builds(Completed, at=_at, op=st.just("?"), outcome=st.sampled_from(Outcome), error=_maybe,
                          versions=_versions, dot=_maybe, coordinator=_maybe, acks=_acks, ring=_maybe),
)  # fmt: skip


@st.composite
def _histories(draw: st.DrawFn) -> list[Record]:
    run = st.builds(
        RunStarted, scenario=_text, system=_text, world=_text, workload=_text, seed=st.integers(0, 2**60),
        nodes=_nodes, n=st.integers(1, 9), r=st.integers(1, 9), w=st.integers(1, 9), faults=_nodes,
    )  # fmt: skip
    records: list[Record] = [draw(run)]
    for number, (invoked, completed) in enumerate(draw(st.lists(_operation, max_size=4))):
        records.append(msgspec.structs.replace(invoked, op=f"c{number}"))
        if completed is not None:
            records.append(msgspec.structs.replace(completed, op=f"c{number}"))
    return records + draw(st.lists(_later, max_size=6))


@settings(max_examples=150, deadline=None)
@given(_histories())
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> None:
    """Every record survives the round trip, whatever text is in it."""
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    path.write_bytes(b"".join(map(encode, records)))
    assert read(path).records == tuple(records)
    assert read(path).warnings == ()


@settings(max_examples=100, deadline=None)
@given(_histories(), st.data())
def test_a_cut_file_is_read_up_to_the_cut(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record], data: st.DataObject
) -> None:
    """Wherever a run was killed, whole lines are kept, and a torn one is left out with a warning."""
    path = tmp_path_factory.mktemp("history") / "history.jsonl"
    lines = [encode(record) for record in records]
    whole = b"".join(lines)
    kept = data.draw(st.integers(len(lines[0]), len(whole)))
    path.write_bytes(whole[:kept])
    history = read(path)
    ends = [sum(map(len, lines[: count + 1])) for count in range(len(lines))]
    assert history.records == tuple(record for record, end in zip(records, ends, strict=True) if end - 1 <= kept)
    torn = kept not in ends and kept + 1 not in ends
    assert bool(history.warnings) == torn


def _written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def _story_lines() -> list[bytes]:
    story = Story()
    story.put("a")
    story.get("a")
    return [encode(record) for record in story.records]


def test_a_torn_last_line_is_a_warning_that_names_it(tmp_path: Path) -> None:
    """The run was killed while writing: what came before is still a history."""
    lines = _story_lines()
    history = read(_written(tmp_path / "h.jsonl", *lines, b'{"type":"inv'))
    assert len(history.records) == len(lines)
    assert history.warnings == (f"{tmp_path / 'h.jsonl'}:{len(lines) + 1}: the last line is torn and was left out",)


@pytest.mark.parametrize(
    "damage", [b"not json\n", b'{"type":"nothing"}\n', b'{"type":"phase","at":"x"}\n', b"\n", b"\xff\n"]
)
def test_damage_inside_names_file_and_line(tmp_path: Path, damage: bytes) -> None:
    """Damage before the last line is not a torn write: the file cannot be believed."""
    lines = _story_lines()
    path = _written(tmp_path / "h.jsonl", *lines[:2], damage, *lines[2:])
    with pytest.raises(DamagedHistoryError, match=r"h\.jsonl:3: not a history record"):
        read(path)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ((0, 1, 1), r":3: operation c1\.1 is invoked twice"),
        ((0, 1, 2, 2), r":4: operation c1\.1 is completed twice"),
        ((0, 2), r":2: operation c1\.1 is completed but was never invoked"),
    ],
)
def test_an_operation_told_twice_or_half_is_damage(tmp_path: Path, order: tuple[int, ...], message: str) -> None:
    """Two tellings of one operation contradict each other, and no checker may pick one."""
    lines = _story_lines()
    with pytest.raises(DamagedHistoryError, match=message):
        read(_written(tmp_path / "h.jsonl", *(lines[number] for number in order)))


@pytest.mark.parametrize("start", [0, 1])
def test_a_history_begins_with_its_run(tmp_path: Path, start: int) -> None:
    """An empty file and one without its first record say which record is missing."""
    lines = _story_lines()[start:] if start else []
    with pytest.raises(DamagedHistoryError, match=r":1: a history begins with a record of type 'run'"):
        read(_written(tmp_path / "h.jsonl", *lines))


def test_another_format_is_refused(tmp_path: Path) -> None:
    """A format that this version does not know is never guessed at."""
    line = _story_lines()[0].replace(b'"format":1', b'"format":99')
    with pytest.raises(DamagedHistoryError, match="history format 99; this keelhaul reads format 1"):
        read(_written(tmp_path / "h.jsonl", line))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error says which file could not be read, and why."""
    with pytest.raises(DamagedHistoryError, match=r"gone\.jsonl: No such file"):
        read(tmp_path / "gone.jsonl")


def test_an_operation_without_completion_is_unknown() -> None:
    """It may have happened."""
    story = Story()
    story.put("a", answered=False)
    story.put("b", outcome=OK)
    assert [operation.outcome for operation in story.told().operations] == [UNKNOWN, OK]


def test_phases_and_end_are_found_by_time() -> None:
    """A time belongs to the last phase that began before it; a run that was killed has no end."""
    story = Story().phase("load").phase("stress")
    history = story.told()
    assert [history.phase_at(at) for at in (0, 10_000_000, 25_000_000)] == ["prepare", "load", "stress"]
    assert (history.ended, history.lasted_ns) == (None, 20_000_000)
    assert story.ended("SIGTERM").ended == RunEnded(at=30_000_000, interrupted="SIGTERM")


def test_a_history_without_a_run_says_so() -> None:
    """Whoever builds one in memory gets the same error as whoever reads one."""
    with pytest.raises(DamagedHistoryError, match="begins with a record of type 'run'"):
        _ = History([]).run
