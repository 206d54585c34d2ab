"""How an operator sees a cluster: tables that fit into 80 columns, and say more where there are 100.

This file knows reports and columns. It does not know how the reports were come by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.admin_archiving import Brought, Saved
from harness.admin_asking import Survey
from node.core.admin_messages import Done, Located, MemberReport, NodeReport, Plan, RingReport, Seats, TransferReport
from node.core.changes import Change, Member, Move
from node.core.ring import POSITION_BITS
from reports.tables import NONE, number, share, table

WIDE = 100
ROWS_MAX = 40
"""A longer list is cut, and says so; all of it is in the JSON."""


def status(survey: Survey, width: int) -> Iterator[RenderableType]:
    """Everybody, and whether they agree."""
    wide, places = width >= WIDE, _placed(survey.members)
    drawn = _columns(_left("node", "state", "address", *(["place"] if places else [])))
    _right(drawn, *(["tokens"] if wide else []), "share", "seats", "hints")
    for heading in ("ring", "life", *(["incarnation"] if wide else [])):
        drawn.add_column(heading, no_wrap=True)
    shares = _shares(survey.ring)
    for each in survey.members:
        report = survey.nodes.get(each.member.node)
        cells = [each.member.node, _state(each, report), each.address or NONE]
        cells += [_place(each.member)] if places else []
        cells += [str(each.tokens)] if wide else []
        cells += [shares[each.member.node], _change(each.seats, each.seats_after)]
        drawn.add_row(*cells, *_of_itself(report, survey.ring.ring, wide=wide))
    yield drawn
    yield from _why_silent(survey)
    yield _agreement(survey)


def ring(report: RingReport) -> Iterator[RenderableType]:
    """The ring: its members, what is to move, and the changes that made it."""
    yield f"ring {report.ring}, as {report.node} knows it"
    yield f"strategy {report.strategy}, {len(report.seats)} partitions, N={report.n}"
    places, shares = _placed(report.members), _shares(report)
    drawn = _columns(_left("node", "state", "address", *(["place"] if places else [])))
    _right(drawn, "capacity", "tokens", "share", "seats", "after")
    for each in report.members:
        cells = [each.member.node, each.state, each.address or NONE, *([_place(each.member)] if places else [])]
        cells += [str(each.member.capacity), str(each.tokens), shares.get(each.member.node, "0")]
        drawn.add_row(*cells, str(each.seats), str(each.seats_after))
    yield drawn
    yield from _due(report)
    yield from _changes(report.changes)


def plan(report: Plan) -> Iterator[RenderableType]:
    """What staged orders would do."""
    if not report.orders:
        yield "nothing is staged"
        return
    yield f"staged: {', '.join(report.orders)}"
    drawn = _columns(["node"])
    _right(drawn, "tokens", "after", "seats", "after")
    for each in report.shares:
        counts = (each.tokens, each.tokens_after, each.replicas, each.replicas_after)
        drawn.add_row(each.node, *map(number, counts))
    yield drawn
    if report.transfers:
        drawn = _columns(["giver", "taker"])
        _right(drawn, "seats")
        for pair in report.transfers:
            drawn.add_row(pair.giver, pair.taker, number(pair.seats))
        yield drawn
    yield f"{_counted(sum(pair.seats for pair in report.transfers), 'seat')} to move"
    for warning in report.warnings:
        yield f"warning: {warning}"


def done(report: Done) -> Iterator[RenderableType]:
    """What has been committed."""
    for change in report.changes:
        yield f"committed: {_in_words(change)}"
    yield f"the ring is {report.ring} now"


def transfers(survey: Survey) -> Iterator[RenderableType]:
    """Every seat that passes from one node to another, as its giver tells it: the unfinished ones."""
    rows = [each for report in survey.nodes.values() for each in report.transfers]
    drawn = _columns(["giver", "taker", "partition", "state"])
    _right(drawn, "keys", "sent")
    for each in rows[:ROWS_MAX]:
        move = each.move
        where = _partition(move, survey.ring.seats)
        drawn.add_row(move.giver, move.taker, where, each.state, number(each.keys), number(each.sent))
    if rows:
        yield drawn
        yield from _more(rows)
    yield from _why_silent(survey)
    yield f"{_by_state(rows)}; {_counted(len(survey.ring.moves), 'switch', 'es')} still due"


def hints(survey: Survey) -> Iterator[RenderableType]:
    """Who holds what for whom."""
    drawn = _columns(["holder", "target"])
    _right(drawn, "hints")
    held = [(name, *each) for name, report in survey.nodes.items() for each in sorted(report.hints.items())]
    for holder, target, count in held:
        drawn.add_row(holder, target, number(count))
    if held:
        yield drawn
    yield from _why_silent(survey)
    yield f"{_counted(sum(count for _, _, count in held), 'hint')} held"


def anti_entropy(survey: Survey) -> Iterator[RenderableType]:
    """What the replicas' comparisons found, and what background work is granted."""
    reports = survey.nodes
    drawn = _columns(["anti-entropy"])
    _right(drawn, *reports)
    for name in dict.fromkeys(name for report in reports.values() for name in report.anti_entropy):
        counts = (report.anti_entropy.get(name) for report in reports.values())
        drawn.add_row(name, *(NONE if count is None else number(count) for count in counts))
    if drawn.row_count:
        yield drawn
    drawn = _columns(["background"])
    _right(drawn, "slices/s", "lowest", "halved", "store p99", "limit", "wait p99", "limit")
    for name, report in reports.items():
        now = report.background
        store = (_ms(now.store_p99_ms), f"{now.store_limit_ms} ms")
        wait = (_ms(now.wait_p99_ms), f"{now.wait_limit_ms} ms")
        drawn.add_row(name, f"{now.slices:.1f}", f"{now.lowest:.1f}", number(now.halvings), *store, *wait)
    yield drawn
    yield _granted(survey)
    yield from _why_silent(survey)


