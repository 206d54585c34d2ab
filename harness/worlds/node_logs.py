"""The logs of node processes: one readable file for all of them, and each node's own.

Every life of a node gets a `MultiProcessingHandler` of its own. One shared by nodes that are killed wedges for good:
the dead one holds the write lock of the queue. What a killed node had not yet handed over is lost with its queue,
which is why each node appends to a file of its own as well.

This file knows log records. It does not know processes.
"""

from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path
from typing import Any

from multiprocessing_logging import MultiProcessingHandler


class _Borrowed(logging.Handler):
    """The merged log, lent to one life: closing the loan does not close the log."""

    def __init__(self, merged: logging.Handler, node: str) -> None:
        super().__init__()
        self._merged = merged
        self._node = node

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record into the merged log, under the node's name."""
        record.node = self._node
        self._merged.handle(record)


class NodeLogs:
    """The merged log of a run, `all.log` in its log directory."""

    def __init__(self, directory: Path) -> None:
        # The library's queues belong to the default start method, and node processes are spawned.
        multiprocessing.set_start_method("spawn", force=True)
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._merged = logging.FileHandler(directory / "all.log", encoding="utf-8")
        self._merged.setFormatter(logging.Formatter("%(asctime)s %(node)-4s %(levelname)-8s %(message)s"))

    def life(self, node: str) -> NodeLog:
        """A log for one life of a node."""
        return NodeLog(MultiProcessingHandler(f"log of {node}", sub_handler=_Borrowed(self._merged, node)))

    def close(self) -> None:
        """Close the merged log."""
        self._merged.close()


class NodeLog:
    """The log of one life: its `queue` is for the node's process."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self.queue = handler.queue

    def close(self, *, killed: bool) -> None:
        """End the log: with what is still in the queue, or, of a node that was killed, without waiting for it."""
        if killed:
            self._handler._is_closed = True
        else:
            self._handler.close()
