"""The node does not know in which world it runs: no word of a world is in its code, so no branch on it can be.

Docstrings and comments may speak of worlds; names and strings may not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

import pytest

from tests.house.source import Source, acquit, docstrings, house

WORDS = (
    *("sim", "simulation", "simulated", "simulator", "simulate", "processes", "container", "containers", "docker"),
    *("podman", "world", "worlds", "harness", "nemesis", "jepsen", "faketime", "libfaketime"),
)


def words(text: str) -> list[str]:
    """The words of a name or a string: `SimLoop`, `sim_loop` and `sim-loop` are all sim and loop."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)]


def complaints(sources: Iterable[Source]) -> Iterator[str]:
    """Every word of a world in the node's code."""
    for source in sources:
        if source.inside("node"):
            for line, text in sorted(dict.fromkeys(_texts(source.tree))):
                for word in [word for word in words(text) if word in WORDS]:
                    yield f"{source.path}:{line} says '{word}' in {text!r}; the node must not know its world"


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names and strings, without docstrings. Imports are left out: what is imported is named again where it is used."""
    prose = list(docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.lineno, node.arg


def test_the_node_knows_no_world() -> None:
    """One node, three worlds, and not one word about them."""
    acquit(complaints(house("node")))


@pytest.mark.parametrize(
    "text",
    [
        "if world == 'x': pass",
        "x = 'simulation'",
        "class SimClock: pass",
        "def start(in_container=False): pass",
        "start(docker=1)",
        "def f(): return config.is_simulated",
        "x = f'{a} in the harness'",
        "async def for_containers(): pass",
    ],
)
def test_a_word_of_a_world_is_convicted(text: str) -> None:
    """In a name, a part of a name, an argument, or a string."""
    assert list(complaints([Source("node/runtime/host.py", text)]))


def test_other_words_are_not() -> None:
    """Prose may speak of worlds, words may contain others, and other packages may say what they like."""
    good = '"""Runs in simulation and in Docker."""\n# docker\nsimilar = process = "multiprocessing"\nimport logging'
    assert list(complaints([Source("node/runtime/host.py", good)])) == []
    assert list(complaints([Source("harness/sim/loop.py", "class SimLoop: pass")])) == []