def located(key: str, position: int, report: Located, seats: tuple[Seats, ...]) -> Iterator[RenderableType]:
    """Where a key lies, and with whom; its `position` has more bits than those of partitions."""
    yield f"{key!r} lies at {position * seats[-1].end >> POSITION_BITS:016x}, on ring {report.ring}"
    yield f"partition    {_partition(report.seats, seats)} of {len(seats)}: {_range(report.seats)}"
    yield f"kept by      {' '.join(report.seats.nodes)}"
    if sorted(report.after) != sorted(report.seats.nodes):
        yield f"to be        {' '.join(report.after)}"
    yield f"fallbacks    {' '.join(report.fallbacks) or NONE}"


def archived(saved: list[Saved]) -> Iterator[RenderableType]:
    """What has been brought into files."""
    if len(saved) == 1:
        (file, header), keys = saved[0], saved[0].header.keys
        yield f"archived: {_counted(keys, 'key')} of partition {header.end}, as {header.node} keeps them, in {file}"
        return
    keys = sum(each.header.keys for each in saved)
    yield f"archived: {_counted(keys, 'key')} of {_counted(len(saved), 'partition')}, a file each"


def restored(brought: Brought) -> Iterator[RenderableType]:
    """What has been brought back."""
    yield f"restored: {_counted(brought.keys, 'key')} of {_counted(brought.files, 'archive')}"


# --- parts of tables -------------------------------------------------------------------------------------------------


def _left(*names: str) -> list[str]:
    return list(names)


def _columns(names: list[str]) -> Table:
    """A table whose first columns hold words, which are folded where there is no room."""
    made = table(names[0])
    for name in names[1:]:
        made.add_column(name, overflow="fold")
    return made


def _right(drawn: Table, *names: str) -> None:
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)


def _more(rows: list[TransferReport] | tuple[Move, ...]) -> Iterator[str]:
    if len(rows) > ROWS_MAX:
        yield f"and {len(rows) - ROWS_MAX} more; --json has them all"


def _of_itself(report: NodeReport | None, digest: str, *, wide: bool) -> list[str]:
    """What only the node can say: hints, ring, life."""
    if report is None:
        return [NONE, NONE, NONE, *([NONE] if wide else [])]
    agrees = "same" if report.ring == digest else report.ring
    incarnation = [report.life.incarnation] if wide else []
    return [str(sum(report.hints.values())), agrees, f"#{report.life.number}", *incarnation]


def _state(each: MemberReport, report: NodeReport | None) -> str:
    return each.state if report is not None else f"{each.state}, silent"


def _placed(members: Iterable[MemberReport]) -> bool:
    return any(_place(each.member) != NONE for each in members)


