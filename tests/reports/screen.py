"""A terminal in memory: what a screen shows after all those escape sequences, and whether its cursor can be seen.

It knows the few sequences that a live view needs, and refuses any other, so that nothing passes unseen.
"""

from __future__ import annotations

import io
import re

_PART = re.compile(r"\x1b\[(?P<parameters>[?0-9;]*)(?P<command>[a-zA-Z])|(?P<plain>[^\x1b])", re.DOTALL)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


class Screen:
    """A screen without a bottom: lines, a cursor, and no wrapping."""

    def __init__(self, written: str) -> None:
        self.lines = [""]
        self.cursor_seen = True
        self._row = self._column = 0
        taken = 0
        for part in _PART.finditer(written):
            taken += len(part[0])
            self._take(part)
        assert taken == len(written), "a sequence that this screen does not know"

    def _take(self, part: re.Match[str]) -> None:
        match part["command"], part["parameters"]:
            case None, _:
                self._write(part["plain"])
            case "A", count:
                self._row -= int(count or 1)
                assert self._row >= 0, "above the first line"
            case "K", "2":
                self.lines[self._row] = ""
            case ("h" | "l") as command, "?25":
                self.cursor_seen = command == "h"
            case "m", _:
                pass
            case unknown:
                raise AssertionError(unknown)

    def _write(self, character: str) -> None:
        if character == "\n":
            self._row, self._column = self._row + 1, 0
            if self._row == len(self.lines):
                self.lines.append("")
        elif character == "\r":
            self._column = 0
        else:
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1
