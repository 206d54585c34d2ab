"""Whose a container or a network is: the labels of a run, and whether the process that began it still lives.

An owner is a process: its pid, when it started, and where such a pid means anything (this boot of this machine, this
pid namespace). Of another place nobody here can say who lives there, so what comes from there is never taken for an
orphan. This file knows labels and `/proc`; it does not know Docker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

KIND, RUN, PLACE, PID, STARTED = "keelhaul", "keelhaul.run", "keelhaul.place", "keelhaul.pid", "keelhaul.pid-started"
NODE, ROLE = "keelhaul.node", "keelhaul.role"

OURS = f"{KIND}=run"
"""The filter that finds everything of any run."""

Labels = Mapping[str, str]
Chosen = Callable[[Labels], bool]
"""Whether to take something that has these labels."""


def run_labels(run: str) -> dict[str, str]:
    """Everything that a run makes carries these."""
    pid = os.getpid()
    return {KIND: "run", RUN: run, PLACE: place(), PID: str(pid), STARTED: started(pid)}


def orphaned(labels: Labels) -> bool:
    """Whether the owner is certainly dead: its pid is free, or has been given to another process."""
    if labels.get(PLACE) != place():
        return False
    try:
        return started(int(labels[PID])) != labels[STARTED]
    except (OSError, KeyError, ValueError):
        return True


def of_run(run: str) -> Chosen:
    """What belongs to that run."""
    return lambda labels: labels.get(RUN) == run


def place() -> str:
    """Where a pid means anything: this boot of this kernel, and this pid namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"


def started(pid: int) -> str:
    """When the process began, in ticks since the boot; raises `OSError` when there is none, or only its remains."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] in "ZX":  # dead, and its parent has not asked yet
        raise ProcessLookupError(pid)
    return fields[19]
