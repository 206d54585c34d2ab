"""Where a run lies on the disk: its directory, and the files in it.

This file knows names and formats. It does not know how a run is carried out.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from checkers.judge import Judgement
from checkers.verdict import Answer
from harness.spec import RunSpec, UsageError
from nemesis.catalog import names as fault_names
from nemesis.schedule import Schedule
from nemesis.schedule import decode as decode_schedule
from nemesis.schedule import encode as encode_schedule

HISTORY = "history.jsonl"
VERDICT = "verdict.json"
SPEC = "spec.json"
SCHEDULE = "schedule.json"
SCRIPT = "operations.json"
TRACE = "trace.txt"
MARKS = "trace.marks"


class VerdictFile(msgspec.Struct, frozen=True, kw_only=True):
    """What `verdict.json` holds; `digest` and `events` are those of a simulated run's trace."""

    answer: Answer
    replay: str
    digest: str | None
    events: int | None
    interrupted: str | None
    judgement: Judgement


def new_directory(root: Path, spec: RunSpec) -> Path:
    """Make the next run directory, and let `latest` point to it; runs side by side never share one."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--runs {root}: {error.strerror}; give a directory that can be written to") from error
    for number in range(1, 1_000_000):
        directory = root / f"{spec.scenario}-{spec.world}-s{spec.seed}-{number}"
        with suppress(FileExistsError):
            directory.mkdir()
            break
    else:
        raise UsageError(f"{root} is full of runs; `make clean` empties it")
    fresh = root / f".latest-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(directory.name)
    fresh.replace(root / "latest")
    return directory


def find_run(name: Path, root: Path) -> Path:
    """The directory of a run, given as a path or by its name below the runs; raises `UsageError` if there is none.

    What `latest` points to is told by its own name: `latest` will be another run soon.
    """
    for candidate in (name, root / name):
        if (candidate / HISTORY).exists():
            return candidate.parent / candidate.readlink() if candidate.is_symlink() else candidate
    raise UsageError(f"no run {name}: neither {name}/ nor {root / name}/ has a {HISTORY}")


def save_schedule(schedule: Schedule, directory: Path) -> None:
    """Write the faults that were drawn."""
    (directory / SCHEDULE).write_bytes(encode_schedule(schedule) + b"\n")


def load_schedule(directory: Path, spec: RunSpec) -> Schedule:
    """Read the faults of a run; raises `UsageError` when there are none to be read, or the spec cannot have them."""
    try:
        schedule = decode_schedule((directory / SCHEDULE).read_bytes())
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise UsageError(f"{directory / SCHEDULE} is no fault schedule: {error}") from error
    trouble = impossible(schedule, spec)
    if trouble is not None:
        raise UsageError(f"{directory / SCHEDULE}: {trouble}")
    return schedule


def impossible(schedule: Schedule, spec: RunSpec) -> str | None:
    """The first thing in a schedule that is not there: a fault, a node, or a time."""
    known, nodes = fault_names(), spec.all_ids
    for injection in schedule:
        plan = injection.plan
        named = (*plan.nodes, *plan.spares, *(node for link in (*plan.links, *plan.paths) for node in link))
        strange = next((node for node in named if node not in nodes), None)
        if injection.name not in known:
            return f"fault {injection.id} is a '{injection.name}'; there is {', '.join(known)}"
        if strange is not None:
            return f"fault {injection.id} names node '{strange}'; the run has {', '.join(nodes)}"
        if injection.at_ns < 0 or injection.for_ns < 0:
            return f"fault {injection.id} has a negative time"
    return None


def save_verdict(verdict: VerdictFile, directory: Path) -> None:
    """Write what was judged, as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(verdict), indent=2)
    (directory / VERDICT).write_bytes(text + b"\n")


def load_verdict(directory: Path) -> VerdictFile:
    """Read what was judged; raises `UsageError` when the run was never judged."""
    try:
        return msgspec.json.decode((directory / VERDICT).read_bytes(), type=VerdictFile)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise UsageError(
            f"{directory / VERDICT} is no verdict: {error}; judge the run with `keelhaul check`"
        ) from error
