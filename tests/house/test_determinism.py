"""What runs in the simulation takes time, chance and order from the simulator: asyncio's own leaks are not used.

`TaskGroup`, `wait`, `as_completed` and `all_tasks` keep tasks in sets, whose order is that of addresses. Clocks,
threads and the machine's chance are outside of the simulation altogether.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.house.source import Source, acquit, house, within

PLACES = ("nemesis", "harness.sim", "harness.workloads")

IN_A_SET = "keeps tasks in a set; await them by name, or with asyncio.gather"
CLOCK = "reads the machine's clock; ask the running loop"
CHANCE = "is the machine's chance; draw from a random.Random seeded with a string"
THREADS = "runs beside the loop, in no order"
BANNED = {
    "asyncio.TaskGroup": IN_A_SET,
    "asyncio.wait": IN_A_SET,
    "asyncio.as_completed": IN_A_SET,
    "asyncio.all_tasks": IN_A_SET,
    "asyncio.to_thread": THREADS,
    "threading": THREADS,
    "concurrent.futures": THREADS,
    "multiprocessing": THREADS,
    "time": CLOCK,
    "datetime.datetime.now": CLOCK,
    "datetime.datetime.utcnow": CLOCK,
    "datetime.datetime.today": CLOCK,
    "datetime.date.today": CLOCK,
    "uuid.uuid1": CHANCE,
    "uuid.uuid4": CHANCE,
    "os.urandom": CHANCE,
    "secrets": CHANCE,
    "random.SystemRandom": CHANCE,
}
MODULE_CHANCE = "is everybody's generator; draw from a random.Random seeded with a string"


def complaints(sources: Iterable[Source]) -> Iterator[str]:
    """Every use of something that differs from one run to the next."""
    for source in sources:
        if source.inside(*PLACES):
            yield from _uses(source)
            yield from _words(source)


def _uses(source: Source) -> Iterator[str]:
    told: list[int] = []
    for line, used in source.uses:
        reason = next((why for name, why in BANNED.items() if within(used, (name,))), None)
        if used.startswith("random.") and not within(used, ("random.Random", "random.SystemRandom")):
            reason = MODULE_CHANCE
        if reason and line not in told:
            told.append(line)
            yield f"{source.path}:{line} uses {used}, which {reason}"


def _words(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__del__":
            yield f"{source.path}:{node.lineno} has a __del__, which runs when the collector likes"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in ("Random", "random.Random") and not node.args:
            yield f"{source.path}:{node.lineno} makes a Random without a seed, which {CHANCE}"
        if called == "id":
            yield f"{source.path}:{node.lineno} calls id(), which is another address in each process"
        if called.endswith(".run_in_executor"):
            yield f"{source.path}:{node.lineno} calls {called}, which {THREADS}"


def test_nothing_leaks_into_the_simulation() -> None:
    """Nemesis, simulator and workloads are repeatable by construction."""
    acquit(complaints(house("nemesis", "harness")))


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("import asyncio\nasync def f():\n    async with asyncio.TaskGroup() as g: pass", "asyncio.TaskGroup"),
        ("import asyncio\nasync def f(): await asyncio.wait([])", "asyncio.wait"),
        ("import asyncio as a\nfor x in a.as_completed([]): pass", "asyncio.as_completed"),
        ("from asyncio import all_tasks", "asyncio.all_tasks"),
        ("from asyncio import to_thread as away", "asyncio.to_thread"),
        ("import time\nnow = time.time()", "time.time"),
        ("from time import monotonic", "time.monotonic"),
        ("from datetime import datetime\nx = datetime.now()", "datetime.datetime.now"),
        ("from uuid import uuid4", "uuid.uuid4"),
        ("import uuid\nx = uuid.uuid4()", "uuid.uuid4"),
        ("import os\nx = os.urandom(4)", "os.urandom"),
        ("import secrets\nx = secrets.token_hex()", "secrets.token_hex"),
        ("import random\nx = random.random()", "random.random"),
        ("from random import shuffle", "random.shuffle"),
        ("from random import SystemRandom", "random.SystemRandom"),
        ("from concurrent.futures import ThreadPoolExecutor", "concurrent.futures.ThreadPoolExecutor"),
    ],
)
def test_a_leak_is_convicted(text: str, used: str) -> None:
    """By its full name, however it was imported."""
    found = list(complaints([Source("nemesis/faults/drift.py", text)]))
    assert any(f" uses {used}, which " in complaint for complaint in found), found
    assert all(complaint.startswith("nemesis/faults/drift.py:") for complaint in found)


@pytest.mark.parametrize(
    "text",
    [
        "from random import Random\nx = Random()",
        "class A:\n    def __del__(self): pass",
        "x = id(object)",
        "async def f(loop): await loop.run_in_executor(None, print)",
    ],
)
def test_an_odd_word_is_convicted(text: str) -> None:
    """What needs no import."""
    (complaint,) = complaints([Source("harness/sim/disk.py", text)])
    assert complaint.startswith("harness/sim/disk.py:")


def test_what_is_repeatable_is_not() -> None:
    """Gather, sleep, wait_for one thing, a seeded generator; and other places may read clocks."""
    good = (
        "import asyncio\nfrom random import Random\nfrom datetime import timedelta\nrng = Random('1:nemesis')\n"
        "async def f(): await asyncio.gather(); await asyncio.sleep(1); await asyncio.wait_for(g(), 1)\n"
        "async def g(): time = 1; time.x\n"
    )
    assert list(complaints([Source("nemesis/runner.py", good)])) == []
    assert list(complaints([Source("harness/worlds/processes.py", "import time\nx = time.time()")])) == []
