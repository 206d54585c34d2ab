"""The command that explains a run.

This file knows options. What they ask for is done in `harness.explanation`, which is imported when it is needed, so
that `--help` is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.options import runs_option


@click.command("explain")
@click.argument("run", type=click.Path(path_type=Path), default=Path("latest"))
@runs_option
@click.option("--key", help="Explain what happened to this key.  [default: that of the first finding]")
@click.option("--all", "everything", is_flag=True, help="Show also what has nothing to do with the key.")
@click.option("--svg", type=click.Path(path_type=Path), help="Where to draw it.  [default: ladder.svg in the run]")
def explain_command(run: Path, runs: Path, key: str | None, everything: bool, svg: Path | None) -> None:
    """Explain a RUN, by default the latest, or a scenario FILE: what went where, and where a passing run parts from it.

    A simulated run is carried out once more to see its messages, and the nearest one that passes is looked for.
    """
    from harness.explanation import explain, find  # noqa: PLC0415 - heavy
    from reports.terminal import console_for  # noqa: PLC0415 - heavy

    explain(find(run, runs), console_for(sys.stdout), key=key, everything=everything, picture=svg)
