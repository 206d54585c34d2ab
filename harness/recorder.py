"""Write the history of a run as it happens.

Each record is one write to the file, so that a harness that is killed leaves a history that can be judged. This file
does not know what the records mean.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from checkers.history import Record, encode


class Recorder:
    """An open history. `now_ns` is the run's time; `heard` is told each line, for whoever traces or shows the run."""

    def __init__(self, path: Path, now_ns: Callable[[], int], heard: Callable[[Record], None] | None = None) -> None:
        self.now_ns = now_ns
        self._file = path.open("wb", buffering=0)
        self._heard = heard

    def write(self, record: Record) -> None:
        """Append a record."""
        self._file.write(encode(record))
        if self._heard is not None:
            self._heard(record)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
