"""Logs of node processes: merged and readable, and not silenced by nodes that are killed while they write."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from collections.abc import Callable
from logging.handlers import QueueHandler
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness.worlds.node_logs import NodeLog, NodeLogs

KILLS = 50
AT_ONCE = 5


def chatter(queue: Any) -> None:
    """A node that does nothing but log, until it is killed."""
    log = logging.getLogger("chatter")
    log.addHandler(QueueHandler(queue))
    log.setLevel(logging.INFO)
    number = 0
    while True:
        number += 1
        log.info("line %d %s", number, "x" * 500)


def speak_once(queue: Any) -> None:
    """A node that says one thing and ends in good order."""
    log = logging.getLogger("speaker")
    log.addHandler(QueueHandler(queue))
    log.warning("the last word")


def _started(target: Callable[[Any], None], log: NodeLog) -> BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=(log.queue,), daemon=True)
    process.start()
    return process


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def _kill_some(logs: NodeLogs, merged: Path, number: int) -> None:
    """Start nodes that talk without a pause, and kill each as soon as it has been heard."""
    lives = {f"v{number}-{place}": logs.life(f"v{number}-{place}") for place in range(AT_ONCE)}
    processes = {node: _started(chatter, log) for node, log in lives.items()}
    for node, process in processes.items():
        asyncio.run(_until(lambda node=node: f" {node} " in merged.read_text()))  # type: ignore[misc]
        process.kill()
        process.join()
        lives[node].close(killed=True)


def test_fifty_kills_do_not_silence_the_others(tmp_path: Path) -> None:
    """Nodes are killed in the middle of logging, 50 times; one that came before all of them is still heard after."""
    logs = NodeLogs(tmp_path)
    merged = tmp_path / "all.log"
    survivor = logs.life("survivor")

    for number in range(KILLS // AT_ONCE):
        _kill_some(logs, merged, number)
    speaker = _started(speak_once, survivor)
    speaker.join()
    survivor.close(killed=False)
    logs.close()

    lines = [line for line in merged.read_text().splitlines() if "the last word" in line]
    assert len(lines) == 1
    assert " survivor " in lines[0]
    assert "WARNING" in lines[0]
