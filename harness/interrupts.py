"""End a run early, and in good order: Ctrl-C, SIGTERM, a closed terminal, or the hard deadline.

Whatever ends a run, it is healed, its nodes are ended, and what was recorded is judged. This file knows signals and
deadlines. It does not know what a run does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

LAST_RESORT_EXIT = 70


Handler = Callable[[int, FrameType | None], None] | signal.Handlers


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    """Have all signals that end a run handled so in here, and as before afterwards."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


class Interruption:
    """Why a run was ended early, once it was."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def say(self, reason: str) -> None:
        """Remember the first reason, and tell whoever waits at the terminal that something is being done about it."""
        if self.reason is None:
            self.reason = reason
            sys.stderr.write(f"keelhaul: {reason}: healing, stopping, then judging what was recorded\n")
            sys.stderr.flush()

    @contextmanager
    def of_task(self, task: asyncio.Task[None]) -> Iterator[None]:
        """Let the first signal cancel a task of a real loop; a second one cannot make healing any faster."""
        loop = task.get_loop()

        def interrupted(number: signal.Signals) -> None:
            if self.reason is None:
                self.say(f"interrupted by {number.name}")
                task.cancel()

        for number in SIGNALS:
            loop.add_signal_handler(number, interrupted, number)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    @contextmanager
    def of_simulation(self) -> Iterator[None]:
        """Let signals interrupt a simulation, which looks at nothing outside and so must be stopped from outside."""

        def interrupted(number: int, _frame: FrameType | None) -> None:
            if self.reason is None:
                self.say(f"interrupted by {signal.Signals(number).name}")
                raise KeyboardInterrupt

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with _handled_by(interrupted):
            yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first signal raise `KeyboardInterrupt` in here, and ignore all others to the end of the process: ending
    in good order takes a moment, and who is impatient must not interrupt that.
    """
    seen: list[int] = []

    def interrupted(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupted) for number in SIGNALS}
    try:
        yield
    finally:
        if not seen:
            for number, earlier in before.items():
                signal.signal(number, earlier)


@contextmanager
def uninterruptible() -> Iterator[None]:
    """Ignore signals in here: what is recorded is being judged, which is bounded and must not be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled_by(signal.SIG_IGN):
        yield


@contextmanager
def last_resort(after_s: float, reason: str) -> Iterator[None]:
    """End the process if it is still in here after so many seconds: a harness that hangs in CI helps nobody.

    What it leaves behind dies with it, or is reaped by the next run.
    """

    def end() -> None:
        sys.stderr.write(f"keelhaul: {reason}\n")
        sys.stderr.flush()
        os._exit(LAST_RESORT_EXIT)

    timer = threading.Timer(after_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Start a process in here: Ctrl-C goes to all processes of a terminal, and a child is to end when we say so.

    The child inherits that the signal is blocked; otherwise it would meet it before it can do anything about it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
