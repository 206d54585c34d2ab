"""Files and functions are short, every file says what it is for, and names say what a thing is.

A function's docstring does not count: prose must not be paid for with code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.house.source import SHIPPED, Source, acquit, house

FILE_LINES = 350
FUNCTION_LINES = 40
TEST_FUNCTION_LINES = 60
NOT_NAMES = ("utils", "util", "helpers", "helper", "common", "base", "manager", "misc")


def complaints(sources: Iterable[Source]) -> Iterator[str]:
    """Everything untidy."""
    for source in sources:
        yield from _file(source)
        yield from _functions(source)
        if source.inside("tests"):
            yield from _sleeps(source)


def _file(source: Source) -> Iterator[str]:
    length = len(source.text.splitlines())
    if length > FILE_LINES:
        yield f"{source.path}:{FILE_LINES + 1} the file has {length} lines; {FILE_LINES} are enough for one thing"
    if source.text.strip() and not ast.get_docstring(source.tree):
        yield f"{source.path}:1 has no docstring; say what the file is for, what it knows, and what it does not know"
    for part in source.module.split("."):
        if part in NOT_NAMES:
            yield f"{source.path}:1 is named '{part}', which says nothing; name it after what is in it"


def _functions(source: Source) -> Iterator[str]:
    limit = TEST_FUNCTION_LINES if source.inside("tests") else FUNCTION_LINES
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = function_lines(node)
            if length > limit:
                where = f"{source.path}:{node.lineno}"
                yield f"{where} {node.name}() has {length} lines without its docstring; the limit is {limit}"


def function_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From `def` to the end, without the docstring."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
    return lines


def _sleeps(source: Source) -> Iterator[str]:
    for line, used in source.uses:
        if used == "time.sleep":
            yield f"{source.path}:{line} sleeps; wait for a condition, with a bound"


def test_the_house_is_tidy() -> None:
    """Shipped packages and tests alike."""
    sources = house(*SHIPPED, "tests")
    assert len(sources) > 40, "the rules see no files, so they prove nothing"
    acquit(complaints(sources))


def function_of(lines: int, docstring: int = 1) -> str:
    """A module with one function of that many lines, besides a docstring of so many."""
    prose = ['    """Say.', *["    more"] * (docstring - 2), '    """'] if docstring > 1 else ['    """Say."""']
    return "\n".join(['"""A file."""', "", "def long():", *prose, *["    x = 1"] * (lines - 1)])


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("node/core/puts.py", function_of(41), ":3 long() has 41 lines without its docstring; the limit is 40"),
        ("node/core/puts.py", function_of(41, 9).replace("def", "async def"), ":3 long() has 41 lines"),
        ("tests/node/test_puts.py", function_of(61), ":3 long() has 61 lines without its docstring; the limit is 60"),
        ("node/core/puts.py", '"""A file."""\n' + "x = 1\n" * 350, ":351 the file has 351 lines; 350 are enough"),
        ("node/core/puts.py", "x = 1\n", ":1 has no docstring"),
        ("node/core/utils.py", '"""A file."""\n', ":1 is named 'utils', which says nothing"),
        ("harness/common/clock.py", '"""A file."""\n', ":1 is named 'common', which says nothing"),
        ("tests/helpers.py", '"""A file."""\n', ":1 is named 'helpers', which says nothing"),
        ("tests/x.py", '"""A."""\nimport time\ntime.sleep(1)\n', ":3 sleeps; wait for a condition, with a bound"),
        ("tests/x.py", '"""A."""\nfrom time import sleep\n', ":2 sleeps; wait for a condition"),
    ],
)
def test_untidiness_is_convicted(path: str, text: str, said: str) -> None:
    """One line too many, no prose, a name that says nothing, a sleep."""
    (complaint,) = complaints([Source(path, text)])
    assert complaint.startswith(path + said)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("node/core/puts.py", function_of(40, 30)),
        ("tests/node/test_puts.py", function_of(60)),
        ("node/core/puts.py", '"""A file."""\n' + "x = 1\n" * 349),
        ("harness/sim/__init__.py", ""),
        ("tests/x.py", '"""A."""\nimport asyncio\nasync def f(): await asyncio.sleep(1)\n'),
    ],
)
def test_what_just_fits_is_not(path: str, text: str) -> None:
    """The limits themselves are allowed, and an empty `__init__` has nothing to say."""
    assert list(complaints([Source(path, text)])) == []
