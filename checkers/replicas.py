"""What the replicas held at one round of dumps, key by key.

This file knows primaries, hints, strays, and which nodes were not there to be asked. A stray is a copy that no reader
will find and nobody will deliver: it lies on a node that is not a primary of its key, and is not a hint. This file does
not know what anybody should have held; `None` for a replica means "nobody could look", which is never the same as "it
held nothing".
"""

from __future__ import annotations

from collections.abc import Iterator

from checkers.history import Dumped, Held, History, NodeChanged, Version

FINAL = "final"
HANDOFF = "handoff"
_FAULT = "fault-"

MEMBER = ("valid", "joining", "leaving", "down")
"""The states of a node that the ring reckons with."""

VersionSet = frozenset[tuple[str, str]]
"""The (dot, value) pairs that a replica holds for a key: the order of siblings means nothing."""


def final_round(history: History) -> str | None:
    """Name the round that shows how the run ended: `final`, or the last one that was not taken during a fault."""
    settled = [name for name in history.rounds if not name.startswith(_FAULT)]
    return FINAL if FINAL in settled else (settled[-1] if settled else None)


def fault_round(fault_id: int) -> str:
    """Name the round that was dumped just before this fault was healed."""
    return f"{_FAULT}{fault_id}"


def members_ever(history: History) -> tuple[str, ...]:
    """Every node that was ever part of the run: those it began with, and those started later."""
    joined = (change.node for change in history.node_changes if change.event == "started")
    return tuple(dict.fromkeys((*history.run.nodes, *joined)))


class Snapshot:
    """One round of dumps, indexed by key in one pass over what was held."""

    def __init__(self, history: History, round_name: str) -> None:
        dumps = history.dumps(round_name)
        known = members_ever(history)
        order = (*(node for node in known if node in dumps), *(node for node in dumps if node not in known))
        self.round = round_name
        self.nodes: tuple[str, ...] = order
        self.outside = _outside(history)
        without = (*_down_and_emptied(history), *self.outside)
        self.absent = tuple(node for node in known if node not in dumps and node not in without)
        self._held: dict[str, list[tuple[str, Held]]] = {}
        for node in order:
            self._index(dumps[node])

    def _index(self, dump: Dumped) -> None:
        for held in dump.held:
            self._held.setdefault(held.key, []).append((dump.node, held))

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that anybody held, as a primary or for another."""
        return tuple(self._held)

    def held(self, key: str) -> list[tuple[str, Held]]:
        """Every record of the key, with the node that held it: primaries, strays and hints."""
        return self._held.get(key, [])

    def values(self, key: str) -> dict[str, list[str]]:
        """The values of the key with the nodes that hold each, hints and strays included, in order of first sight."""
        found: dict[str, list[str]] = {}
        for node, held in self.held(key):
            for version in held.versions:
                found.setdefault(version.value, []).append(node)
        return found

    def kept(self, key: str) -> dict[str, list[str]]:
        """The values that a reader finds or a hint will bring, with their nodes: those of primaries and of hints.

        Where a node could not be dumped every copy counts, strays too, since that node may hold what is missing; and so
        does every copy of a key whose primaries nobody named.
        """
        strays = () if self.absent else self._strays(key)
        found: dict[str, list[str]] = {}
        for node, held in self.held(key):
            for version in held.versions if node not in strays or held.hint_for is not None else ():
                found.setdefault(version.value, []).append(node)
        return found

    def strays(self, key: str, value: str) -> tuple[str, ...]:
        """The nodes that hold a copy of the value which is neither a primary's nor a hint."""
        strays = self._strays(key)
        return tuple(
            node
            for node, held in self.held(key)
            if node in strays and held.hint_for is None and any(version.value == value for version in held.versions)
        )

    def _strays(self, key: str) -> tuple[str, ...]:
        """Who holds anything of the key and is a primary in nobody's view; one who is in any view may yet be asked."""
        primaries = self.primaries(key)
        return tuple(node for node, _ in self.held(key) if node not in primaries) if primaries else ()

    def views(self, key: str) -> tuple[tuple[str, ...], ...]:
        """The distinct preference lists that nodes named for the key; more than one means their rings differ."""
        records = self.held(key)
        if records and all(held.primaries == records[0][1].primaries for _, held in records):
            return (records[0][1].primaries,)
        return tuple(dict.fromkeys(held.primaries for _, held in records))

    def primaries(self, key: str) -> tuple[str, ...]:
        """The key's preference list; where nodes name different ones, everybody named by any of them."""
        views = self.views(key)
        return views[0] if len(views) == 1 else tuple(dict.fromkeys(node for view in views for node in view))

    def primary_records(self, key: str) -> Iterator[tuple[str, Held]]:
        """What the key's primaries held as its primaries."""
        return ((node, held) for node, held in self.held(key) if held.hint_for is None and node in held.primaries)

    def replicas(self, key: str) -> dict[str, tuple[Version, ...] | None]:
        """What each primary held, in the order of the preference list; `None` for one that was not dumped."""
        found: dict[str, tuple[Version, ...] | None] = {
            node: () if node in self.nodes else None for node in self.primaries(key)
        }
        for node, held in self.held(key):
            if held.hint_for is None and node in found:
                found[node] = (found[node] or ()) + held.versions
        return found

    def differs(self, key: str) -> bool:
        """Whether two primaries that were dumped held different sets; one without the key holds the empty set."""
        seen = [versions for versions in self.replicas(key).values() if versions is not None]
        return any(each != seen[0] and version_set(each) != version_set(seen[0]) for each in seen[1:])

    def unseen(self, key: str) -> tuple[str, ...]:
        """The primaries of the key that could not be looked at."""
        return tuple(node for node, versions in self.replicas(key).items() if versions is None)


def version_set(versions: tuple[Version, ...]) -> VersionSet:
    """Forget the order in which siblings were listed."""
    return frozenset((version.dot, version.value) for version in versions)


def _outside(history: History) -> tuple[str, ...]:
    """The nodes that the ring does without, as all tell who told of it last: nobody asks them for anything."""
    last = {told.node: told for told in history.rings}
    members = {node for told in last.values() for node, state in told.states.items() if state in MEMBER}
    return tuple(node for node in members_ever(history) if node not in members) if last else ()


def _down_and_emptied(history: History) -> frozenset[str]:
    """Find the nodes whose disk was emptied and that never came back: what they held is known, it is nothing."""
    last: dict[str, NodeChanged] = {change.node: change for change in history.node_changes}
    return frozenset(node for node, change in last.items() if change.event == "wiped")
