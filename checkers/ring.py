"""When a living ring has come to rest, all of its members know the same ring, and it is a good one.

Who joined, left or was replaced has to be known to everybody in the end (Dynamo, 4.8.1). Every seat has passed to its
new owner, once, and whoever gave it away has let go of what was stored there (4.9). Each partition is kept on as many
hosts, racks and data centres as there are, up to N (4.6, 6.2), and anti-entropy at rest finds nothing to repair (4.7).

This file knows what members tell of the ring, and what the replicas held at the end. It does not know how a ring comes
to be, nor whether what was stored there is right. One pass over what each node told, and one over the last dumps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest

from checkers.evidence import counted, cut_to, listed, shown
from checkers.history import History, Place, RingTold
from checkers.replicas import FINAL, MEMBER, Snapshot
from checkers.sent_again import DONE, sent_again
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "ring"

IDLE = "idle"
"""The round that was told when the last wait for quiet had its first look; `final` is its second."""

_REPAIRED = ("repaired_here", "repaired_there")

Told = Mapping[str, RingTold]


def check(history: History) -> Verdict:
    """Judge the ring as its members told it at the end."""
    told = _told(history, FINAL)
    if not told:
        return Verdict(checker=_NAME, answer=Answer.UNKNOWN, reason="no node told of a ring at the end")
    members = _members(told)
    findings = [*_disagreements(told, members), *_due(told, members), *_of_seats(told, members)]
    findings += [*_transfers(history, told), *_repairs(history, told), *_misplaced(history), *_down(history, told)]
    silent = [node for node in members if node not in told and members[node] != "down"]
    figures = {
        "members": len(members),
        "rings": len({told[node].ring for node in told if node in members}),
        "moves": max(each.moves for each in told.values()),
        "transfers": sum(len(each.transfers) for each in told.values()),
        "sent": sum(sent.sent for each in told.values() for sent in each.transfers),
        "silent": silent,
    }
    answer, reason = _answer(history, findings, silent, members)
    return Verdict(
        checker=_NAME,
        answer=answer,
        reason=reason,
        findings=tuple(findings[:FINDINGS_MAX]) if answer is Answer.INVALID else (),
        found=len(findings) if answer is Answer.INVALID else 0,
        figures=figures,
    )


def _answer(
    history: History, findings: list[Finding], silent: list[str], members: Mapping[str, str]
) -> tuple[Answer, str]:
    """Weigh what was found: a cluster that had not come to rest may only have been late."""
    if history.settled and history.settled[-1].state == "moving":
        return Answer.UNKNOWN, "still at work when the wait ended: the ring may only have been late"
    if findings:
        kinds = dict.fromkeys(finding.kind for finding in findings)
        return Answer.INVALID, f"not a ring at rest: {listed(kinds)}"
    if silent:
        return Answer.UNKNOWN, f"{listed(silent)} did not tell of its ring"
    return Answer.VALID, f"{counted(len(members), 'member')} know one ring, and no seat has to move"


def _told(history: History, round_name: str) -> dict[str, RingTold]:
    """What each node told last in that round."""
    return {told.node: told for told in history.rings if told.round == round_name}


def _members(told: Told) -> dict[str, str]:
    """The members that anybody names, with their states: one that takes itself for a member has to be told better."""
    found: dict[str, str] = {}
    for each in told.values():
        found.update({node: state for node, state in each.states.items() if state in MEMBER and node not in found})
    return found


def _disagreements(told: Told, members: Mapping[str, str]) -> Iterator[Finding]:
    rings: dict[str, list[str]] = {}
    for node, each in told.items():
        if node in members:
            rings.setdefault(each.ring, []).append(node)
    if len(rings) > 1:
        yield Finding(
            kind="rings-differ",
            summary=f"at the end there are {len(rings)} rings",
            nodes=tuple(told),
            evidence=cut_to(8, [f"ring {shown(ring)}: {listed(nodes)}" for ring, nodes in rings.items()]),
        )
    for ring, nodes in rings.items():
        yield from _seated_otherwise(told, ring, nodes)
        yield from _bound_elsewhere(told, ring, nodes)


def _seated_otherwise(told: Told, ring: str, nodes: list[str]) -> Iterator[Finding]:
    """Find those who call their ring by one name, and mean different seats."""
    first, *others = nodes
    for node in others:
        pairs = list(zip_longest(told[first].seats, told[node].seats, fillvalue=()))
        differ = {place: pair for place, pair in enumerate(pairs) if pair[0] != pair[1]}
        if differ:
            where = f"{len(differ)} of {counted(len(pairs), 'partition')}"
            yield Finding(
                kind="seats-differ",
                summary=f"{first} and {node} both know ring {shown(ring)}, and mean other seats by it in {where}",
                nodes=(first, node),
                evidence=cut_to(
                    8, [f"partition {place}: {listed(one)}, or {listed(two)}" for place, (one, two) in differ.items()]
                ),
            )


def _bound_elsewhere(told: Told, ring: str, nodes: list[str]) -> Iterator[Finding]:
    """Find those who call their ring by one name, seat it alike or not, and mean to make different ones of it."""
    moves: dict[int, list[str]] = {}
    for node in nodes:
        moves.setdefault(told[node].moves, []).append(node)
    if len(moves) > 1:
        yield Finding(
            kind="moves-differ",
            summary=f"{listed(nodes)} all know ring {shown(ring)}, and do not agree how many of its seats are to move",
            nodes=tuple(nodes),
            evidence=cut_to(8, [f"{counted(due, 'move')}: {listed(who)}" for due, who in moves.items()]),
        )


def _due(told: Told, members: Mapping[str, str]) -> Iterator[Finding]:
    due = {node: each.moves for node, each in told.items() if each.moves and node in members}
    if due:
        yield Finding(
            kind="moves-due",
            summary=f"{counted(max(due.values()), 'seat')} had not passed to their new owners at the end",
            nodes=tuple(due),
            evidence=tuple(f"{node} knows of {counted(moves, 'move')}" for node, moves in due.items()),
        )


def _of_seats(told: Told, members: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the seats as the first member tells them; where rings differ, that was told already."""
    each = next((each for node, each in told.items() if node in members), None)
    if each is None or each.moves:
        return
    strangers = sorted({node for seats in each.seats for node in seats if node not in members})
    if strangers:
        summary = f"{listed(strangers)} keeps partitions, and is no member"
        yield Finding(kind="seat-outside", summary=summary, nodes=tuple(strangers))
    for kind, where in _SPREADS.items():
        yield from _too_close(each, members, kind, where)


