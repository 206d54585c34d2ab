"""The log engine crashed at random: what is acknowledged stays, whatever becomes of the rest; planted bugs are found.

The campaign, `tests/campaigns/log_crashes.py`, does the same ten thousand times and more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.files import Mount, SimFiles
from harness.sim.loop import virtual
from node.core.store import Space
from node.runtime.log_format import record
from node.runtime.log_segment import Segment
from node.runtime.log_snapshot import Compaction
from node.runtime.log_store import LogStore
from tests.campaigns.log_crashes import LIVES, complaints, tell
from tests.campaigns.log_story import FAULTS, Changes, Entries, Story, made_of

CRASHES = 60
STORIES = 300

changes = st.lists(
    st.tuples(
        st.sampled_from(Space),
        st.sampled_from([b"a", b"b", b"c"]),
        st.none() | st.sampled_from([b"", b"1", bytes(600)]),
    ),
    min_size=1,
    max_size=4,
)
steps = st.lists(
    st.one_of(
        changes,
        st.tuples(st.sampled_from(["crash", "kill", "write back", "staged"]), st.integers(0, 8_000_000)),
    ),
    max_size=25,
)


class Model:
    """One log on simulated files, and every state that it may be found in after its death."""

    def __init__(self, seed: int) -> None:
        self._loop = virtual()
        self._files = SimFiles(self._loop, "n1", Random(f"model:{seed}"))
        self.allowed: list[Entries] = [{}]
        self._open()

    def _open(self) -> None:
        self._store = LogStore(self._files.mount(), compact_bytes=1, slice_bytes=300)
        found = {(space, key): value for space in Space for key, value in self._store.scan(space, b"", 99)}
        assert found in self.allowed
        self._made = found

    def commit(self, batch: Changes) -> None:
        """Commit, and wait for it: nothing older is allowed any more."""
        self._stage(batch)
        durable = self._loop.create_future()
        self._store.commit(lambda: durable.set_result(None))
        self._loop.run_until_complete(durable)
        self._acknowledged()

    def die(self, how: str, after_ns: int) -> None:
        """Begin a commit and die some time after: it may have happened."""
        self._stage([(Space.META, b"dying", how.encode())])
        if how != "staged":
            self.allowed.append(self._made)
            self._store.commit(self._acknowledged)
        end = self._loop.create_future()
        self._loop.after(after_ns, lambda: end.set_result(None), "end")
        self._loop.run_until_complete(end)
        if how == "write back":
            self._files.write_back()
        if how == "kill":
            self._store.close()
        else:
            self._files.crash()
        self._open()

    def _acknowledged(self) -> None:
        self.allowed = [self._made]

    def _stage(self, batch: Changes) -> None:
        for space, key, value in batch:
            self._store.stage(space, key, value)
        self._made = made_of(self._made, batch)


@settings(max_examples=150, deadline=None)
@given(steps=steps, seed=st.integers(0, 1 << 32))
def test_after_any_death_the_state_is_that_of_whole_batches_up_to_one_not_acknowledged(
    steps: list[Any], seed: int
) -> None:
    """Every acknowledged batch is there, the one under way is there as a whole or not at all, and nothing else is."""
    model = Model(seed)
    for step in steps:
        if isinstance(step, tuple):
            model.die(*step)
        else:
            model.commit(step)
    model.die("crash", 0)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_promised_holds_under_each_fault(fault: Any) -> None:
    """A small campaign of each: nothing lost beyond what is allowed, nothing wrong ever, no false alarm."""
    told = tell(fault, CRASHES, 1)
    assert told.broken == []
    assert told.injected or not fault.effect


def test_a_story_repeats_itself() -> None:
    """The same seed, the same crashes, the same outcomes."""
    one, two = (tell(FAULTS[-1], CRASHES, 5) for _ in range(2))
    assert one == two


def test_the_control_loses_and_a_fault_that_never_was_is_a_complaint() -> None:
    """A campaign that could not see a loss, or that did nothing, is no proof."""
    lying = tell(FAULTS[-1], 10 * CRASHES, 1)
    assert lying.counts["lost"]
    assert complaints([(FAULTS[-1], lying)]) == []
    lying.counts["lost"] = lying.injected = 0
    assert [line.split(": ")[1] for line in complaints([(FAULTS[-1], lying)])] == [
        "never took effect",
        "nothing was lost, so a loss could not have been seen",
    ]


# --- planted bugs ---


def without_checksums(patch: pytest.MonkeyPatch) -> None:
    """Everything passes for what was written."""
    patch.setattr("node.runtime.log_format.crc32", lambda data, seed=0: 0)


def hasty(patch: pytest.MonkeyPatch) -> None:
    """Acknowledge before the sync."""

    def append(self: Any, sequence: int, parts: Iterable[bytes], synced: Callable[[], None]) -> None:
        data = record(self._seed, self.end, sequence, parts)
        self._disk.append(self._name, data)
        self.end += len(data)
        self._disk.sync(self._name, lambda error: None)
        synced()

    patch.setattr(Segment, "append", append)


def tidy_too_early(patch: pytest.MonkeyPatch) -> None:
    """Remove the old segments when the snapshot has been written, not when it is durable."""

    def written(self: Any) -> None:
        self._disk.rename(self._name + ".new", self._name)
        self._finished()

    patch.setattr(Compaction, "_written", written)


def snapshot_not_synced(patch: pytest.MonkeyPatch) -> None:
    """Name the snapshot without having synced it."""
    patch.setattr(Compaction, "_sync", lambda self, after: after())


def blind_to_later_records(patch: pytest.MonkeyPatch) -> None:
    """Take any damage in the last segment for a torn end."""
    patch.setattr("node.runtime.log_recovery.begun_after", lambda data, offset, seed: None)
    patch.setattr("node.runtime.log_recovery.marked", lambda data, seed: 0)


def blind_to_marks(patch: pytest.MonkeyPatch) -> None:
    """Do not look at how much was durable."""
    patch.setattr("node.runtime.log_recovery.marked", lambda data, seed: 0)


def trusting(patch: pytest.MonkeyPatch) -> None:
    """Take what the page cache shows for durable, and go on after it."""
    found = Segment.__init__

    def init(self: Any, disk: Mount, **options: Any) -> None:
        carried = options.pop("carried", None)
        if carried is not None:
            options["sequence"] += 1
            options["sealed"] += len(record(0, 0, 0, (carried,)))
        found(self, disk, **options)

    patch.setattr(Segment, "__init__", init)


def names_not_synced(patch: pytest.MonkeyPatch) -> None:
    """Open without making durable which names a killed life has left."""

    def opened(self: Any, found: Any) -> None:
        sync_names = self._disk.sync_names
        with suppress(AttributeError):
            self._disk.sync_names = lambda done: done(None)
        original(self, found)
        self._disk.sync_names = sync_names

    original = LogStore._open
    patch.setattr(LogStore, "_open", opened)


@pytest.mark.parametrize(
    ("bug", "fault", "said"),
    [
        (without_checksums, "none", "raised"),
        (hasty, "none", "was acknowledged"),
        (tidy_too_early, "none", "the file is missing"),
        (snapshot_not_synced, "none", "corrupt"),
        (blind_to_later_records, "bit rot, at rest", "was acknowledged"),
        (blind_to_marks, "truncation, at rest", "was acknowledged"),
        (trusting, "none", "corrupt"),
        (names_not_synced, "EIO at a sync", "the file is missing"),
    ],
)
def test_a_planted_bug_is_convicted(
    monkeypatch: pytest.MonkeyPatch, bug: Callable[[pytest.MonkeyPatch], None], fault: str, said: str
) -> None:
    """By a fault that it is no match for, within so many stories."""
    (wanted,) = [each for each in FAULTS if each.name == fault]
    bug(monkeypatch)
    broken = (line for seed in range(1, STORIES) for line in Story(wanted, seed).tell(LIVES).broken)
    assert any(said in line for line in broken)
