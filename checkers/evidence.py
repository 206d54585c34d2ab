"""Turn what a finding concerns into a few lines that people can read.

This file knows how an operation, a replica and a time are written down. It does not know what is an anomaly. Whatever
came from outside (keys, values, errors) is made printable and short first, so that no evidence can break a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checkers.episodes import Episode
from checkers.history import Ack, History, NodeChanged, Operation, Version
from checkers.replicas import Snapshot

LINES_MAX = 25
"""How many lines of evidence one finding may have."""

_TEXT_MAX = 40


def seconds(at: int) -> str:
    """Write a time as seconds with milliseconds."""
    return f"{at / 1e9:.3f} s"


def shown(text: str) -> str:
    """Write a key or a value so that it fits on a line and cannot be mistaken for anything else."""
    plain = text if text and text.isprintable() and " " not in text else repr(text)
    return plain if len(plain) <= _TEXT_MAX else f"{plain[: _TEXT_MAX - 1]}…"


def listed(words: Iterable[str], *, at_most: int = 8) -> str:
    """Write words in a row, and how many more there were."""
    every = list(words)
    rest = f" and {len(every) - at_most} more" if len(every) > at_most else ""
    return ", ".join(every[:at_most]) + rest


def counted(number: int, noun: str) -> str:
    """Write a number and what it counts, in the singular or the plural."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    stem = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" and number != 1 else f"{noun}{ending}"
    return f"{number:,} {stem}".replace(",", " ")


def acknowledged_by(acks: Sequence[Ack]) -> str:
    """Name the nodes that acknowledged, and what each acknowledgement was worth."""
    return listed(_acknowledgement(ack) for ack in acks) or "nobody named"


def _acknowledgement(ack: Ack) -> str:
    worth = ([f"hint for {ack.hint_for}"] if ack.hint_for else []) + ([] if ack.durable else ["not durable"])
    return f"{ack.node} ({', '.join(worth)})" if worth else ack.node


def operation_line(operation: Operation) -> str:
    """Write one operation: when, what, by whom, to which node, and what became of it."""
    asked = operation.invoked
    what = f"put {shown(asked.value)}" if asked.value is not None else asked.f
    context = f" with the context of {asked.context_of}" if asked.context_of else ""
    ends = seconds(operation.completed.at) if operation.completed else "no answer"
    return f"{seconds(asked.at)} – {ends}  {operation.id}: {asked.client} {what}{context} at {asked.node}: " + (
        _answer(operation)
    )


def _answer(operation: Operation) -> str:
    ended = operation.completed
    if ended is None:
        return "unknown"
    parts = [ended.outcome.value]
    if operation.invoked.f == "get" and not ended.error:
        parts.append(f"returned {listed((shown(version.value) for version in ended.versions), at_most=5) or 'nothing'}")
    if ended.error:
        parts.append(shown(ended.error))
    if ended.dot:
        parts.append(f"dot {ended.dot}")
    if ended.coordinator:
        parts.append(f"coordinator {ended.coordinator}")
    if ended.acks:
        parts.append(f"acks {acknowledged_by(ended.acks)}")
    return ", ".join(parts)


def operation_lines(operations: Iterable[Operation], *, at_most: int = 10) -> tuple[str, ...]:
    """Write operations in the order of invocation, each once."""
    unique = {operation.id: operation for operation in operations}
    ordered = sorted(unique.values(), key=lambda operation: (operation.invoked.at, operation.id))
    return cut_to(at_most, [operation_line(operation) for operation in ordered])


def holding_lines(snapshot: Snapshot, key: str) -> tuple[str, ...]:
    """Write what each primary of the key holds now, and whoever else holds anything of it."""
    replicas = snapshot.replicas(key)
    lines = [f"{node} holds {_held(versions)}" for node, versions in replicas.items()]
    for node, held in snapshot.held(key):
        if held.hint_for is not None:
            lines.append(f"{node} holds {_held(held.versions)}, as a hint for {held.hint_for}")
        elif node not in held.primaries:
            lines.append(f"{node}, not a primary, holds {_held(held.versions)}")
    return cut_to(8, lines or [f"no node that was dumped holds anything of {shown(key)}"])


def _held(versions: tuple[Version, ...] | None) -> str:
    if versions is None:
        return "we cannot tell what: it was not dumped"
    return listed((shown(version.value) for version in versions), at_most=6) or "nothing"


def change_lines(changes: Iterable[NodeChanged]) -> tuple[str, ...]:
    """Write what happened to nodes."""
    return cut_to(4, [f"{seconds(change.at)}  {change.node} was {change.event}" for change in changes])


def fault_lines(history: History, faults: Iterable[Episode]) -> tuple[str, ...]:
    """Write which faults were in force, since when and until when."""
    return cut_to(3, [_fault(episode, history.lasted_ns) for episode in faults])


def _fault(episode: Episode, ends: int) -> str:
    groups = " | ".join(" ".join(side) for side in episode.sides) or " ".join(episode.victims)
    until = seconds(episode.healed_at) if episode.healed_at is not None else f"the end ({seconds(ends)})"
    return f"in force from {seconds(episode.started_at or 0)} to {until}: {episode.name} {groups}".rstrip()


def cut_to(limit: int, lines: Sequence[str]) -> tuple[str, ...]:
    """Keep the first lines, and say in the last one how many were left out."""
    if len(lines) <= limit:
        return tuple(lines)
    return (*lines[: limit - 1], f"… and {len(lines) - limit + 1} more")
