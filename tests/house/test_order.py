"""Nothing that runs in the simulation goes through a set in the set's own order.

The order of a set of strings differs from process to process, and with it everything that follows from it. `sorted` is
the cure; questions whose answer has no order (`any`, `len`, `in`) are free. The rule reads one file at a time and knows
sets by how they are written or annotated, so a set that comes out of another file escapes it: the comparison of trace
digests across hash seeds is what finds those.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.house.source import Source, acquit, house

PLACES = ("node", "nemesis", "harness.sim", "harness.workloads")

SET_TYPES = ("set", "frozenset", "Set", "AbstractSet", "MutableSet", "FrozenSet")
SET_METHODS = ("union", "intersection", "difference", "symmetric_difference", "copy")
ORDERLESS = ("sorted", "set", "frozenset", "any", "all", "len", "sum", "min", "max")
ORDERING = ("list", "tuple", "enumerate", "iter", "zip", "map", "filter", "deque", "dict.fromkeys")

Comprehension = ast.ListComp | ast.DictComp | ast.GeneratorExp


class _Sets:
    """What is known to be a set in one file: names by the function they are local to, and attributes."""

    def __init__(self, tree: ast.Module) -> None:
        self._names: dict[str, bool] = {}
        self._attributes = {name for name, annotation in _annotated(tree) if _is_set_type(annotation)}
        self._learn(tree)

    def inside(self, function: ast.AST) -> _Sets:
        """The same file, seen from inside a function, whose own names hide the file's."""
        inner = object.__new__(_Sets)
        inner._names = dict(self._names)
        inner._attributes = self._attributes
        for name in [argument for argument in ast.walk(function) if isinstance(argument, ast.arg)]:
            inner._names[name.arg] = name.annotation is not None and _is_set_type(name.annotation)
        inner._learn(function)
        return inner

    def _learn(self, scope: ast.AST) -> None:
        """A name is a set when everything that is ever assigned to it there is one."""
        seen: dict[str, list[bool]] = {}
        for node in _own(scope):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                seen.setdefault(node.targets[0].id, []).append(self.holds(node.value))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                seen.setdefault(node.target.id, []).append(_is_set_type(node.annotation))
        self._names.update({name: all(answers) for name, answers in seen.items()})

    def holds(self, node: ast.expr) -> bool:
        """Whether the expression is a set, as far as can be seen."""
        if isinstance(node, ast.Call):
            made = ast.unparse(node.func) in ("set", "frozenset")
            return made or (isinstance(node.func, ast.Attribute) and self._derives(node.func))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
            return any(self.holds(side) or _is_view(side) for side in (node.left, node.right))
        if isinstance(node, ast.IfExp):
            return self.holds(node.body) or self.holds(node.orelse)
        if isinstance(node, ast.Name):
            return self._names.get(node.id, False)
        if isinstance(node, ast.Attribute):
            return node.attr in self._attributes
        return isinstance(node, ast.Set | ast.SetComp)

    def _derives(self, method: ast.Attribute) -> bool:
        """Whether calling the method makes one set out of another."""
        return method.attr in SET_METHODS and self.holds(method.value)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Everything in a scope but what is inside functions that it defines."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _own(child)


