"""The simulated disk: what a power failure may leave, what a killed process leaves, and every fault in its effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import pytest

from harness.sim.files import Mount, SimFiles
from harness.sim.loop import NS, SimLoop, virtual
from harness.sim.sectors import SECTOR
from node.runtime.disk import DiskError

Told = list[DiskError | None]


def disk(seed: int = 1) -> SimFiles:
    """An empty disk on a loop of its own."""
    return SimFiles(virtual(), "n1", Random(f"files:{seed}"))


def wait(loop: SimLoop, ns: int = NS) -> int:
    """Let so much virtual time pass; returns what time it is then."""
    end = loop.create_future()
    loop.after(ns, lambda: end.set_result(None), "end")
    loop.run_until_complete(end)
    return loop.now_ns


def synced(mount: Mount, files: SimFiles, *names: str) -> Told:
    """Sync these files and all names, and wait; returns what each was told, in this order."""
    told: dict[str, DiskError | None] = {}
    for name in names:
        mount.sync(name, partial(told.__setitem__, name))
    mount.sync_names(partial(told.__setitem__, "."))
    wait(files.loop)
    return [told[name] for name in (*names, ".")]


def test_a_sync_takes_time_and_what_it_covers_survives() -> None:
    """Bytes appended and names made before it; what came later may be lost."""
    files = disk()
    mount = files.mount()
    told: Told = []
    mount.append("a", b"durable")
    mount.sync("a", told.append)
    mount.sync_names(told.append)
    assert told == []
    wait(files.loop)
    assert told == [None, None]
    for _ in range(20):
        files.mount().append("a", b"later")
        files.crash()
        assert files.read("a").startswith(b"durable")


def test_a_sync_covers_only_what_was_there_when_it_began() -> None:
    """What is appended while it is under way needs another one."""
    lost = 0
    for seed in range(20):
        files = disk(seed)
        mount = files.mount()
        mount.append("a", b"before")
        mount.sync_names(lambda error: None)
        mount.sync("a", lambda error: None)
        mount.append("a", b"after")
        wait(files.loop)
        files.crash()
        assert files.read("a")[:6] == b"before"
        lost += files.read("a") != b"beforeafter"
    assert 0 < lost < 20


def test_a_power_failure_keeps_any_sectors_of_what_was_not_synced() -> None:
    """None, all, the first ones, a torn one, or any: each is seen, and nothing that was never written."""
    content = b"".join(bytes([number]) * SECTOR for number in range(1, 7))
    seen: Counter[str] = Counter()
    whole = set()
    for seed in range(200):
        files = disk(seed)
        mount = files.mount()
        mount.append("a", b"")
        synced(mount, files, "a")
        mount.append("a", content)
        files.crash()
        left = files.read("a")
        seen.update(files.effects)
        assert all(one in (0, other) for one, other in zip(left, content, strict=False))
        whole.add(tuple(left[at : at + SECTOR] == content[at : at + SECTOR] for at in range(0, len(content), SECTOR)))
    assert {f"kept {kept}" for kept in ("none", "all", "first", "torn", "any")} <= set(seen)
    assert len(whole) > 20


def test_names_that_were_not_synced_are_kept_or_lost_each_for_itself() -> None:
    """One made, one changed and one removed: all eight ways are seen."""
    ways = set()
    for seed in range(100):
        files = disk(seed)
        mount = files.mount()
        mount.append("old", b"")
        mount.append("gone", b"")
        synced(mount, files, "old", "gone")
        mount.append("made", b"")
        mount.rename("old", "new")
        mount.remove("gone")
        assert mount.names() == ["made", "new"]
        files.crash()
        names = files.names()
        assert ("old" in names) != ("new" in names)
        ways.add(("made" in names, "new" in names, "gone" in names))
    assert len(ways) == 8


def test_a_killed_process_loses_nothing_that_it_wrote() -> None:
    """The kernel has it; a power failure may still take it."""
    files = disk()
    mount = files.mount()
    mount.append("a", b"written")
    mount.close()
    assert files.mount().read("a") == b"written"
    assert any(not _survives(seed) for seed in range(20))


def _survives(seed: int) -> bool:
    files = disk(seed)
    files.mount().append("a", b"written")
    files.mount()
    files.crash()
    return files.names() == ["a"] and files.read("a") == b"written"


@pytest.mark.parametrize("end", [SimFiles.crash, SimFiles.mount, SimFiles.wipe, lambda files: None])
def test_a_dead_life_is_told_nothing_and_does_nothing(end: Callable[[SimFiles], object]) -> None:
    """Neither the sync that it waited for, nor whatever it still asks for, has an effect."""
    files = disk()
    mount = files.mount()
    told: Told = []
    mount.append("a", b"1")
    mount.sync("a", told.append)
    if end(files) is None and files.life == 1:
        mount.close()
    before = (files.names(), [files.read(name) for name in files.names()])
    mount.append("b", b"2")
    mount.remove("a")
    mount.rename("a", "c")
    mount.reserve("a", 9)
    mount.sync_names(told.append)
    mount.close()
    wait(files.loop)
    assert told == []
    assert (files.names(), [files.read(name) for name in files.names()]) == before
    assert (mount.names(), mount.read("a")) == ([], b"")


def test_a_node_is_told_through_its_guard() -> None:
    """So that an error of the node ends no more than the node."""
    files = disk()
    guarded: list[str] = []

    def guard(act: Callable[[], None]) -> None:
        guarded.append("told")
        act()

    synced(files.mount(guard), files)
    assert guarded == ["told"]


def test_room_made_ready_may_be_found_as_zeros() -> None:
    """After a power failure, at the end, and not always."""
    ends = set()
    for seed in range(30):
        files = disk(seed)
        mount = files.mount()
        mount.append("a", b"x")
        mount.reserve("a", 1000)
        synced(mount, files, "a")
        files.crash()
        assert files.read("a").strip(b"\0") == b"x"
        ends.add(len(files.read("a")) > 1)
    assert ends == {True, False}


def test_wiping_empties_the_disk() -> None:
    """Names too."""
    files = disk()
    synced(files.mount(), files)
    files.mount().append("a", b"1")
    files.wipe()
    assert files.names() == []


# --- faults ---


def test_io_errors_come_once_and_only_when_asked_for() -> None:
    """At an append, a read, a sync; each is counted."""
    files = disk()
    mount = files.mount()
    mount.append("a", b"1")
    files.fail_next("append")
    files.fail_next("read")
    files.fail_next("sync")
    with pytest.raises(DiskError, match=r"^n1/a: Input/output error$"):
        mount.append("a", b"2")
    with pytest.raises(DiskError, match=r"^n1/a: Input/output error$"):
        mount.read("a")
    assert [str(error) for error in synced(mount, files, "a")] == ["n1/a: Input/output error", "None"]
    mount.append("a", b"3")
    assert mount.read("a").endswith(b"3")
    assert synced(mount, files, "a") == [None, None]
    assert [files.effects[f"failed {operation}"] for operation in ("append", "read", "sync")] == [1, 1, 1]


def test_after_a_failed_sync_the_next_one_is_no_help() -> None:
    """Processes see bytes that are not on the disk, and a second sync says that all is well."""
    lost = 0
    for seed in range(20):
        files = disk(seed)
        mount = files.mount()
        mount.append("a", b"x" * 4 * SECTOR)
        mount.sync_names(lambda error: None)
        files.fail_next("sync")
        assert isinstance(synced(mount, files, "a")[0], DiskError)
        assert synced(mount, files, "a")[0] is None
        assert mount.read("a") == b"x" * 4 * SECTOR
        files.crash()
        lost += files.read("a") != b"x" * 4 * SECTOR
    assert lost > 10


def test_a_full_disk_takes_a_part_and_says_so() -> None:
    """And takes everything again when there is space."""
    files = disk()
    mount = files.mount()
    files.capacity = 10
    mount.append("a", b"12345678")
    with pytest.raises(DiskError, match="No space left on device"):
        mount.append("a", b"12345678")
    assert len(mount.read("a")) <= 10
    assert files.effects["no space"] == 1
    files.capacity = None
    mount.append("a", b"12345678")


def test_a_slow_disk_takes_longer_and_is_otherwise_the_same() -> None:
    """By the factor that was asked for."""
    times = []
    for slow in (1.0, 50.0):
        files = disk()
        files.slow = slow
        mount, done = files.mount(), []
        mount.append("a", b"1")
        mount.sync("a", lambda error: done.append(files.loop.now_ns))  # noqa: B023 - called in this turn
        wait(files.loop, 100 * NS)
        times += done
        assert files.effects["slow sync"] == (slow != 1.0)
    assert times[1] == pytest.approx(50 * times[0])


def test_a_lying_disk_says_done_and_loses_it() -> None:
    """Until it is asked again when it tells the truth."""
    files = disk()
    mount = files.mount()
    mount.append("a", b"1" * 99)
    synced(mount, files)
    files.lying = True
    assert synced(mount, files, "a") == [None, None]
    assert files.effects["lying sync"] == 1
    assert not files._names["a"].disk
    files.lying = False
    synced(mount, files, "a")
    files.crash()
    assert files.read("a") == b"1" * 99


def test_a_misdirected_write_is_missing_here_and_found_there() -> None:
    """One sector, and processes see nothing of it before the power fails."""
    files = disk()
    mount = files.mount()
    mount.append("other", b"o" * 8 * SECTOR)
    synced(mount, files, "other")
    files.misdirect_next()
    mount.append("a", b"a" * SECTOR)
    assert synced(mount, files, "a") == [None, None]
    assert mount.read("a") == b"a" * SECTOR
    files.crash()
    assert files.effects["misdirected write"] == 1
    assert files.read("a") == bytes(SECTOR)
    assert files.read("other").count(b"a") == SECTOR


def test_damage_at_rest_says_where() -> None:
    """A bit, or an end; and nothing when there is nothing."""
    files = disk()
    assert (files.rot(), files.truncate()) == (None, None)
    mount = files.mount()
    mount.append("a", bytes(1000))
    synced(mount, files, "a")
    rotten = files.rot()
    assert rotten is not None
    assert files.read("a")[rotten.offset].bit_count() == 1 == files.read("a").count(0) - 998
    cut = files.truncate()
    assert cut is not None
    assert (len(files.read("a")), cut.name) == (1000 - cut.size, "a")
    assert files.effects["rot"] == files.effects["truncation"] == 1


def test_the_same_seed_is_the_same_disk() -> None:
    """Times, losses and damage."""

    def story() -> list[object]:
        files = disk(7)
        found: list[object] = []
        for number in range(30):
            mount = files.mount()
            mount.append(f"{number % 3}", b"%d" % number * 700)
            mount.sync(f"{number % 3}", lambda error: found.append(files.loop.now_ns))
            wait(files.loop, 1_000_000)
            files.crash()
            found.append([(name, files.read(name)) for name in files.names()])
        return [*found, files.rot()]

    assert story() == story()
