"""Run specs one after another for somebody at a terminal: watch, report, and sum up.

This file knows what a person is told, and in which order. What a run does is `harness.runs`' business, and how it is
drawn the reports'.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console

from checkers.history import read
from checkers.verdict import Answer, worst
from harness.asking import replay_line
from harness.choosing import Chosen
from harness.directory import HISTORY, TRACE, new_directory
from harness.explore.seeds import kinds_of
from harness.runs import Finished, carry_out
from harness.script import Script
from harness.shrink.export import ScenarioFile
from harness.spec import RunSpec
from nemesis.schedule import Schedule
from reports.live import watching
from reports.terminal import print_report

AROUND_S = 18.0
"""What a run in real time takes beside its stress: start, load, settle twice, end."""


@dataclass
class Series:
    """Runs one after another in one world, with their reports on a console and their directories below `root`."""

    chosen: Chosen
    root: Path
    console: Console
    keep_traces: bool = False

    def run_all(self, specs: list[RunSpec]) -> Answer:
        """Run them all, unless one is interrupted, and say how they went together."""
        self._say(self.chosen.note, style="bold")
        if self.chosen.world != "sim":
            total_s = sum(spec.time_limit_s + AROUND_S for spec in specs)
            self._say(f"{len(specs)} run{'s' * (len(specs) > 1)}, about {total_s:.0f} s in all")
        finished: list[Finished] = []
        for number, spec in enumerate(specs, start=1):
            if len(specs) > 1:
                self._say(f"run {number} of {len(specs)}: {spec.scenario}", style="bold")
            finished.append(self.run_one(spec))
            if finished[-1].interrupted is not None:
                break
        return self._sum_up(specs, finished)

    def run_one(
        self,
        spec: RunSpec,
        schedule: Schedule | None = None,
        script: Script | None = None,
        line: str | None = None,
    ) -> Finished:
        """Run one, with given faults and operations or its own, and report; `line` is the one that repeats it."""
        spec = msgspec.structs.replace(spec, world=self.chosen.world)
        directory = new_directory(self.root, spec)
        replay = line or replay_line(spec)
        with watching(self.console, instant=spec.world == "sim") as heard:
            finished = carry_out(
                spec, directory, replay, heard, schedule=schedule, script=script, keep=self.keep_traces
            )
        if finished.trace is not None:
            (directory / TRACE).write_text("\n".join(finished.trace) + "\n")
        history = read(directory / HISTORY)
        print_report(history, finished.judgement.verdicts, self.console, replay=replay, world_note=self.chosen.note)
        if finished.interrupted is not None:
            self._say(f"this run was {finished.interrupted}; judged by what was recorded", style="yellow")
        if finished.digest is not None:
            self._say(f"trace digest {finished.digest}, {finished.events} events")
        self._say(f"everything about this run: {directory}/\n")
        return finished

    def run_until(self, scenario: ScenarioFile, line: str, attempts: int) -> Answer:
        """Run a scenario file until it shows what it expects, at most so many times, and say how it went.

        What it expects may take another order of messages than the first that comes, in any world but the simulated.
        """
        case = scenario.case
        for attempt in range(1, attempts + 1):
            if attempts > 1:
                self._say(f"attempt {attempt} of {attempts}", style="bold")
            finished = self.run_one(case.spec, case.schedule, case.script, line)
            shown = kinds_of(finished.judgement)
            if scenario.expects is None or scenario.expects in shown or finished.interrupted is not None:
                break
        if scenario.expects is not None:
            seen = "was seen" if scenario.expects in shown else "was not seen"
            self._say(f"{scenario.expects}, which this scenario expects, {seen} in attempt {attempt} of {attempts}")
        return self._sum_up([case.spec], [finished])

    def _sum_up(self, specs: list[RunSpec], finished: list[Finished]) -> Answer:
        """The last line names the world again, because it decides what was proved."""
        answer = worst(run.judgement.answer for run in finished)
        if len(specs) > 1:
            for run in finished:
                self._say(f"{run.spec.scenario:28}{_outcome(run)}")
            for spec in specs[len(finished) :]:
                self._say(f"{spec.scenario:28}not run")
        left = len(specs) - len(finished)
        runs = f"{len(finished)} run{'s' * (len(finished) != 1)}" + (f" of {len(specs)}, interrupted" if left else "")
        self._say(f"{answer.value}: {runs}; {self.chosen.note}", style="bold")
        return answer

    def _say(self, text: str, style: str = "") -> None:
        self.console.print(text, style=style, highlight=False, markup=False)


def _outcome(run: Finished) -> str:
    """A run's answer; of one that is not valid also who says so, and where to read on."""
    answer = run.judgement.answer
    if answer is Answer.VALID:
        return str(answer.value)
    who = ", ".join(verdict.checker for verdict in run.judgement.verdicts if verdict.answer is answer)
    return f"{answer.value}: {who}; keelhaul show {run.directory}"
