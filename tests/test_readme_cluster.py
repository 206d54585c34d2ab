"""The cluster that the README starts by hand, line by line, on other ports."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.polling import poll

ROOT = Path(__file__).parents[1]
LINES = re.search(r"<!-- a cluster by hand -->\n```\n(.*?)```\n", (ROOT / "README.md").read_text(), re.DOTALL)
MODULES = {"keelhaul-node": "node", "keelhaul": "harness"}


def test_three_lines_start_a_cluster_and_two_more_let_a_node_join(tmp_path: Path) -> None:
    """As they stand there; each line is run from a shell's point of view: in the background when it ends so."""
    assert LINES is not None, "README.md starts no cluster"
    lines = _elsewhere(LINES[1]).splitlines()
    first = re.search(r"n1=([\d.:]+)", lines[0])
    assert first is not None
    with _running() as started:
        for line in lines[:3]:
            started.append(_start(line, tmp_path))
        poll(lambda: _agreed(first[1], tmp_path) == ["n1", "n2", "n3"], "three members", within_s=30)
        started.append(_start(lines[3], tmp_path))
        poll(lambda: _finished(lines[4], first[1], tmp_path) == 0, "the order is taken", within_s=30)
        poll(lambda: _agreed(first[1], tmp_path) == ["n1", "n2", "n3", "n4"], "four members that agree", within_s=60)


def test_a_wrong_configuration_is_refused_in_one_line_that_names_it(tmp_path: Path) -> None:
    """With the option or the constant, its value, and what would have been right."""
    assert LINES is not None
    line = LINES[1].splitlines()[0].rstrip("& ")
    for more, told in (
        ("--set n=9", "n is 9; with 3 members it can be 1 to 3"),
        ("--set strategy=4", "strategy is 4; it can be 1 to 3"),
        ("--node n9", "--listen is missing: n9 is none of the founders n1, n2, n3"),
        ("--listen nowhere", "--listen: "),
    ):
        refused = subprocess.run(_words(f"{line} {more}"), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert refused.returncode == 64, refused.stderr
        assert refused.stderr.count("\n") == 1
        assert told in refused.stderr


def _elsewhere(text: str) -> str:
    """The same lines with ports that are free just now."""
    with ExitStack() as stack:
        for port in dict.fromkeys(re.findall(r"127\.0\.0\.1:(\d+)", text)):
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            text = text.replace(f":{port}", f":{sock.getsockname()[1]}")
    return text


def _words(line: str) -> list[str]:
    command, *words = shlex.split(line)
    return [sys.executable, "-m", MODULES[command], *words]


def _start(line: str, directory: Path) -> subprocess.Popen[bytes]:
    assert line.endswith(" &")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [*_words(line.removesuffix(" &")), "--die-with-parent"]
    return subprocess.Popen(words, cwd=directory, env=environment, stdout=subprocess.DEVNULL)


@contextmanager
def _running() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are ended when the test is."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield started
    finally:
        for process in started:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _finished(line: str, at: str, directory: Path) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KEELHAUL_AT": at}
    finished = subprocess.run(_words(line), cwd=directory, env=environment, capture_output=True, check=False)
    return finished.returncode


def _agreed(at: str, directory: Path) -> list[str]:
    """The valid members, once all of them answer and know one ring in which nothing is left to move."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KEELHAUL_AT": at}
    words = _words("keelhaul admin status --json")
    finished = subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        return []
    told = json.loads(finished.stdout)
    nodes = told["nodes"]
    rings = {node["ring"] for node in nodes.values() if node}
    if len(rings) != 1 or not all(nodes.values()) or told["ring"]["moves"]:
        return []
    return [member["member"]["node"] for member in told["ring"]["members"] if member["state"] == "valid"]
