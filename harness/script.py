"""What clients do, as data: every operation with its time, its node and a symbolic context.

A run draws its operations as it goes and keeps what it drew. Played again, nothing is drawn: each operation begins at
its time, or as soon as its client has ended the one before, and carries the context of the operation that it names,
whatever that one yields this time. So a run can be repeated in another world, and made smaller. This file knows steps
and times. It does not know how they are carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.contracts import Step
from harness.spec import UsageError

LOAD = "load"
OPERATIONS = ("get", "put")


class Timed(msgspec.Struct, frozen=True):
    """A step, and when it came up: nanoseconds since the stress phase began."""

    at_ns: int
    step: Step


class Script(msgspec.Struct, frozen=True):
    """The operations of a run: those that `load` the keys, one after the other, then the timed ones, in order.

    The stress phase does not begin before `began_ns` of the run, however soon the keys are loaded: what chance has in
    store is drawn for times, and leaving out what is loaded must not move everything else.
    """

    load: tuple[Step, ...]
    steps: tuple[Timed, ...]
    began_ns: int = 0

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that is touched, in the order of first use."""
        return tuple(dict.fromkeys([*(step.key for step in self.load), *(timed.step.key for timed in self.steps)]))

    @property
    def clients(self) -> tuple[str, ...]:
        """Every client at work in the stress phase, in the order of first use."""
        return tuple(dict.fromkeys(timed.step.client for timed in self.steps))

    def of(self, client: str) -> tuple[Timed, ...]:
        """One client's steps."""
        return tuple(timed for timed in self.steps if timed.step.client == client)

    def checked(self, nodes: Sequence[str]) -> Script:
        """Return the script itself, or raise `UsageError` for the first thing in it that cannot be played."""
        seen: dict[str, Step] = {}
        for step in [*self.load, *(timed.step for timed in self.steps)]:
            if step.f not in OPERATIONS:
                raise UsageError(f"operation {step.op} is a '{step.f}'; it can be {', '.join(OPERATIONS)}")
            if step.op in seen:
                raise UsageError(f"operation {step.op} is there twice")
            if step.node not in nodes:
                raise UsageError(f"operation {step.op} goes to node '{step.node}'; the run has {', '.join(nodes)}")
            if step.context_of is not None and step.context_of not in seen:
                raise UsageError(f"operation {step.op} names {step.context_of}, which does not come before it")
            seen[step.op] = step
        early = next((timed.step.op for timed in self.steps if timed.at_ns < 0), None)
        if early is not None:
            raise UsageError(f"operation {early} has a negative time")
        return self


class Drawn:
    """The steps of a run as they come up; `load` is the client that loads the keys, before all others."""

    def __init__(self) -> None:
        self._load: list[Step] = []
        self._steps: list[tuple[int, Step]] = []
        self._began_ns: int | None = None

    def take(self, at_ns: int, step: Step) -> None:
        """A step came up at this time of the run."""
        if step.client == LOAD:
            self._load.append(step)
        else:
            self._steps.append((at_ns, step))

    def begin(self, at_ns: int) -> None:
        """The stress phase begins at this time of the run."""
        self._began_ns = at_ns

    def script(self) -> Script:
        """What came up so far."""
        began_ns = self._began_ns or 0
        steps = (Timed(at_ns - began_ns, step) for at_ns, step in self._steps)
        return Script(tuple(self._load), tuple(steps), began_ns)


def save(script: Script, path: Path) -> None:
    """Write a script as JSON, one step a line, so that people can read it and change it."""
    load = ",\n  ".join(msgspec.json.encode(step).decode() for step in script.load)
    steps = ",\n  ".join(msgspec.json.encode(timed).decode() for timed in script.steps)
    path.write_text(f'{{"began_ns": {script.began_ns},\n "load": [\n  {load}\n ],\n "steps": [\n  {steps}\n ]}}\n')


def load(path: Path, nodes: Sequence[str]) -> Script:
    """Read a script; raises `UsageError` when it is none, or cannot be played on these nodes."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Script).checked(nodes)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is no script of operations: {error}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