def _place(member: Member) -> str:
    """Data centre, rack and host, as far as they are known, from the largest to the smallest."""
    return "/".join(part for part in (member.dc, member.rack, member.host) if part) or NONE


def _change(now: int, after: int) -> str:
    return str(now) if now == after else f"{now} → {after}"


def _shares(report: RingReport) -> dict[str, str]:
    """Of all replicas of all keys, how much lies with each member."""
    sizes = {each.member.node: 0 for each in report.members}
    for seats in report.seats:
        for node in seats.nodes:
            sizes[node] = sizes.get(node, 0) + seats.end - seats.start
    whole = sum(sizes.values())
    return {node: share(size, whole) if whole else NONE for node, size in sizes.items()}


def _partition(where: Seats | Move, seats: tuple[Seats, ...]) -> str:
    """The number of a partition, counted from 0, or its positions where the ring has none like it."""
    numbers = {(each.start, each.end): str(index) for index, each in enumerate(seats)}
    return numbers.get((where.start, where.end)) or _range(where)


def _range(where: Seats | Move) -> str:
    return f"[{where.start:016x}, {where.end:016x})"


def _due(report: RingReport) -> Iterator[RenderableType]:
    if not report.moves:
        yield "no seat is to move"
        return
    drawn = _columns(["giver", "taker", "partitions"])
    for (giver, taker), moves in groupby(sorted(report.moves, key=_pair), key=_pair):
        drawn.add_row(giver, taker, " ".join(_partition(move, report.seats) for move in moves))
    yield drawn
    yield f"{_counted(len(report.moves), 'switch', 'es')} due now; a partition's next one follows when it is done"


def _pair(move: Move) -> tuple[str, str]:
    return move.giver, move.taker


def _changes(changes: tuple[Change, ...]) -> Iterator[RenderableType]:
    if not changes:
        yield "no change since the founding"
        return
    drawn = _columns(["time", "by", "change"])
    for change in changes:
        drawn.add_row(_time(change.issued_ms), change.issuer, _in_words(change))
    yield drawn


def _time(since_1970_ms: int) -> str:
    """The operator's time, for people; a node that comes back has none."""
    if not 0 < since_1970_ms < 1 << 47:
        return NONE
    return f"{datetime.fromtimestamp(since_1970_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


def _in_words(change: Change) -> str:
    replaced_by = change.member is not None and change.member.node != change.node
    by = f" by {change.member.node}" if replaced_by and change.member is not None else ""
    return f"{change.operation} {change.node}{by}{f' at {change.address}' if change.address else ''}"


def _why_silent(survey: Survey) -> Iterator[Text]:
    for name, why in survey.silent.items():
        yield Text(f"{name} is silent: {why}", style="yellow")


def _agreement(survey: Survey) -> str:
    """Whether everybody who answers knows the same ring."""
    by_ring: dict[str, list[str]] = {}
    answers = [(name, survey.nodes[name]) for name in survey.names if name in survey.nodes]
    for name, report in answers:
        by_ring.setdefault(report.ring, []).append(name)
    if len(by_ring) > 1:
        return "the rings differ: " + "; ".join(f"{' '.join(names)}: {digest}" for digest, names in by_ring.items())
    asked, members = len(answers), len(survey.names)
    who = f"all {members}" if asked == members else f"the {asked} of {members} that answer"
    return f"{who} agree on ring {survey.ring.ring}" if asked else f"no member answers, but {survey.ring.node}"


def _by_state(rows: list[TransferReport]) -> str:
    """How many transfers are in which state."""
    counts: dict[str, int] = {}
    for each in rows:
        counts[each.state] = counts.get(each.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "no transfers"


def _granted(survey: Survey) -> str:
    """What background work was done since the nodes' starts, and what waits."""
    told = []
    for task in dict.fromkeys(task for report in survey.nodes.values() for task in report.background.granted):
        granted = sum(report.background.granted.get(task, 0) for report in survey.nodes.values())
        waiting = sum(report.background.waiting.get(task, 0) for report in survey.nodes.values())
        told.append(f"{task} {granted}" + (f", {waiting} waiting" if waiting else ""))
    return f"slices granted: {'; '.join(told) or NONE}"


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f} ms"


def _counted(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}{'' if count == 1 else plural}"
