"""The README is executed: its commands run, and the output it shows is what they print.

`KEELHAUL_UPDATE=1 pytest tests/test_readme.py` writes the output anew where it has changed for a good reason.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SHOWN = re.compile(r"<!-- output of: keelhaul (?P<command>.*) -->\n```text\n(?P<output>.*?)```\n", re.DOTALL)
COMMAND = re.compile(r"^(?:\$ |\| `)keelhaul ((?!.*containers)[^`\n]*)", re.MULTILINE)
EXIT_CODES = {"--node-module": 1}


def keelhaul(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the README in an empty directory."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *shlex.split(command)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_shown_output(tmp_path: Path) -> None:
    """The output that the README shows is the output of the command above it, to the letter."""
    text = README.read_text()
    shown = SHOWN.search(text)
    assert shown is not None, "README.md shows no output of a command"
    finished = keelhaul(shown["command"], tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    output = "".join(f"{line.rstrip()}\n" for line in finished.stdout.splitlines())
    if os.environ.get("KEELHAUL_UPDATE"):
        README.write_text(text[: shown.start("output")] + output + text[shown.end("output") :])
    else:
        assert shown["output"] == output


@pytest.mark.parametrize("command", COMMAND.findall(README.read_text()))
def test_commands(command: str, tmp_path: Path) -> None:
    """Every command of the README runs, with the exit code that its text says; those of real time run simulated."""
    if command.startswith("run ") and "--world" not in command:
        command += " --world sim"
    if command.split()[0] in ("show", "check", "replay"):
        keelhaul("run calm --world sim --time-limit 3", tmp_path)
    expected = next((code for option, code in EXIT_CODES.items() if option in command), 0)
    finished = keelhaul(command, tmp_path)
    assert finished.returncode == expected, finished.stdout + finished.stderr
    assert finished.stderr == ""


def test_make_targets() -> None:
    """Every make target that the README names exists."""
    targets = re.findall(r"^make ([a-z-]+)", README.read_text(), re.MULTILINE)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
