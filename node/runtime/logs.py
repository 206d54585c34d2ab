"""Logs: one JSON object a line.

This file knows how a record becomes a line and where lines go. It does not know what is worth a line.
"""

from __future__ import annotations

import json
import logging
import sys

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Format a record as JSON: time (seconds since 1970), level, node, text, and whatever was given as `extra`."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {
            "time": round(record.created, 6),
            "level": record.levelname.lower(),
            "node": self._node,
            "text": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info is not None:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to(node: str, level: str, handler: logging.Handler | None, file: str | None) -> None:
    """Send every log record of this process to a handler, by default standard output, and to a file if one is named.

    Raises `OSError` when the file cannot be opened.
    """
    if handler is None:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLines(node))
    handlers = [handler]
    if file is not None:
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
        handlers[-1].setFormatter(JsonLines(node))
    logging.basicConfig(handlers=handlers, level=level.upper(), force=True)
