"""A case as a file: a scenario that runs in every world.

It holds the whole spec, every fault with its victims, every operation with its time and its symbolic context, and the
kind of anomaly that is to be expected. This file knows the form of the file. It does not know where it came from.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import plugins
from harness.directory import impossible
from harness.shrink.case import Case
from harness.spec import UsageError

FORMAT = 1


class ScenarioFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a scenario file says; `expects` is a `checker/kind`, or None for a run that should be valid."""

    format: int = FORMAT
    about: str
    expects: str | None
    case: Case


def save(scenario: ScenarioFile, path: Path) -> None:
    """Write a scenario file, as JSON that people can read and change."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(scenario), indent=1) + b"\n")


def load(path: Path) -> ScenarioFile:
    """Read a scenario file; raises `UsageError` for what is none, or what cannot be played."""
    try:
        scenario = msgspec.json.decode(path.read_bytes(), type=ScenarioFile)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a scenario file as `keelhaul shrink` writes them") from error
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is no scenario file: {error}") from error
    if scenario.format != FORMAT:
        raise UsageError(f"{path} has scenario format {scenario.format}; this keelhaul reads format {FORMAT}")
    try:
        playable(scenario.case)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return scenario


def playable(case: Case) -> Case:
    """Return the case itself, or raise `UsageError` for the first thing in it that cannot be played."""
    spec = case.spec.checked()
    plugins.workload(spec.workload)
    plugins.system(spec.system)
    trouble = impossible(case.schedule, spec)
    if trouble is not None:
        raise UsageError(trouble)
    case.script.checked(spec.all_ids)
    return case
