"""Show a run while it goes on: a few lines that a terminal redraws, or plain lines where there is no terminal.

This file knows how `Progress` is drawn, when a terminal is wanted, and that a view must never cost the run that it
shows: whatever fails in it is told afterwards. It does not know what is run; it hears records, whose time may stand
still while none comes, so between two it adds the machine's own time, unless the run's time is instant (virtual).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from threading import Lock

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from checkers.history import Record
from reports.drawing import drawn
from reports.plain import PlainLines
from reports.progress import Progress

REDRAWS_A_SECOND = 5

Heard = Callable[[Record], None]


class Mode(Enum):
    """How a run is followed."""

    LIVE = "live"
    PLAIN = "plain"
    SILENT = "silent"


def mode_for(console: Console, environ: Mapping[str, str], *, instant: bool) -> Mode:
    """Redraw on a terminal, unless `NO_COLOR` or `CI` asks for a plain log; an instant run has no log at all."""
    plain = environ.get("NO_COLOR") or environ.get("CI") or console.is_dumb_terminal
    if not plain and console.is_terminal and console.is_interactive and console.file.isatty():
        return Mode.LIVE
    return Mode.SILENT if instant else Mode.PLAIN


@contextmanager
def watching(
    console: Console, *, instant: bool = False, environ: Mapping[str, str] = os.environ
) -> Iterator[Heard | None]:
    """Yield whom to tell every record, or `None`; when it ends, however it ends, the terminal is as it was before.

    `instant` says that the run's time is virtual, so that a second of it takes no second.
    """
    mode = mode_for(console, environ, instant=instant)
    if mode is Mode.SILENT:
        yield None
        return
    view = LiveView(console, instant=instant) if mode is Mode.LIVE else PlainView(console)
    with view:
        yield view.heard
    if view.trouble is not None and not isinstance(view.trouble, OSError):  # a closed pipe has nobody to tell
        console.print(Text(f"the view of the run failed: {view.trouble!r}", style="yellow"))


class PlainView:
    """Plain lines, and an empty one when it is left. Not by rich, which ends the program when a pipe is closed."""

    def __init__(self, console: Console) -> None:
        self.trouble: Exception | None = None
        self._console = console
        self._lines = PlainLines()

    def heard(self, record: Record) -> None:
        """Print the line that a record is worth; after a failure, nothing more."""
        try:
            self._print(self._lines.line(record))
        except Exception as error:  # the run must not be lost for its picture
            self.trouble = error

    def _print(self, line: str | None) -> None:
        if line is not None and self.trouble is None:
            print(line, file=self._console.file, flush=True)

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._print("")


class LiveView:
    """The view itself: told records on the run's thread, drawn on another one, gone when it is left."""

    def __init__(self, console: Console, *, instant: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.trouble: Exception | None = None
        self._console = console
        self._instant = instant
        self._clock = clock
        self._lock = Lock()
        self._progress = Progress()
        self._heard_at = clock()
        self._live = Live(self, console=console, refresh_per_second=REDRAWS_A_SECOND, transient=True)

    def heard(self, record: Record) -> None:
        """Take in a record; a failure is kept for later, and nothing more is taken in."""
        if self.trouble is not None:
            return
        try:
            with self._lock:
                self._progress.hear(record)
                self._heard_at = self._clock()
        except Exception as error:  # the run must not be lost for its picture
            self.trouble = error

    def now_ns(self) -> int:
        """The run's time: that of the last record, and what has passed since then."""
        at = self._progress.at
        if self._instant or self._progress.ended is not None or self._progress.run is None:
            return at
        return at + int((self._clock() - self._heard_at) * 1e9)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many lines as the terminal has room for, and one less: the cursor needs one."""
        lines: list[Text] = []
        try:
            with self._lock:
                lines = drawn(self._progress, self.now_ns())
        except Exception as error:  # as above; an exception here would end the thread that draws
            self.trouble = error
        yield from lines[: max(options.size.height - 1, 1)]

    def __enter__(self) -> LiveView:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._live.update(Text(""))
            self._live.stop()
        finally:
            self._console.show_cursor(True)
