"""What was broken, from when to when: faults put together from their records, and the times at which nodes were down.

This file knows spans of time. It does not know what a fault does, nor what should have worked in spite of it. What a
record says in free form (`detail`, `observed`) is read as far as it has the form that is known; the rest says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from checkers.history import FaultChanged, History, Operation


@dataclass
class Episode:
    """One fault from its request to its cure. Times are `None` for what never happened."""

    id: int
    name: str
    requested_at: int | None = None
    started_at: int | None = None
    healed_at: int | None = None
    failed_at: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    delivered: bool = False
    observed: dict[str, Any] = field(default_factory=dict)

    def took(self, record: FaultChanged) -> None:
        """Take in what one record says; a later record may leave out what an earlier one said."""
        match record.event:
            case "requested":
                self.requested_at = record.at
            case "started":
                self.started_at = record.at
            case "healed":
                self.healed_at = record.at
                self.delivered = bool(record.delivered)
            case "failed":
                self.failed_at = record.at
        self.detail.update(record.detail)
        self.observed.update(record.observed)

    @property
    def sides(self) -> tuple[tuple[str, ...], ...]:
        """The groups that the fault left, if it left groups."""
        sides = self.detail.get("sides")
        return tuple(_names(side) for side in sides) if isinstance(sides, list | tuple) else ()

    @property
    def victims(self) -> tuple[str, ...]:
        """The nodes that it was done to."""
        return _names(self.detail.get("nodes"))

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """The directed links that it cut."""
        parts = (link.partition(">") for link in _names(self.detail.get("links")))
        return tuple((source, target) for source, _, target in parts)

    @property
    def failed(self) -> bool:
        """Whether it could not be injected, or not be cured."""
        return self.failed_at is not None

    @property
    def is_cut(self) -> bool:
        """Whether it cut links, in groups or one by one."""
        return bool(self.sides or self.links)

    @property
    def traffic(self) -> dict[str, tuple[int, int]]:
        """How much came by each observed link, and how much of it was dropped, as `(seen, dropped)`.

        Only whole numbers count: a link whose `seen` is none was not observed, and a `dropped` that is none dropped
        nothing.
        """
        return {
            link: (counts["seen"], dropped if isinstance(dropped := counts.get("dropped"), int) else 0)
            for link, counts in self.observed.items()
            if isinstance(counts, dict) and isinstance(counts.get("seen"), int)
        }

    def lasted_ns(self, until: int) -> int:
        """How long it was in force, up to `until` for one that nobody healed."""
        if self.started_at is None:
            return 0
        return (self.healed_at if self.healed_at is not None else until) - self.started_at

    def overlaps(self, begin: int, end: int, *, wake_ns: int = 0) -> bool:
        """Whether it was in force, or had been healed for less than `wake_ns`, at any time from `begin` to `end`."""
        if self.started_at is None or self.started_at > end:
            return False
        return self.healed_at is None or self.healed_at + wake_ns > begin


def _names(told: object) -> tuple[str, ...]:
    """Names in a list, and nothing where there is no list."""
    return tuple(name for name in told if isinstance(name, str)) if isinstance(told, list | tuple) else ()


def episodes(history: History) -> tuple[Episode, ...]:
    """Put the faults of a history together, in the order in which each was first heard of; one pass."""
    found: dict[int, Episode] = {}
    for record in history.faults:
        found.setdefault(record.id, Episode(record.id, record.name)).took(record)
    return tuple(found.values())


@dataclass(frozen=True)
class Downtime:
    """A span in which a node was not there, or there and frozen; `until` is `None` when it never came back."""

    node: str
    since: int
    until: int | None

    def overlaps(self, begin: int, end: int, *, wake_ns: int = 0) -> bool:
        """Whether the node was away, or back for less than `wake_ns`, at any time from `begin` to `end`."""
        return self.since <= end and (self.until is None or self.until + wake_ns > begin)


def downtimes(history: History) -> tuple[Downtime, ...]:
    """Find when nodes were killed, stopped, gone by themselves or frozen, until they were there again; one pass.

    A frozen node is away: nobody can tell it from a dead one. One that dies while it is frozen is not back before it
    has been started.
    """
    found: list[Downtime] = []
    gone: dict[str, int] = {}
    dead: dict[str, bool] = {}
    for change in history.node_changes:
        if change.event in ("killed", "stopped", "exited", "paused"):
            gone.setdefault(change.node, change.at)
            dead[change.node] = dead.get(change.node, False) or change.event != "paused"
        elif change.node in gone and (
            change.event == "started" or (change.event == "resumed" and not dead[change.node])
        ):
            found.append(Downtime(change.node, gone.pop(change.node), change.at))
            del dead[change.node]
    found.extend(Downtime(node, since, None) for node, since in gone.items())
    return tuple(found)


def wiped_nodes(history: History) -> tuple[str, ...]:
    """Name the nodes that lost their disk on purpose, in order."""
    return tuple(dict.fromkeys(change.node for change in history.node_changes if change.event == "wiped"))


def is_early(history: History, operation: Operation) -> bool:
    """Whether it was asked of a spare that had not been started yet: nobody was there, and nothing was wrong."""
    asked = operation.invoked
    if asked.node not in history.run.spares:
        return False
    starts = (change.at for change in history.node_changes if change.node == asked.node and change.event == "started")
    return next(starts, asked.at) >= asked.at
