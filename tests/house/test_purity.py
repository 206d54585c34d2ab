"""The core is a function of the facts: no clock, no chance, no world, and nothing imported that could have one."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.house.source import Source, acquit, house, within

PURE = (
    *("__future__", "abc", "bisect", "collections", "contextlib", "dataclasses", "enum", "functools", "hashlib"),
    *("heapq", "hmac", "itertools", "math", "random", "struct", "types", "typing", "zlib", "msgspec"),
)
IMPURE_CALLS = {
    "open": "touches a file",
    "print": "writes to the world; yield a command",
    "input": "reads from the world",
    "id": "is an address, another one in each process",
    "eval": "runs what nobody has read",
    "exec": "runs what nobody has read",
    "__import__": "hides an import",
}


def complaints(sources: Iterable[Source]) -> Iterator[str]:
    """Everything impure in `node.core`."""
    for source in sources:
        if source.inside("node.core"):
            yield from _imports(source)
            yield from _chance(source)
            yield from _calls(source)


def _imports(source: Source) -> Iterator[str]:
    for each in source.imports:
        if not within(each.target, ("node", *PURE)):
            module = each.target.split(".")[0]
            yield f"{source.path}:{each.line} imports {module}; node.core may import only {', '.join(PURE)} and itself"


def _chance(source: Source) -> Iterator[str]:
    """A generator is handed in: its type may be named, but none is made here, and the shared one is not used."""
    for line, used in source.uses:
        if used.startswith("random.") and not within(used, ("random.Random",)):
            yield f"{source.path}:{line} uses {used}; node.core draws only from the random.Random it is handed"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Random", "random.Random"):
            yield f"{source.path}:{node.lineno} makes a random.Random; node.core is handed one"


def _calls(source: Source) -> Iterator[str]:
    own_hashes = [
        call
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
        for call in ast.walk(node)
    ]
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in IMPURE_CALLS:
            yield f"{source.path}:{node.lineno} calls {node.func.id}(), which {IMPURE_CALLS[node.func.id]}"
        if node.func.id == "hash" and node not in own_hashes:
            yield f"{source.path}:{node.lineno} calls hash(), which is another number in each process; use hashlib"


def test_the_core_is_pure() -> None:
    """Facts in, commands out, and nothing else."""
    acquit(complaints(house("node")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import asyncio", "node/core/puts.py:1 imports asyncio; node.core may import only __future__, abc, "),
        ("from socket import socket", "node/core/puts.py:1 imports socket; "),
        ("import os.path", "node/core/puts.py:1 imports os; "),
        ("def f():\n    import time", "node/core/puts.py:2 imports time; "),
        ("from datetime import datetime", "node/core/puts.py:1 imports datetime; "),
        ("import threading", "node/core/puts.py:1 imports threading; "),
        ("import collectionsx", "node/core/puts.py:1 imports collectionsx; "),
        ("import random\nx = random.random()", "node/core/puts.py:2 uses random.random; "),
        ("from random import choice", "node/core/puts.py:1 uses random.choice; "),
        ("from random import Random\nr = Random(1)", "node/core/puts.py:2 makes a random.Random; "),
        ("with open('x') as f: pass", "node/core/puts.py:1 calls open(), which touches a file"),
        ("print('here')", "node/core/puts.py:1 calls print(), "),
        ("key = id(object)", "node/core/puts.py:1 calls id(), "),
        ("place = hash('key')", "node/core/puts.py:1 calls hash(), "),
    ],
)
def test_an_impure_line_is_convicted(text: str, said: str) -> None:
    """One line of each kind, and the message says what may be imported instead."""
    (complaint,) = complaints([Source("node/core/puts.py", text)])
    assert complaint.startswith(said)


def test_pure_lines_are_not() -> None:
    """What the core may use, the generator's type, a hash of its own, and the same impurities outside the core."""
    pure = (
        "from collections.abc import Iterator\nimport random\nfrom random import Random\nimport msgspec.json\n"
        "from node.core.ring import Ring\ndef f(rng: random.Random, own: Random): return rng.random(), ring.open()\n"
        "class A:\n    def __hash__(self): return hash((1, 2))\n"
    )
    assert list(complaints([Source("node/core/puts.py", pure)])) == []
    assert list(complaints([Source("node/runtime/host.py", "import asyncio\nprint(1)")])) == []
