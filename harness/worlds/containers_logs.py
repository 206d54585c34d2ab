"""What containers have printed, as the lines of a log.

A node writes JSON lines with their time in them; whatever else its process prints (a traceback before there is a log)
is put into such a line, with the time at which the engine saw it. This file knows lines; it does not know Docker.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime


def json_lines(node: str, printed: bytes) -> Iterator[str]:
    """One JSON object a line, from what was printed, each line of which begins with its time."""
    for line in printed.decode(errors="replace").splitlines():
        stamp, _, text = line.partition(" ")
        if _said(text) is not None:
            yield text
        elif text.strip():
            yield json.dumps({"time": _seconds(stamp), "level": "printed", "node": node, "text": text})


def last_words(printed: bytes) -> str:
    """The last thing a process said, without what belongs to its being a log line."""
    lines = [line for line in printed.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return "it said nothing"
    said = _said(lines[-1])
    return lines[-1].strip() if said is None else said


def _said(text: str) -> str | None:
    """The text of a log line, or None when it is no log line."""
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return str(line["text"]) if isinstance(line, dict) and "text" in line else None


def _seconds(stamp: str) -> float:
    """Seconds since 1970; the engine writes nanoseconds."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0
