"""Start processes that a Ctrl-C at the terminal does not reach.

It goes to every process of the terminal, and to one that is still importing it would be a traceback. Here it stays
blocked for good; what ends such a process is SIGTERM, SIGKILL, or the end of its parent.
"""

from __future__ import annotations

from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess

from harness.interrupts import uninterrupted


def spawn(process: BaseProcess) -> None:
    """Start it; to be called in the main thread.

    The first start of all would start the resource tracker as well, and that unblocks the signal before the process
    itself is made; so the tracker is started before.
    """
    resource_tracker.ensure_running()
    with uninterrupted():
        process.start()
