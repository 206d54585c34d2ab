"""What a process on this machine needs that is no protocol: an event loop, and to end when its parent ends."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

new_event_loop: Callable[[], asyncio.AbstractEventLoop]
"""Make the fastest loop there is."""
try:
    from uvloop import new_event_loop
except ImportError:
    new_event_loop = asyncio.new_event_loop

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that made it ends, unless that has happened already.

    Only Linux can do that; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent or _was_orphaned():
            os.kill(os.getpid(), signal.SIGKILL)


def _was_orphaned() -> bool:
    """Whether the parent ended before anybody could look: only `multiprocessing` lets its children know."""
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    parent = multiprocessing.parent_process() if multiprocessing is not None else None
    return parent is not None and not parent.is_alive()