def _annotated(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Attributes with their annotations: fields of classes, and what methods set on themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            yield node.target.attr, node.annotation
        elif isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id, field.annotation


def _is_set_type(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).split("[")[0].split(".")[-1] in SET_TYPES


def _is_view(node: ast.expr) -> bool:
    """Whether it is `….keys()` or `….items()`, whose differences and unions are sets."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items")


def complaints(sources: Iterable[Source]) -> Iterator[str]:
    """Every place where a set's order gets out."""
    for source in sources:
        if source.inside(*PLACES):
            lines = {node.lineno: ast.unparse(node) for node in _leaks(source.tree, _Sets(source.tree))}
            for line, leak in sorted(lines.items()):
                yield f"{source.path}:{line} goes through a set in its own order: {leak}; sort it first"


def _leaks(scope: ast.AST, sets: _Sets) -> Iterator[ast.expr]:
    free = [argument for node in _own(scope) if isinstance(node, ast.Call) for argument in _orderless(node)]
    for node in _own(scope):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _leaks(node, sets.inside(node))
        elif isinstance(node, ast.For | ast.AsyncFor | ast.YieldFrom):
            gone_through = node.value if isinstance(node, ast.YieldFrom) else node.iter
            yield from (each for each in (gone_through,) if sets.holds(each))
        elif isinstance(node, Comprehension) and node not in free:
            yield from (part.iter for part in node.generators if sets.holds(part.iter))
        elif isinstance(node, ast.Starred) and sets.holds(node.value):
            yield node.value
        elif isinstance(node, ast.Call):
            yield from _ordering(node, sets)


def _orderless(call: ast.Call) -> list[ast.expr]:
    """The arguments whose order does not matter. With a key, the first of equals wins, and then it does."""
    name = ast.unparse(call.func)
    by_key = name in ("min", "max") and bool(call.keywords)
    return list(call.args) if name in ORDERLESS and not by_key else []


def _ordering(call: ast.Call, sets: _Sets) -> Iterator[ast.expr]:
    """A set handed to something that takes it in order, or asked for any one of its elements."""
    name = ast.unparse(call.func)
    if name in ORDERING or name.endswith(".join") or (name in ("min", "max") and call.keywords):
        yield from (argument for argument in call.args if sets.holds(argument))
    if isinstance(call.func, ast.Attribute) and call.func.attr == "pop" and not call.args:
        yield from (each for each in (call.func.value,) if sets.holds(each))


def test_no_order_comes_out_of_a_set() -> None:
    """Node, nemesis and simulator iterate only what is ordered."""
    acquit(complaints(house("node", "nemesis", "harness")))


@pytest.mark.parametrize(
    "text",
    [
        "for x in {1, 2}: pass",
        "for x in set(names): pass",
        "for x in {n for n in names}: pass",
        "for x in frozenset(a) | b: pass",
        "for x in set(a).union(b): pass",
        "for x in a.keys() - b: pass",
        "y = [x for x in set(a)]",
        "y = {x: 1 for x in set(a)}",
        "y = next(iter({1, 2}))",
        "y = list(set(a))",
        "y = (*{1, 2},)",
        "y = ','.join({a, b})",
        "y = dict.fromkeys(set(a))",
        "y = set(a).pop()",
        "y = min(set(a), key=f)",
        "def f():\n    seen = set()\n    for x in seen: pass",
        "def f(seen: set[str]):\n    for x in seen: pass",
        "def f(seen: AbstractSet[str]):\n    return [x for x in seen]",
        "def f():\n    seen: set[str] = g()\n    yield from seen",
        "class A:\n    seen: frozenset[str]\n    def f(self):\n        for x in self.seen: pass",
        "class A:\n    def f(self):\n        self.seen: set[int] = g()\n    def g(self): return tuple(self.seen)",
        "async def f():\n    def g():\n        for x in {1, 2}: pass",
    ],
)
def test_a_set_in_its_own_order_is_convicted(text: str) -> None:
    """However the set is written, and however it is gone through."""
    (complaint,) = complaints([Source("node/core/puts.py", text)])
    assert complaint.startswith("node/core/puts.py:")
    assert complaint.endswith("; sort it first")


@pytest.mark.parametrize(
    "text",
    [
        "for x in sorted({1, 2}): pass",
        "y = any(x > 1 for x in set(a))",
        "y = {x for x in set(a)}",
        "y = len(set(a)) + max(set(a))",
        "y = sorted(x for x in set(a))",
        "for x in a.keys(): pass",
        "y = 1 in {1, 2}",
        "def f():\n    seen = set(a)\n    seen = sorted(seen)\n    for x in seen: pass",
        "def f(seen: set[str]): pass\ndef g(seen: list[str]):\n    for x in seen: pass",
        "seen = set()\ndef f(seen: list[str]):\n    for x in seen: pass",
        "y = parts.pop()",
        "y = a - b",
    ],
)
def test_what_is_ordered_is_not(text: str) -> None:
    """Sorted sets, questions without an order, and names that are sets only elsewhere."""
    assert list(complaints([Source("node/core/puts.py", text)])) == []


def test_other_places_may() -> None:
    """A checker runs once, after the run."""
    assert list(complaints([Source("checkers/lost.py", "for x in {1, 2}: pass")])) == []
