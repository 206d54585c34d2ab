"""Wait for something outside this process, with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

PAUSE_S = 0.02


def poll(holds: Callable[[], object], what: str, *, within_s: float) -> None:
    """Return as soon as it holds; fails the test after the bound, and says what was waited for."""
    ends = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < ends, f"waited {within_s:g} s for {what}"
        Event().wait(PAUSE_S)  # a pause between two looks
