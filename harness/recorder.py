"""Write the history of a run as it happens.

Each record of a history on disk is one write to the file, so that a harness that is killed leaves a history that can
be judged. This file does not know what the records mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from checkers.history import Record, encode
from harness.contracts import Step
from harness.script import Drawn

Heard = Callable[[Record], None]


class Recorder:
    """A history under way. `now_ns` is the run's time, `heard` is told each record, and `drawn` keeps the steps
    that clients come up with.
    """

    def __init__(self, now_ns: Callable[[], int], heard: Heard, drawn: Drawn | None = None) -> None:
        self.now_ns = now_ns
        self.write = heard
        self._drawn = drawn or Drawn()

    def begin(self) -> int:
        """The stress phase begins; returns the run's time."""
        began_ns = self.now_ns()
        self._drawn.begin(began_ns)
        return began_ns

    def drew(self, step: Step) -> None:
        """A client came up with a step."""
        self._drawn.take(self.now_ns(), step)


@contextmanager
def written(path: Path, heard: Heard | None) -> Iterator[Heard]:
    """A history on disk, written record by record; whoever listens is told as well."""
    with path.open("wb", buffering=0) as file:

        def write(record: Record) -> None:
            file.write(encode(record))
            if heard is not None:
                heard(record)

        yield write
