"""Faults are found by their file names."""

from __future__ import annotations

import pytest

from nemesis.catalog import NoSuchFaultError, load, missing_powers, names
from nemesis.faults import kill, partition_halves, wipe
from nemesis.powers import Fault, Network, Processes


def test_a_module_is_a_fault() -> None:
    """The contract is typed: the type checker accepts a file as a `Fault`, without a base class."""
    typed: tuple[Fault, ...] = (partition_halves, kill, wipe)
    assert [fault.NEEDS for fault in typed] == [Network, Processes, Processes]


def test_names_are_file_names_with_dashes() -> None:
    """What is typed on the command line is the file's name, in order."""
    assert {"kill", "kill-all", "partition-majorities-ring", "restart", "wipe"} <= set(names())
    assert list(names()) == sorted(names())
    assert load("partition-halves") is partition_halves


@pytest.mark.parametrize("wrong", ["kil", "kill_all", "", "../kill"])
def test_a_wrong_name_is_told_what_there_is(wrong: str) -> None:
    """The message names the thing, the value, and what would have been right."""
    with pytest.raises(NoSuchFaultError, match=r"there is clock-drift, clock-jump, .* kill, kill-all, ") as raised:
        load(wrong)
    assert str(raised.value).startswith(f"no '{wrong}' in nemesis.faults; ")


def test_missing_powers_are_named() -> None:
    """A world that cannot do it is found out before the run, fault by fault."""
    wanted = ("kill", "partition-halves", "wipe")
    assert missing_powers(wanted, (Network,)) == [
        "kill needs Processes, which this world does not grant",
        "wipe needs Processes, which this world does not grant",
    ]
    assert missing_powers(wanted, {Network: object(), Processes: object()}) == []
