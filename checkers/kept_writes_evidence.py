"""Write down why a write counts as lost, vanished, resurrected or phantom, with nothing that does not concern it.

This file knows how to tell the story of one value. It does not decide whether there is one to tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from checkers.causality import GET, Causality, is_acknowledged
from checkers.episodes import episodes
from checkers.evidence import (
    LINES_MAX,
    acknowledged_by,
    change_lines,
    cut_to,
    fault_lines,
    holding_lines,
    listed,
    operation_lines,
    seconds,
    shown,
)
from checkers.history import Ack, History, Operation
from checkers.replicas import Snapshot
from checkers.verdict import Finding
from checkers.version_graph import drawing, neighbourhood


@dataclass(frozen=True)
class Suspect:
    """One value of one key, what is held against it, and the nodes on which it was caught, if it was."""

    kind: str
    key: str
    value: str
    nodes: tuple[str, ...] = ()


def finding(history: History, causality: Causality, snapshot: Snapshot, suspect: Suspect) -> Finding:
    """Tell one anomaly: the operations in order, what befell the nodes, what is held now, and the version graph."""
    puts = causality.puts_of(suspect.key, suspect.value)
    concerned = _concerned(history, causality, suspect, puts)
    acks = [ack for put in puts if put.completed for ack in put.completed.acks]
    values = neighbourhood(causality, snapshot, suspect.key, suspect.value)
    lost = (suspect.value,) if suspect.kind in ("lost-write", "vanished") else ()
    evidence = (
        *operation_lines(concerned),
        *_circumstances(history, puts, acks),
        *_stray_lines(snapshot, suspect),
        *holding_lines(snapshot, suspect.key),
        *drawing(causality, snapshot, suspect.key, values, lost),
    )
    replicas = snapshot.primaries(suspect.key)
    return Finding(
        kind=suspect.kind,
        summary=_summary(causality, snapshot, suspect, puts, acks),
        key=suspect.key,
        operations=tuple(dict.fromkeys(operation.id for operation in concerned)),
        nodes=tuple(
            dict.fromkeys((*suspect.nodes, *_strays(snapshot, suspect), *(ack.node for ack in acks), *replicas))
        ),
        evidence=cut_to(LINES_MAX, evidence),
    )


def _concerned(
    history: History, causality: Causality, suspect: Suspect, puts: list[Operation]
) -> tuple[Operation, ...]:
    """Choose the operations: the puts, the contexts they carried, the first and the last read, the direct coverers."""
    key, value = suspect.key, suspect.value
    contexts = [context for put in puts if (context := causality.context(put)) is not None]
    reads = [
        operation
        for operation in history.operations
        if operation.invoked.key == key
        and operation.invoked.f == GET
        and any(version.value == value for version in operation.versions)
    ]
    coverers = [
        put for others in causality.written(key).values() for put in others if value in causality.covered_at_once(put)
    ]
    return (*puts, *contexts, *reads[:1], *reads[-1:], *coverers[:3])


def _circumstances(history: History, puts: list[Operation], acks: list[Ack]) -> tuple[str, ...]:
    """Say which faults were in force while the value was written, and what later befell those who acknowledged it."""
    if not puts:
        return ()
    begin = puts[0].invoked.at
    end = max(put.completed.at if put.completed else put.invoked.at for put in puts)
    faults = [episode for episode in episodes(history) if episode.overlaps(begin, end)]
    holders = {ack.node for ack in acks}
    befell = [
        change
        for change in history.node_changes
        if change.node in holders and change.at >= begin and change.event in ("killed", "wiped", "exited")
    ]
    return (*fault_lines(history, faults), *change_lines(befell))


def _summary(causality: Causality, snapshot: Snapshot, suspect: Suspect, puts: list[Operation], acks: list[Ack]) -> str:
    key, value = shown(suspect.key), shown(suspect.value)
    where = listed(suspect.nodes)
    match suspect.kind:
        case "lost-write":
            put = next(put for put in puts if is_acknowledged(put))
            assert put.completed is not None, "only a completed put is acknowledged"
            promise = f"{put.id} put {value} to {key}, acknowledged by {acknowledged_by(acks)}"
            fate = f"no replica holds it{_but_for(snapshot, suspect)}, and nothing that is held covers it"
            return f"{promise} at {seconds(put.completed.at)}: {fate}"
        case "vanished":
            author = f"{puts[0].id}, of unknown outcome"
            fate = f"neither held{_but_for(snapshot, suspect)} nor covered"
            return f"{key} = {value} ({author}) was read, and at the end is {fate}"
        case "resurrected":
            covering = _covering_beside(causality, snapshot, suspect)
            return f"{key} = {value} is on {where} beside {listed(map(shown, covering), at_most=3)}, which covers it"
        case _:
            author = f"{puts[0].id}, which certainly failed" if puts else "no put in the history"
            return f"{key} = {value} was {f'held by {where}' if where else 'read'}, but was written by {author}"


def _strays(snapshot: Snapshot, suspect: Suspect) -> tuple[str, ...]:
    """Name who has a copy that keeps nothing, where the value is missing."""
    return snapshot.strays(suspect.key, suspect.value) if suspect.kind in ("lost-write", "vanished") else ()


def _but_for(snapshot: Snapshot, suspect: Suspect) -> str:
    strays = _strays(snapshot, suspect)
    return f" (but for a stray copy on {listed(strays)}, which no reader finds)" if strays else ""


def _stray_lines(snapshot: Snapshot, suspect: Suspect) -> tuple[str, ...]:
    """Say where the stray copies lie; the lines about all holders of a key may be cut before they come to them."""
    lies = f"has {shown(suspect.value)} astray: it is not a primary of {shown(suspect.key)}, and it is not a hint"
    return cut_to(3, [f"{node} {lies}" for node in _strays(snapshot, suspect)])


def _covering_beside(causality: Causality, snapshot: Snapshot, suspect: Suspect) -> list[str]:
    """Name the values on the same replica that cover the suspect."""
    found: dict[str, None] = {}
    for node, held in snapshot.primary_records(suspect.key):
        for version in held.versions if node in suspect.nodes else ():
            if suspect.value in causality.covered_by(suspect.key, (version.value,)) and version.value != suspect.value:
                found[version.value] = None
    return list(found)
