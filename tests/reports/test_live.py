"""A run is shown while it goes on, where that is wanted; and however it ends, the terminal is as it was before."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from checkers.history import FaultChanged, Record, RunEnded
from harness.runs import carry_out
from harness.spec import RunSpec
from reports.live import LiveView, Mode, PlainView, mode_for, watching
from reports.terminal import console_for
from tests.checkers.story import Story
from tests.reports.screen import Screen, Terminal

ROOT = Path(__file__).parents[2]
SPEC = RunSpec(
    scenario="partition-halves", world="sim", seed=3, faults=("partition-halves",), time_limit_s=4.0,
    every_s=2.0, for_s=1.0, concurrency=4, rate=40.0, keys=6,
)  # fmt: skip
BROKEN = FaultChanged(at=1, id=1, name="odd", event="started", detail={"sides": 7})


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests run in CI as well."""
    for name in ("NO_COLOR", "CI", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def story() -> Story:
    """Two faults at once, in the middle of a run, with words that would be markup in other hands."""
    told = Story(nodes=("n1", "n2", "n3", "n4", "n5")).phase("stress")
    for node in told.nodes:
        told.node(node, "started")
    told.wait(3).fault(7, "partition-halves", "started", detail={"sides": [["n1", "n4"], ["n2", "n3", "n5"]]})
    told.put("a", node="n1")
    told.put("b", node="n2", answered=False)
    told.node("n4", "killed").fault(8, "[bold]kill", "started", detail={"nodes": ["n4"]})
    return told.everywhere("a", round_name="fault-6")


def console(width: int = 100, height: int = 40) -> Console:
    """A console on a terminal of that size."""
    made = console_for(Terminal())
    made.size = made.size.__class__(width, height)
    return made


def written(shown: Console) -> str:
    """Everything that went to the console."""
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def picture(width: int = 100, height: int = 40) -> list[str]:
    """The view of the story."""
    view = LiveView(console(), instant=True)
    for record in story().records:
        view.heard(record)
    paper = Console(file=io.StringIO(), width=width, height=height)
    paper.print(view)
    assert view.trouble is None
    return written(paper).splitlines()


def test_the_picture() -> None:
    """Phase and time, operations, nodes, faults with their sides and victims, and the last look at the replicas."""
    assert [line.rstrip() for line in picture()] == [
        "stress           3.2 s   a-story in sim, seed 7",
        "operations          ok    failed   unknown under way",
        "a second           2.0       0.0       0.0  last 5 s",
        "in all               1         0         0         1",
        "nodes         4 of 5 up; down: n4 since 3.1 s",
        "fault 7       partition-halves since 3.1 s",
        "  puts taken  n1 n4: 1 of 1 | n2 n3 n5: 0 of 0",
        "fault 8       [bold]kill since 3.1 s: n4",
        "faults        2 in force, 0 healed",
        "replicas      fault-6: 5 of 5 nodes dumped",
    ]


@pytest.mark.parametrize("width", [1, 10, 30, 60, 100])
@pytest.mark.parametrize("height", [1, 2, 5, 40])
def test_a_small_terminal_gets_what_fits(width: int, height: int) -> None:
    """Never a line that wraps, never more lines than there are, and the most important ones first."""
    lines = picture(width, height)
    assert max(map(len, lines)) <= width
    assert len(lines) == min(10, max(height - 1, 1))
    assert lines[0].startswith("stress"[: width - 1])


@pytest.mark.parametrize("records", [0, 1, 2, 3, 30])
def test_a_run_that_has_hardly_begun(records: int) -> None:
    """Every beginning of a story can be drawn, also the one without any record."""
    view = LiveView(console(), instant=False)
    for record in story().records[:records]:
        view.heard(record)
    console().print(view)
    assert view.trouble is None


@pytest.mark.parametrize("ending", [None, RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_view_is_gone_when_it_is_over(ending: type[BaseException] | None) -> None:
    """What came before stands, what comes after follows it, no line of the view is left, and the cursor is back."""
    shown = console()
    shown.print("before")
    with suppress(*([ending] if ending else [])), watching(shown, environ={}) as heard:
        assert heard is not None
        for record in story().records:
            heard(record)
        shown.print("meanwhile")
        if ending is not None:
            raise ending
    shown.print("after")
    text = written(shown)
    assert "\x1b[?25l" in text, "no live view was shown"
    assert "partition-halves" in text, "it was not drawn"
    screen = Screen(text)
    assert screen.cursor_seen
    assert "\n".join(line.rstrip() for line in screen.lines).rstrip() == "before\nmeanwhile\nafter"
    assert sys.stdout.__class__.__name__ != "FileProxy"


def test_a_failing_view_does_not_cost_the_run() -> None:
    """A record that cannot be taken in is no reason to stop; that the view failed is said when it is over."""
    for shown in (console(), console_for(io.StringIO())):
        with watching(shown, environ={}) as heard:
            assert heard is not None
            heard(BROKEN)
            heard(BROKEN)
        assert "the view of the run failed: TypeError(" in written(shown)


def test_a_closed_pipe_does_not_cost_the_run() -> None:
    """Nobody reads any more; the run goes on."""

    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    with watching(Console(file=Closed()), environ={}) as heard:
        assert heard is not None
        for record in story().records:
            heard(record)


def test_time_goes_on_between_records() -> None:
    """A run's real time does not stand still because nothing is recorded; virtual time, and an ended run's, does."""
    now = [100.0]
    views = [LiveView(console(), instant=instant, clock=lambda: now[0]) for instant in (False, True)]
    told = story()
    for view in views:
        for record in told.records:
            view.heard(record)
    now[0] += 2.5
    assert [view.now_ns() - told.now for view in views] == [2_500_000_000, 0]
    views[0].heard(RunEnded(at=told.now + 1))
    now[0] += 2.5
    assert views[0].now_ns() == told.now + 1


@pytest.mark.parametrize(
    ("stream", "environ", "instant", "mode"),
    [
        (Terminal, {}, False, Mode.LIVE),
        (Terminal, {}, True, Mode.LIVE),
        (Terminal, {"CI": "", "NO_COLOR": ""}, False, Mode.LIVE),
        (Terminal, {"NO_COLOR": "1"}, False, Mode.PLAIN),
        (Terminal, {"CI": "true"}, False, Mode.PLAIN),
        (Terminal, {"CI": "true"}, True, Mode.SILENT),
        (io.StringIO, {}, False, Mode.PLAIN),
        (io.StringIO, {}, True, Mode.SILENT),
    ],
)
def test_who_gets_a_live_view(
    stream: Callable[[], io.StringIO], environ: dict[str, str], instant: bool, mode: Mode
) -> None:
    """Terminals, unless `NO_COLOR` or `CI` is set; others get lines, and of an instant run nothing."""
    assert mode_for(console_for(stream()), environ, instant=instant) is mode


def test_forced_colours_in_a_pipe_are_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """`FORCE_COLOR` is for colours: a view that is redrawn in a file is a mess. Nor can a dumb terminal redraw."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert mode_for(console_for(io.StringIO()), {}, instant=False) is Mode.PLAIN
    monkeypatch.setenv("TERM", "dumb")
    assert mode_for(console_for(Terminal()), {}, instant=False) is Mode.PLAIN


def test_plain_lines_end_with_an_empty_one() -> None:
    """So that the report stands apart."""
    shown = console_for(io.StringIO())
    with PlainView(shown) as view:
        for record in Story().phase("load").records:
            view.heard(record)
    assert written(shown) == "  0.010 s  phase load\n\n"


def test_a_simulation_does_not_feel_that_it_is_watched(tmp_path: Path) -> None:
    """The trace is the same, to the last event."""
    heard: list[Record] = []

    def digest(name: str, hear: Callable[[Record], None] | None) -> str | None:
        (tmp_path / name).mkdir()
        return carry_out(SPEC, tmp_path / name, "", hear).digest

    with watching(console(), instant=True, environ={}) as live:
        assert live is not None
        show = live

        def hear(record: Record) -> None:
            heard.append(record)
            show(record)

        watched = digest("watched", hear)
    assert watched == digest("alone", None)
    assert len(heard) > 100


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}, {"CI": "1"}])
def test_the_command_on_a_terminal(tmp_path: Path, environ: dict[str, str]) -> None:
    """A real terminal: the view comes and goes, the cursor is back, and the answer is there."""
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "harness", "run", "calm", "--world", "sim", "--time-limit", "5"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environ}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment) as process:
        os.close(theirs)
        text = _everything(mine)
    assert process.returncode == 0
    assert "valid: 1 run" in text
    assert ("\x1b[?25l" in text) is not bool(environ)
    assert text.rfind("\x1b[?25h") >= text.rfind("\x1b[?25l")


def _everything(terminal: int) -> str:
    """All that is written to a terminal until nobody has it open any more."""
    parts = []
    with suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(terminal, 65536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()
