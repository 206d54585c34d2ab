"""Source files as the rules see them: a path, a text, a tree, and what is imported and used in it.

Nothing here imports the code it reads, so a rule can judge a file that does not even run. The rules themselves are in
the tests beside this file; a rule takes sources and yields complaints, each beginning with `path:line`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("node", "nemesis", "checkers", "reports", "harness")
OURS = (*SHIPPED, "tests", "benchmarks", "examples", "docs")


@dataclass(frozen=True)
class Import:
    """One imported name, in full; a name imported inside a function or for the type checker only is so marked."""

    line: int
    target: str
    inner: bool = False
    typing_only: bool = False


@dataclass(frozen=True)
class Source:
    """A Python file by its path inside the repository, with `/`."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, self.path)

    @cached_property
    def module(self) -> str:
        """The file's name as a module; a package's `__init__` is the package."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_package(self) -> bool:
        """Whether this is an `__init__` file."""
        return self.path.endswith("/__init__.py")

    def inside(self, *places: str) -> bool:
        """Whether the file is one of these modules, or below one of them."""
        return within(self.module, places)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import, wherever it stands, also those through `importlib` with the name in plain sight."""
        found = [*_imports(self, self.tree.body, inner=False, typing_only=False), *_dynamic(self)]
        return tuple(sorted(found, key=lambda each: each.line))

    @cached_property
    def uses(self) -> tuple[tuple[int, str], ...]:
        """Every imported thing that is used or taken out of its module: `(12, "asyncio.wait")`."""
        known = dict(_aliases(self.tree))
        taken = [
            (node.lineno, f"{node.module}.{name.name}")
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and node.module and not node.level
            for name in node.names
        ]
        used = [
            (node.lineno, dotted)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Attribute | ast.Name) and (dotted := _dotted(node, known))
        ]
        found = dict.fromkeys(taken + used)
        parts = [(line, dotted.rpartition(".")[0]) for line, dotted in found]
        return tuple(sorted(each for each in found if each not in parts))


def within(module: str, places: Iterable[str]) -> bool:
    """Whether a dotted name is one of those, or below one of them."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


@cache
def house(*folders: str) -> tuple[Source, ...]:
    """Every Python file in these top-level folders, in order; all shipped packages and the tests by default."""
    return tuple(
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for folder in folders or (*SHIPPED, "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
    )


def acquit(complaints: Iterable[str]) -> None:
    """Fail with one line a complaint, or not at all."""
    found = list(complaints)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Every string that stands alone: docstrings, and those under constants and fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def _imports(source: Source, body: Iterable[ast.AST], *, inner: bool, typing_only: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(node.lineno, name.name, inner, typing_only)
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(source, node)
            for name in node.names:
                yield Import(node.lineno, f"{origin}.{name.name}", inner, typing_only)
        else:
            deeper = inner or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for_types = typing_only or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
            yield from _imports(source, ast.iter_child_nodes(node), inner=deeper, typing_only=for_types)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    """The module that an import takes from, relative ones resolved."""
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    kept = parts[: len(parts) - node.level + source.is_package]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _dynamic(source: Source) -> Iterator[Import]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called.endswith("import_module") or called == "__import__":
                yield Import(node.lineno, str(node.args[0].value), inner=True)


def _aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What imported names stand for in this file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield (name.asname, name.name) if name.asname else (name.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                yield name.asname or name.name, f"{node.module}.{name.name}"


def _dotted(node: ast.expr, known: dict[str, str]) -> str | None:
    """The full name of an attribute chain that begins with an imported name."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value, known)
        return f"{inner}.{node.attr}" if inner else None
    return None
