"""Draw a ladder as a picture that needs nothing else: one SVG file, for a browser or a report.

Messages slope from when they were sent to when they arrived, so that what overtakes what can be seen. Time runs down,
but not to scale: what happens at once is drawn apart, so that it can be read, and where nothing happens for long the
lifelines are broken. Whatever is cut short is whole in a tooltip. This file knows coordinates. All text from outside is
escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import log2

from reports.ladder import (
    ARRIVED,
    FaultSpan,
    Ladder,
    Mark,
    Message,
    Moment,
    Operation,
    Phase,
    lanes,
    milliseconds,
    moments,
    sentence,
)
from reports.ladder_text import GAP_NS, SYMBOLS

WIDTH = 1000
_TOP, _LINE, _GAP, _LONGEST = 64, 19, 40, 28
_TIME, _MARGIN, _LANE, _RIGHT = 74, 84, 9, 60
_LETTER = 6.2
_LABEL_MAX = 46

_STYLE = """
text { font: 11px ui-sans-serif, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 } .name { font-weight: 600; font-size: 13px; text-anchor: middle }
.time, .note { fill: #6e7781 } .time { text-anchor: end; font-variant-numeric: tabular-nums }
.life { stroke: #afb8c1; stroke-width: 1.5 } .away { stroke: #fff; stroke-width: 4 }
.broken { stroke: #fff; stroke-width: 4; stroke-dasharray: 3 3 }
.message { stroke: #424a53; stroke-width: 1.2 } .never { stroke: #cf222e; stroke-dasharray: 5 3 }
.operation { stroke: #0969da; stroke-width: 2 } .ok { stroke: #1a7f37 } .failed { stroke: #cf222e }
.unknown { stroke: #9a6700 } .never-text, .failed-text { fill: #cf222e } .ok-text { fill: #1a7f37 }
.unknown-text { fill: #9a6700 } .operation-text { fill: #0969da; font-weight: 600 } .fault { fill: #bf3989 }
.band { fill: #bf3989; opacity: .05 } .fault-text { fill: #99286e; font-weight: 600 } .commit { fill: #0a3069 }
.mark { fill: #cf222e; font-weight: 600 } .holds { fill: #1b7c83 } .sign { font-size: 14px; text-anchor: middle }
.phase { stroke: #d0d7de; stroke-dasharray: 2 4 }
.telling { stroke: #9a6700; stroke-dasharray: 6 3 } .telling-text { fill: #9a6700; font-weight: 600 }
.halo { paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round }
"""


def svg(ladder: Ladder, title: str) -> str:
    """The whole picture as text."""
    drawing = _Drawing(ladder)
    body = "\n".join(drawing.everything())
    height = drawing.height + 24 * (1 + len(ladder.notes))
    notes = "\n".join(
        _words(_MARGIN, drawing.height + 22 + 16 * number, note, "note") for number, note in enumerate(_notes(ladder))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img">\n<title>{_safe(title)}</title>\n<style>{_STYLE}</style>\n{_HEADS}\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n{_words(16, 24, title, "title")}\n{body}\n{notes}\n'
        "</svg>\n"
    )


_HEADS = "<defs>{}</defs>".format(
    "".join(
        f'<marker id="head-{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for name, colour in (
            ("message", "#424a53"),
            ("operation", "#0969da"),
            ("ok", "#1a7f37"),
            ("failed", "#cf222e"),
            ("unknown", "#9a6700"),
        )
    )
)


def _notes(ladder: Ladder) -> Iterator[str]:
    yield (
        "Time in milliseconds, downwards and not to scale. Sloping: messages; thick: operations and answers; "
        "◆ commit; ✗ never arrived; at the left margin: faults in force."
    )
    yield from ladder.notes


class _Drawing:
    """Where everything is, and how it is drawn there."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._moments = moments(ladder)
        self._lanes = lanes(ladder.faults)
        left = _MARGIN + _LANE * (max(self._lanes.values(), default=-1) + 1)
        step = (WIDTH - left - _RIGHT) / max(1, len(ladder.columns))
        self._left = left
        self._step = step
        self._x = {name: round(left + step * (number + 0.4)) for number, name in enumerate(ladder.columns)}
        self._gaps: list[tuple[int, int]] = []
        self._begins: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._times: list[tuple[int, str]] = []
        self.height = self._place()

    def _place(self) -> int:
        """Give every moment its height. What has a label of its own gets a line of its own."""
        y, at_ns = _TOP, None
        for moment in self._moments:
            since_us = 0 if at_ns is None else (moment.at_ns - at_ns) / 1000
            if at_ns is not None and moment.at_ns - at_ns > GAP_NS:
                self._gaps.append((y + 8, moment.at_ns - at_ns))
                y, since_us = y + _GAP, 0
            y += max(_LINE if _labelled(moment) else 0, min(_LONGEST, round(6 * log2(1 + since_us / 100))))
            (self._ends if moment.ends else self._begins)[moment.serial] = y
            self._times.append((y, milliseconds(moment.at_ns)))
            at_ns = moment.at_ns
        return y + 30

    def everything(self) -> Iterator[str]:
        """The elements from back to front."""
        yield from self._faults()
        yield from self._lifelines()
        yield from self._gap_signs()
        yield from self._clock()
        drawn = [part for moment in self._moments for part in self._parts(moment)]
        for layer in range(2):  # labels above all lines
            for tip, parts in drawn:
                if parts[layer]:
                    yield f"<g><title>{_safe(tip)}</title>{parts[layer]}</g>"

    def _parts(self, moment: Moment) -> Iterator[tuple[str, tuple[str, str]]]:
        """A tooltip, with what is drawn as lines and as labels."""
        match moment.item:
            case Message() if not moment.ends:
                yield self._message(moment, moment.item)
            case Operation():
                yield self._operation(moment, moment.item)
            case Mark():
                yield self._mark(moment, moment.item)
            case Phase(name=name, telling=telling):
                y = self._begins[moment.serial]
                line = _line("phase telling" if telling else "phase", self._left, y, WIDTH, y)
                style = "telling-text halo" if telling else "note halo"
                yield name, (line, _words(WIDTH - 10, y - 3, name, style, anchor="end"))

    # --- what stands still ---

    def _lifelines(self) -> Iterator[str]:
        bottom = self.height - 18
        for name, x in self._x.items():
            yield _words(x, _TOP - 14, name, "name")
            yield f'<line class="life" x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{bottom}"/>'
            yield _words(x, bottom + 14, name, "name")
        for column, top, end in self._absences(bottom):
            yield f'<line class="away" x1="{self._x[column]}" y1="{top}" x2="{self._x[column]}" y2="{end}"/>'

    def _absences(self, bottom: int) -> Iterator[tuple[str, int, int]]:
        """Where a node is down or frozen: its column, from where to where."""
        gone: dict[str, int] = {}
        for moment in self._moments:
            if isinstance(moment.item, Mark):
                column, y = moment.item.column, self._begins[moment.serial]
                if moment.item.kind in ("killed", "exited", "stopped", "paused"):
                    gone.setdefault(column, y)
                elif moment.item.kind in ("started", "resumed") and column in gone:
                    yield column, gone.pop(column), y
        for column, y in gone.items():
            yield column, y, bottom

    def _gap_signs(self) -> Iterator[str]:
        for y, lasted_ns in self._gaps:
            for x in self._x.values():
                yield f'<line class="broken" x1="{x}" y1="{y}" x2="{x}" y2="{y + _GAP - 14}"/>'
            yield _words(_TIME, y + 17, f"{lasted_ns / 1e9:.1f} s ⋮", "time")

    def _clock(self) -> Iterator[str]:
        said, last = "", -_LINE
        for y, words in self._times:
            if words != said and y - last >= 11:
                yield _words(_TIME, y + 4, words, "time")
                said, last = words, y

    def _faults(self) -> Iterator[str]:
        for serial, fault in ((m.serial, m.item) for m in self._moments if not m.ends):
            if isinstance(fault, FaultSpan):
                top, end = self._begins[serial], self._ends.get(serial, self.height - 18)
                x, tip = _MARGIN + _LANE * self._lanes[fault.id], f"{fault.name}: {fault.label}"
                yield f'<rect class="band" x="{self._left}" y="{top}" width="{WIDTH}" height="{end - top}"/>'
                yield (
                    f'<rect class="fault" x="{x}" y="{top}" width="5" height="{end - top}">'
                    f"<title>{_safe(tip)}</title></rect>"
                )
        for moment in self._moments:
            if isinstance(moment.item, FaultSpan):
                y = (self._ends if moment.ends else self._begins)[moment.serial]
                yield _words(self._left + 4, y + 4, sentence(moment), "fault-text halo")

    # --- what happens ---

    def _message(self, moment: Moment, message: Message) -> tuple[str, tuple[str, str]]:
        start, end = self._x[message.source], self._x[message.target]
        right, y = end > start, self._begins[moment.serial]
        tip = f"{message.source} → {message.target}: {sentence(moment)}, sent {milliseconds(message.sent_ns)}"
        if message.arrived_ns is not None:
            arrives = self._ends[moment.serial]
            tip += f", arrived {milliseconds(message.arrived_ns)} ms"
            line = _line("message", start, y, end, arrives, "message")
            return tip, (line, _beside(end, arrives - 4, message.label, "halo", before=right))
        end = round(end - (14 if right else -14))
        line = _line("message never", start, y - 6, end, y)
        cross = _words(end, y + 5, "✗", "sign never-text")
        fits = end + 12 + _LETTER * min(_LABEL_MAX, len(sentence(moment))) < WIDTH
        before = right and not fits
        beside = _beside(
            end, y - 7 if before else y + 4, sentence(moment), "never-text halo", before=before or not right
        )
        return tip, (line, cross + beside)

    def _operation(self, moment: Moment, operation: Operation) -> tuple[str, tuple[str, str]]:
        client, node = self._x[operation.client], self._x[operation.node]
        tip = f"{operation.label}: {operation.answer}"
        if moment.ends:
            y, kind = self._ends[moment.serial], operation.outcome
            line = _line(f"operation {kind}", node, y, client, y, kind)
        else:
            y, kind = self._begins[moment.serial], "operation"
            line = _line("operation", client, y, node, y, "operation")
        return tip, (line, _words(client + 10, y - 4, sentence(moment), f"{kind}-text halo"))

    def _mark(self, moment: Moment, mark: Mark) -> tuple[str, tuple[str, str]]:
        x, y = self._x[mark.column], self._begins[moment.serial]
        kind = mark.kind if mark.kind in ("commit", "holds") else "mark"
        sign = _words(x, y + 5, SYMBOLS.get(mark.kind, "•"), f"sign {kind}")
        before = x + 9 + _LETTER * min(_LABEL_MAX, len(mark.label)) > WIDTH
        tip = f"{milliseconds(mark.at_ns)} ms: {sentence(moment)}"
        return tip, ("", sign + _beside(x, y + 4, mark.label, f"{kind} halo", before=before))


def _beside(x: int, y: int, label: str, style: str, *, before: bool) -> str:
    """A label left or right of a place."""
    return _words(x - 10, y, label, style, anchor="end") if before else _words(x + 10, y, label, style)


def _labelled(moment: Moment) -> bool:
    """Whether it needs a line of its own: everything but the sending of what arrives."""
    item = moment.item
    return not (isinstance(item, Message) and not moment.ends and item.fate == ARRIVED)


def _line(style: str, x: int, y: int, to_x: int, to_y: int, head: str | None = None) -> str:
    marker = f' marker-end="url(#head-{head})"' if head else ""
    return f'<line class="{style}" x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"{marker}/>'


def _words(x: int, y: int, text: str, style: str, *, anchor: str | None = None) -> str:
    long = len(text) > _LABEL_MAX and style not in ("title", "note", "fault-text halo", "telling-text halo")
    cut = f"{text[: _LABEL_MAX - 1]}…" if long else text
    end = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text class="{style}" x="{x}" y="{y}"{end}>{_safe(cut)}</text>'


def _safe(text: str) -> str:
    """Text that can stand in XML, whatever it was."""
    return escape("".join(character if character.isprintable() else "\ufffd" for character in text))
