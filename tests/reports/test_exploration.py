"""What a person is told of many seeds."""

from __future__ import annotations

import io

from rich.console import Console

from checkers.verdict import Answer
from harness.explore.seeds import SeedResult
from reports.exploration import OFTEN, Tally, print_exploration, progress_on


def _result(seed: int, answer: Answer = Answer.VALID, kinds: tuple[str, ...] = (), loss: int = 1) -> SeedResult:
    return SeedResult(
        seed=seed,
        answer=answer,
        kinds=dict.fromkeys(kinds, 1),
        digest="0",
        events=1000,
        operations=50,
        virtual_s=10.0,
        struck={"kill": 1, "loss": 1},
        delivered={"kill": 1, "loss": loss},
        cpu_s=0.25,
    )


def _printed(tally: Tally) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_exploration(console, tally, "mixed")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_says_how_many_seeds_gave_which_answer_and_what_was_found() -> None:
    """With the first seeds of each kind, so that one can be picked."""
    tally = Tally(wanted=12)
    tally.took_s = 2.0
    for seed in range(1, 11):
        tally.take(_result(seed, Answer.INVALID, ("dots/reused-dot",)))
    tally.take(_result(11, Answer.UNKNOWN, ("vacuity/too-little",)))
    tally.take(_result(12), now=False)
    told = _printed(tally)
    assert "mixed: 12 seeds, 1 valid, 10 invalid, 1 unknown" in told
    assert "120 virtual seconds, 600 operations, 12,000 events" in told
    assert "5.5 seeds/s" in told  # those of now: what was known before was not run
    assert "dots/reused-dot 10 1 2 3 4 5 6 7 8 …" in " ".join(told.split())
    assert "kill 12/12 loss 12/12" in " ".join(told.split())


def test_a_fault_that_never_bites_is_noticed_over_many_seeds() -> None:
    """One that was injected once may have missed; one that was injected often does not work."""
    tally = Tally(wanted=OFTEN)
    for seed in range(OFTEN):
        assert tally.toothless == []
        tally.take(_result(seed, loss=0))
    assert tally.toothless == ["loss"]
    tally.take(_result(OFTEN))
    assert tally.toothless == []


def test_what_did_not_repeat_itself_is_told() -> None:
    """It is the harness that failed then."""
    tally = Tally(wanted=1)
    tally.take(_result(1))
    tally.again, tally.differed = 3, ["seed 1 did not repeat itself"]
    told = _printed(tally)
    assert "run again in another process under another hash seed: 3, the same: 2" in told
    assert "seed 1 did not repeat itself" in told


def test_the_live_view_follows_on_a_terminal_and_is_silent_elsewhere() -> None:
    """The bar, the speed and the findings so far."""
    tally = Tally(wanted=2)
    terminal = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with progress_on(terminal, tally):
        tally.take(_result(1, Answer.INVALID, ("dots/reused-dot",)))
    assert isinstance(terminal.file, io.StringIO)
    assert "1/2" in terminal.file.getvalue()
    assert "dots/reused-dot: 1 seed, such as 1" in terminal.file.getvalue()
    pipe = Console(file=io.StringIO(), width=100)
    with progress_on(pipe, tally):
        tally.take(_result(2))
    assert isinstance(pipe.file, io.StringIO)
    assert pipe.file.getvalue() == ""