_SPREADS: dict[str, Callable[[Place], object]] = {
    "host": lambda place: place.machine,
    "rack": lambda place: (place.dc, place.rack),
    "data centre": lambda place: place.dc,
}


def _too_close(
    each: RingTold, members: Mapping[str, str], kind: str, where: Callable[[Place], object]
) -> Iterator[Finding]:
    """Find partitions that are kept in fewer places of a kind than there are, up to N."""
    places = {node: where(each.places[node]) for node in members if node in each.places}
    wanted = min(each.n, len(set(places.values())))
    close = [seats for seats in each.seats if len({places.get(node, node) for node in seats}) < wanted]
    if close:
        kinds = counted(wanted, kind)
        yield Finding(
            kind="too-close",
            summary=f"{len(close)} of {counted(len(each.seats), 'partition')} are kept on fewer than {kinds}",
            nodes=close[0],
            evidence=cut_to(8, [f"{listed(seats)} keep one" for seats in dict.fromkeys(close)]),
        )


def _transfers(history: History, told: Told) -> Iterator[Finding]:
    """Find seats that were given away twice, and keys that were sent again though nobody had written them."""
    givers: dict[str, list[str]] = {}
    for each in told.values():
        yield from sent_again(history, each)
        for sent in each.transfers:
            if sent.state == DONE:
                givers.setdefault(sent.seat, []).append(each.node)
    for seat, nodes in givers.items():
        if len(nodes) > 1:
            summary = f"seat {shown(seat)} was given away {len(nodes)} times, by {listed(nodes)}"
            yield Finding(kind="moved-twice", summary=summary, nodes=tuple(dict.fromkeys(nodes)))


def _repairs(history: History, told: Told) -> Iterator[Finding]:
    """Find nodes that went on repairing while nothing was under way and nothing that anybody held changed."""
    if not history.settled or history.settled[-1].state != "quiet":
        return
    for node, before in _told(history, IDLE).items():
        after = told.get(node)
        moved = sum(after.exchanges.get(name, 0) - before.exchanges.get(name, 0) for name in _REPAIRED) if after else 0
        if moved > 0:
            summary = f"at rest {node} went on repairing: {counted(moved, 'key')} in its exchanges"
            yield Finding(kind="repairs-for-ever", summary=summary, nodes=(node,))


def _misplaced(history: History) -> Iterator[Finding]:
    """Find copies on nodes that do not keep the key any more, or never did, and that are no hints."""
    final = Snapshot(history, FINAL)
    where: dict[str, list[str]] = {}
    for key in final.keys:
        primaries = final.primaries(key)
        for node, held in final.held(key):
            if held.hint_for is None and primaries and node not in primaries:
                where.setdefault(node, []).append(key)
    for node, keys in where.items():
        primaries = final.primaries(keys[0])
        yield Finding(
            kind="misplaced",
            summary=f"{node} holds {counted(len(keys), 'key')} that others keep, such as {shown(keys[0])}",
            key=keys[0],
            nodes=(node,),
            evidence=(f"{shown(keys[0])} is kept by {listed(primaries)}", f"all: {listed(map(shown, keys))}"),
        )


def _down(history: History, told: Told) -> Iterator[Finding]:
    """Find members that live, and are still marked down."""
    states = next(iter(told.values())).states
    living = history.dumps(FINAL)
    for node, state in states.items():
        if state == "down" and node in living:
            yield Finding(kind="still-down", summary=f"{node} is back, and still marked down", nodes=(node,))
