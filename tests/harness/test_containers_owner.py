"""Whose is it: nothing of a living owner may be taken for an orphan, and nothing of a dead one kept."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.worlds.containers_owner import PID, PLACE, RUN, STARTED, of_run, orphaned, place, run_labels, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="owners are looked up in /proc, which only Linux has")


def dead() -> int:
    """The pid of a process that has just ended."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_our_own_run_is_no_orphan() -> None:
    """This process lives."""
    labels = run_labels("r1")
    assert not orphaned(labels)
    assert of_run("r1")(labels)
    assert not of_run("r2")(labels)
    assert labels[RUN] == "r1"


def test_a_dead_owner_leaves_orphans() -> None:
    """Its pid is free."""
    assert orphaned(run_labels("r1") | {PID: str(dead())})


def test_a_pid_that_was_given_away_is_not_its_owner() -> None:
    """Somebody lives under it, who began at another time."""
    labels = run_labels("r1")
    assert orphaned(labels | {STARTED: str(int(labels[STARTED]) - 1)})


def test_remains_are_not_alive() -> None:
    """A process that has ended, and that its parent has not asked for, still has a pid and a time."""
    process = subprocess.Popen(["true"], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.read()  # ends when the process does
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ProcessLookupError):
            started(process.pid)
        assert orphaned(run_labels("r1") | {PID: str(process.pid)})
    finally:
        process.stdout.close() if process.stdout else None
        process.wait()


@pytest.mark.parametrize("elsewhere", ["another-boot/1", "", "x"])
def test_another_places_pids_mean_nothing_here(elsewhere: str) -> None:
    """Another boot, another machine, another pid namespace: nobody here can say who lives there."""
    assert not orphaned(run_labels("r1") | {PLACE: elsewhere, PID: str(dead())})
    assert not orphaned({})


def test_labels_that_name_no_owner_are_orphans() -> None:
    """What was made here, by nobody who can be found."""
    assert orphaned({PLACE: place()})
    assert orphaned(run_labels("r1") | {PID: "x"})
