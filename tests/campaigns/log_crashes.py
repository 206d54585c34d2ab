"""Crash the log engine on a faulty simulated disk, again and again: what was promised must hold every time.

`python -m tests.campaigns.log_crashes --crashes 10000`: stories of up to eight lives, each fault in turn, until there
have been so many crashes, on one core. Everything is drawn from the fault's name and a seed, and what breaks a promise
says both. The lying disk is the control: if nothing is lost on it, the campaign could not see a loss.
"""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console
from rich.table import Table

from tests.campaigns.log_story import FAULTS, Fault, MakeStore, Story, Told, small

LIVES = 8
CONTROL = "lying syncs"
SHOWN = 10


def main() -> int:
    """Run the campaign; 0 when every promise was kept, every fault delivered, and the control lost something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--crashes", type=int, default=10_000, help="in all, over all faults")
    parser.add_argument("--first-seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    results = [(fault, tell(fault, arguments.crashes // len(FAULTS) + 1, arguments.first_seed)) for fault in FAULTS]
    console = Console(width=150)
    console.print(table(results))
    total = Told()
    for _, told in results:
        total.add(told)
    console.print(
        f"{total.crashes} crashes in {time.monotonic() - began:.0f} s, {total.counts['power']} of them power failures;"
        f" {total.counts['while opening']} while opening, {total.counts['while compacting']} while compacting"
    )
    wrong = complaints(results)
    for line in wrong[:SHOWN]:
        console.print(f"BROKEN {line}")
    return 1 if wrong else 0


def tell(fault: Fault, crashes: int, first_seed: int, store: MakeStore = small) -> Told:
    """Tell stories of one fault until there have been so many crashes."""
    told, seed = Told(), first_seed
    while told.crashes < crashes:
        told.add(Story(fault, seed, store).tell(LIVES))
        seed += 1
    return told


def complaints(results: list[tuple[Fault, Told]]) -> list[str]:
    """Promises that were broken, faults that were never there, and a control that convicted nobody."""
    found = [line for _, told in results for line in told.broken]
    found += [f"{fault.name}: never took effect" for fault, told in results if fault.effect and not told.injected]
    for fault, told in results:
        if fault.name == CONTROL and not told.counts["lost"]:
            found.append(f"{fault.name}: nothing was lost, so a loss could not have been seen")
    return found


def table(results: list[tuple[Fault, Told]]) -> Table:
    """One line a fault."""
    shown = Table("fault", *("injected", "crashes", "fully", "a prefix", "disk failed", "refused", "lost", "wrong"))
    for column in shown.columns[1:]:
        column.justify = "right"
    for fault, told in results:
        counts = told.counts
        outcomes = (counts[name] for name in ("fully", "prefix", "disk failed", "refused", "lost", "wrong"))
        injected = str(told.injected) if fault.effect else "-"
        shown.add_row(fault.name, injected, str(told.crashes), *map(str, outcomes))
    return shown


if __name__ == "__main__":
    sys.exit(main())
