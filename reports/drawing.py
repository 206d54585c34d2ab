"""Draw where a run stands: lines of text, the most important first, because a small terminal shows only those.

This file knows words and columns. It does not know terminals: a line too long for one is cut by whoever prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from reports.progress import WINDOW_S, Progress, Round, Standing
from reports.tables import grouping

FAULTS_MAX = 4
NODES_MAX = 4

_LABEL = 12
_COLUMN = 10
_OUTCOMES = ("ok", "failed", "unknown")


def drawn(progress: Progress, now: int) -> list[Text]:
    """Everything worth knowing of a run now, a line each, none of which may wrap."""
    lines = [_title(progress, now), *_operations(progress, now), _nodes(progress), *_faults(progress)]
    if progress.round is not None:
        lines.append(_line("replicas", _looked(progress.round, len(progress.run.nodes) if progress.run else 0)))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return lines


def _title(progress: Progress, now: int) -> Text:
    if progress.ended is not None:
        phase = "judging" if progress.ended.interrupted is None else "interrupted"
    else:
        phase = progress.phase.name if progress.phase is not None else "starting"
    title = Text.assemble((f"{phase:{_LABEL}}", "bold green"), f"{now / 1e9:8.1f} s")
    if progress.run is not None:
        run = progress.run
        title.append(f"   {run.scenario} in {run.world}, seed {run.seed}", style="dim")
    return title


def _operations(progress: Progress, now: int) -> Iterator[Text]:
    yield _columns("operations", [*_OUTCOMES, "under way"], "dim", "dim")
    rates = [f"{rate:.1f}" for rate in progress.rates(now)]
    yield _columns("a second", [*rates, f"last {WINDOW_S} s"], "dim", *_concern(rates), "dim")
    totals = [grouping(total) for total in progress.totals]
    yield _columns("in all", [*totals, grouping(progress.under_way)], "dim", *_concern(totals), "")


def _concern(cells: Sequence[str]) -> list[str]:
    """The styles of three outcomes: what did not go well stands out, what did not happen steps back."""
    styles = ["", "yellow", "yellow"]
    return [style if float(cell.replace(" ", "")) else "dim" for style, cell in zip(styles, cells, strict=True)]


def _columns(label: str, cells: Sequence[str], label_style: str, *styles: str) -> Text:
    line = Text(f"{label:{_LABEL}}", style="")
    line.stylize(label_style)
    for number, cell in enumerate(cells):
        line.append(f"{cell:>{_COLUMN}}", style=styles[min(number, len(styles) - 1)])
    return line


def _line(label: str, *parts: str | tuple[str, str]) -> Text:
    return Text.assemble((f"{label:{_LABEL}}", "dim"), "  ", *parts)


def _nodes(progress: Progress) -> Text:
    known = len(progress.run.nodes) if progress.run is not None else len(progress.up) + len(progress.down)
    line = _line("nodes", f"{len(progress.up)} of {known} up")
    if progress.down:
        since = [f"{node} since {at / 1e9:.1f} s" for node, at in progress.down.items()]
        line.append(f"; down: {_short(since, ', ')}", style="bold red")
    return line


def _faults(progress: Progress) -> Iterator[Text]:
    for fault in list(progress.faults.values())[:FAULTS_MAX]:
        yield from _fault(fault)
    in_force = sum(fault.since is not None for fault in progress.faults.values())
    words = f"{in_force} in force, {progress.healed} healed"
    failed = f", {progress.failed} could not be injected" if progress.failed else ""
    if in_force or progress.healed or failed:
        yield _line("faults", words, (failed, "yellow"))


def _fault(fault: Standing) -> Iterator[Text]:
    since = f" since {fault.since / 1e9:.1f} s" if fault.since is not None else " is being injected"
    done_to = _short(fault.victims, " ") or (f"{fault.links} links" if not fault.sides and fault.links else "")
    yield _line(f"fault {fault.id}", (fault.name, "bold magenta"), since, f": {done_to}" if done_to else "")
    if fault.sides:
        sides = (f"{_short(side.nodes, ' ')}: {side.taken} of {side.tried}" for side in fault.sides)
        yield _line("  puts taken", " | ".join(sides))


def _short(words: Sequence[str], between: str) -> str:
    """The first few words, and how many more there are."""
    more = f" +{len(words) - NODES_MAX}" if len(words) > NODES_MAX else ""
    return between.join(words[:NODES_MAX]) + more


def _looked(last: Round, nodes: int) -> str:
    parts = []
    if last.settled is not None:
        parts.append(f"{last.settled.state} after {last.settled.waited_ns / 1e9:.1f} s")
    if last.dumped:
        parts.append(f"{last.dumped} of {nodes} nodes dumped")
    return f"{last.name}: {', '.join(parts)}"
