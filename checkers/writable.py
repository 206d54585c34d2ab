"""The store takes writes: always outside faults, and on each side of a cut that is large enough.

"Always writeable" is what Dynamo was built for (2.3), and a sloppy quorum is how it does it (4.6): a side with W nodes
can take a write whoever the primaries are. While nothing is wrong it may refuse one put in twenty and leave half of
them unanswered, no more, and no node may refuse five in a row; a side of a cut must only not be silent. What a store
refuses for a reason of the put's own (too large, malformed, with a foreign context) says nothing about it. This file
knows cuts, sides and outcomes. It does not know what became of what was accepted. A side is judged by the node that the
client asked. One pass, and one more over the puts of each cut, found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from checkers.causality import PUT, is_acknowledged, is_refused
from checkers.episodes import Episode, downtimes, episodes, is_early
from checkers.evidence import change_lines, counted, cut_to, fault_lines, listed, operation_lines
from checkers.history import History, Operation
from checkers.replicas import Snapshot, fault_round
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "writable"
_TRIES_MIN = 10
_SHARED_TRIES_MIN = 20
_NODE_TRIES_MIN = 5
_FAILED_MAX = 0.05
_UNKNOWN_MAX = 0.5
_OWN_REASONS = ("too-large", "bad-request", "bad-context")
_CUT_NS_MIN = 2_000_000_000
_PATIENCE_NS = 1_000_000_000
_WAKE_NS = 2_000_000_000


@dataclass
class _Tally:
    """Puts by outcome; `late` ones were accepted, but only after the span in which they were tried."""

    tried: int = 0
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    late: int = 0

    def take(self, put: Operation, until: int) -> None:
        """Count one put, accepted only if it was by then."""
        self.tried += 1
        kind = put.outcome.value
        if is_acknowledged(put) and put.completed is not None and put.completed.at > until:
            kind = "late"
        setattr(self, kind, getattr(self, kind) + 1)

    def figures(self) -> dict[str, int]:
        """The counts by name."""
        return {name: getattr(self, name) for name in ("tried", "ok", "failed", "unknown", "late")}


@dataclass
class _Side:
    """One side of one cut, with the puts that were sent to its nodes."""

    nodes: tuple[str, ...]
    puts: list[Operation] = field(default_factory=list)
    tally: _Tally = field(default_factory=_Tally)
    first_ok_ns: int | None = None
    keys: dict[str, None] = field(default_factory=dict)


@dataclass
class _Cut:
    """A cut with sides, from when it came in force until it was healed."""

    episode: Episode
    begin: int
    end: int
    sides: tuple[_Side, ...]

    def take(self, put: Operation) -> None:
        """Count a put that was invoked while the cut was in force."""
        for side in self.sides:
            if put.invoked.node in side.nodes:
                side.puts.append(put)
                side.tally.take(put, self.end)
                if is_acknowledged(put) and put.completed is not None and put.completed.at <= self.end:
                    side.keys[put.invoked.key] = None
                    waited = put.completed.at - self.begin
                    side.first_ok_ns = waited if side.first_ok_ns is None else min(waited, side.first_ok_ns)


def check(history: History) -> Verdict:
    """Judge whether writes were accepted wherever and whenever they had to be."""
    puts = [operation for operation in history.operations if operation.invoked.f == PUT and operation.was_sent]
    puts.sort(key=_invoked_at)
    cuts = _cuts(history)
    for cut in cuts:
        for put in puts[bisect_left(puts, cut.begin, key=_invoked_at) : bisect_left(puts, cut.end, key=_invoked_at)]:
            cut.take(put)
    calm = _calm(history, puts)
    about_cuts = [_cut_figures(history, cut) for cut in cuts]
    findings = [*_refused_in_calm(calm), *_refusing_nodes(calm), *_silent_sides(history, cuts)]
    accepted = sum(map(is_acknowledged, puts))
    answer, reason = _answer(puts, accepted, findings)
    return Verdict(
        checker=_NAME,
        answer=answer,
        reason=reason,
        findings=tuple(findings[:FINDINGS_MAX]),
        found=len(findings),
        figures={
            "puts": len(puts),
            "accepted": accepted,
            "by_phase": _by_phase(history, puts),
            "calm": _tally(calm, history.lasted_ns).figures(),
            "of_their_own": sum(map(_is_of_its_own, puts)),
            "cuts": about_cuts,
        },
        notes=tuple(_cut_note(cut, history.run.w) for cut in about_cuts),
    )


def _invoked_at(put: Operation) -> int:
    return put.invoked.at


def _is_of_its_own(put: Operation) -> bool:
    """Whether the put certainly failed for a reason that lies in itself: any store refuses it, at any time."""
    error = put.completed.error if put.completed is not None else None
    return is_refused(put) and (error or "").partition(":")[0] in _OWN_REASONS


def _answer(puts: list[Operation], accepted: int, findings: list[Finding]) -> tuple[Answer, str]:
    if not puts:
        return Answer.UNKNOWN, "no put was tried"
    if findings:
        return Answer.INVALID, f"writes were not accepted where they had to be: {listed(f.kind for f in findings)}"
    if not accepted:
        return Answer.UNKNOWN, f"none of {counted(len(puts), 'put')} was accepted, but none had to be"
    return Answer.VALID, f"{accepted} of {counted(len(puts), 'put')} accepted ({accepted / len(puts):.1%})"


def _cuts(history: History) -> tuple[_Cut, ...]:
    found = []
    for episode in episodes(history):
        if episode.sides and episode.started_at is not None:
            end = episode.healed_at if episode.healed_at is not None else history.lasted_ns
            sides = tuple(_Side(side) for side in episode.sides)
            found.append(_Cut(episode, episode.started_at, end, sides))
    return tuple(found)


def _calm(history: History, puts: list[Operation]) -> list[Operation]:
    """Choose the puts of the stress phase with no excuse: no fault and no node away, nor for two seconds before.

    A put that has an excuse of its own is left out.
    """
    begins, ends = _troubled(history)
    return [
        put
        for put in puts
        if put.completed is not None
        and not (_is_of_its_own(put) or is_early(history, put))
        and history.phase_at(put.invoked.at) == "stress"
        and bisect_right(begins, put.completed.at) == bisect_right(ends, put.invoked.at)
    ]


def _troubled(history: History) -> tuple[list[int], list[int]]:
    """Find the spans in which something was wrong, joined where they touch, as sorted beginnings and ends.

    A fault counts from its request: a node that is asked to leave refuses before it is gone, and links are cut one by
    one. An operation met no span exactly when as many had ended before it began as had begun before it ended.
    """
    forever = history.lasted_ns + 1
    spans = [span for episode in episodes(history) if (span := _trouble(episode, forever)) is not None]
    spans += [(away.since, _WAKE_NS + (forever if away.until is None else away.until)) for away in downtimes(history)]
    begins: list[int] = []
    ends: list[int] = []
    for begin, end in sorted(spans):
        if ends and begin <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            begins.append(begin)
            ends.append(end)
    return begins, ends


def _trouble(episode: Episode, forever: int) -> tuple[int, int] | None:
    """From when to when a fault is an excuse; one that could not be injected may have done half of its harm."""
    began = episode.requested_at if episode.requested_at is not None else episode.started_at
    ended = episode.healed_at if episode.started_at is not None else episode.failed_at
    if began is None or (episode.started_at is None and ended is None):
        return None
    return began, _WAKE_NS + (forever if ended is None else ended)


def _refused_in_calm(calm: list[Operation]) -> list[Finding]:
    """Convict when none was accepted, or too few of many: a single one may have met a timeout that proves nothing."""
    tried, refused = len(calm), [put for put in calm if not is_acknowledged(put)]
    failed = sum(map(is_refused, refused))
    unknown = len(refused) - failed
    if tried >= _TRIES_MIN and len(refused) == tried:
        told = f"none of {counted(tried, 'put')} was accepted"
    elif tried >= _SHARED_TRIES_MIN and failed > _FAILED_MAX * tried:
        told = f"{failed} of {counted(tried, 'put')} were refused ({failed / tried:.1%}; {_FAILED_MAX:.0%} may be)"
    elif tried >= _SHARED_TRIES_MIN and unknown > _UNKNOWN_MAX * tried:
        told = f"{unknown} of {counted(tried, 'put')} got no certain answer ({unknown / tried:.1%})"
    else:
        return []
    by_node = Counter(put.invoked.node for put in refused)
    tries = Counter(put.invoked.node for put in calm)
    return [
        Finding(
            kind="refused-in-calm",
            summary=f"{told} while nothing was wrong",
            operations=tuple(put.id for put in refused[:_TRIES_MIN]),
            nodes=tuple(by_node),
            evidence=(
                *(f"{node} did not accept {number} of {tries[node]}" for node, number in by_node.most_common(5)),
                *operation_lines(refused),
            ),
        )
    ]


def _refusing_nodes(calm: list[Operation]) -> list[Finding]:
    """Find nodes that certainly refused five puts and more, one after the other, while nothing was wrong."""
    streaks: dict[str, list[Operation]] = {}
    longest: dict[str, list[Operation]] = {}
    for put in calm:
        node = put.invoked.node
        streaks[node] = [*streaks.get(node, ()), put] if is_refused(put) else []
        longest[node] = max(longest.get(node, []), streaks[node], key=len)
    return [
        Finding(
            kind="refusing-node",
            summary=f"{node} refused {counted(len(puts), 'put')}, one after the other, while nothing was wrong",
            operations=tuple(put.id for put in puts[:_NODE_TRIES_MIN]),
            nodes=(node,),
            evidence=tuple(operation_lines(puts[:_TRIES_MIN])),
        )
        for node, puts in longest.items()
        if len(puts) >= _NODE_TRIES_MIN
    ]


def _silent_sides(history: History, cuts: tuple[_Cut, ...]) -> list[Finding]:
    """Find sides with W nodes in working order that accepted nothing throughout a cut that gave them time to."""
    found = []
    for cut in cuts:
        for side in cut.sides if cut.end - cut.begin > _CUT_NS_MIN else ():
            tries = sum(put.invoked.at <= cut.end - _PATIENCE_NS and not _is_of_its_own(put) for put in side.puts)
            enough = len(_in_working_order(history, cut, side)) >= history.run.w
            if enough and tries >= _TRIES_MIN and not side.tally.ok:
                found.append(_not_writable(history, cut, side))
    return found


def _in_working_order(history: History, cut: _Cut, side: _Side) -> tuple[str, ...]:
    """Name the nodes of a side that nothing else happened to: no promise is made for a side hurt twice.

    Any other cut that was in force at the time may have gone through the side, so it excuses all of it.
    """
    others = [
        other
        for other in episodes(history)
        if other.id != cut.episode.id and other.overlaps(cut.begin, cut.end, wake_ns=_WAKE_NS)
    ]
    if any(other.is_cut or not other.victims for other in others):
        return ()
    hurt = {node for other in others for node in other.victims}
    hurt |= {away.node for away in downtimes(history) if away.overlaps(cut.begin, cut.end, wake_ns=_WAKE_NS)}
    return tuple(node for node in side.nodes if node not in hurt)


def _not_writable(history: History, cut: _Cut, side: _Side) -> Finding:
    during = [change for change in history.node_changes if cut.begin <= change.at <= cut.end]
    lines = (*fault_lines(history, [cut.episode]), *change_lines(during), *operation_lines(side.puts))
    tried = counted(side.tally.tried, "put")
    return Finding(
        kind="not-writable",
        summary=f"{' '.join(side.nodes)} accepted none of {tried} during cut {cut.episode.id}, with W={history.run.w}",
        operations=tuple(put.id for put in side.puts[:_TRIES_MIN]),
        nodes=side.nodes,
        evidence=cut_to(20, lines),
    )


def _by_phase(history: History, puts: list[Operation]) -> dict[str, dict[str, Any]]:
    tallies: dict[str, _Tally] = {}
    for put in puts:
        tallies.setdefault(history.phase_at(put.invoked.at), _Tally()).take(put, history.lasted_ns)
    return {phase: tally.figures() | {"share": round(tally.ok / tally.tried, 4)} for phase, tally in tallies.items()}


def _tally(puts: list[Operation], until: int) -> _Tally:
    tally = _Tally()
    for put in puts:
        tally.take(put, until)
    return tally


def _cut_figures(history: History, cut: _Cut) -> dict[str, Any]:
    round_name = fault_round(cut.episode.id)
    snapshot = Snapshot(history, round_name) if round_name in history.rounds else None
    traffic = cut.episode.traffic.values()
    return {
        "id": cut.episode.id,
        "name": cut.episode.name,
        "lasted_ns": cut.end - cut.begin,
        "sides": [
            {
                "nodes": list(side.nodes),
                "size": len(side.nodes),
                "first_ok_ns": side.first_ok_ns,
                **side.tally.figures(),
            }
            for side in cut.sides
        ],
        "keys_on_both": len(_keys_on_both(cut)),
        "links": len(cut.episode.traffic),
        "links_with_traffic": sum(seen > 0 for seen, _ in traffic),
        "seen": sum(seen for seen, _ in traffic),
        "dropped": sum(dropped for _, dropped in traffic),
        "keys_differing": sum(map(snapshot.differs, snapshot.keys)) if snapshot else None,
    }


def _keys_on_both(cut: _Cut) -> list[str]:
    """Name the keys that were acknowledged on more than one side: where the store diverged, if it could."""
    times: dict[str, int] = {}
    for side in cut.sides:
        for key in side.keys:
            times[key] = times.get(key, 0) + 1
    return [key for key, count in times.items() if count > 1]


def _cut_note(cut: dict[str, Any], w: int) -> str:
    """Tell a cut, and which of its sides are held to the promise: a small one is not, nor is anybody in a short cut."""
    sides = (_side_note(side, w) for side in cut["sides"])
    short = ", too short to be judged" if cut["lasted_ns"] <= _CUT_NS_MIN else ""
    note = f"cut {cut['id']}, {cut['lasted_ns'] / 1e9:.1f} s{short}: puts {listed(sides)}"
    note += f"; {counted(cut['keys_on_both'], 'key')} on both sides"
    return note if cut["keys_differing"] is None else f"{note}, {cut['keys_differing']} differed when healed"


def _side_note(side: dict[str, Any], w: int) -> str:
    small = f" (fewer than W={w})" if len(side["nodes"]) < w else ""
    return f"{' '.join(side['nodes'])} took {side['ok']} of {side['tried']}{small}"
