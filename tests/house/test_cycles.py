"""No import cycles at module level: every file can be read, and imported, before those that build on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.house.source import SHIPPED, Source, acquit, house


def graph(sources: Iterable[Source]) -> dict[str, list[tuple[str, int]]]:
    """Which module imports which when it is loaded, with the line; types-only and late imports are left out."""
    by_module = {source.module: source for source in sources}
    edges: dict[str, list[tuple[str, int]]] = {module: [] for module in by_module}
    for module, source in by_module.items():
        for each in source.imports:
            # `from a import b` means a.b where that is a module, and a where b is a name in it.
            target = next((name for name in (each.target, each.target.rpartition(".")[0]) if name in by_module), module)
            if target != module and not each.inner and not each.typing_only:
                edges[module].append((target, each.line))
    return edges


def complaints(sources: Iterable[Source]) -> Iterator[str]:
    """Each cycle once, told from the module that was met first."""
    sources = tuple(sources)
    paths = {source.module: source.path for source in sources}
    edges = graph(sources)
    done: list[str] = []
    for start in edges:
        yield from _walk(start, [], edges, paths, done)


def _walk(
    module: str, trail: list[str], edges: dict[str, list[tuple[str, int]]], paths: dict[str, str], done: list[str]
) -> Iterator[str]:
    if module in done:
        return
    for target, line in edges[module]:
        if target in [*trail, module]:
            whole = [*trail, module]
            cycle = " -> ".join([*whole[whole.index(target) :], target])
            yield f"{paths[module]}:{line} closes an import cycle: {cycle}"
        else:
            yield from _walk(target, [*trail, module], edges, paths, done)
    done.append(module)


def test_no_cycles() -> None:
    """Not inside a package, and not between packages either."""
    acquit(complaints(house(*SHIPPED)))


def test_a_cycle_is_convicted() -> None:
    """Three files in a circle, one of them by a relative import."""
    (complaint,) = complaints(
        [
            Source("node/core/__init__.py", ""),
            Source("node/core/a.py", "from node.core.b import B"),
            Source("node/core/b.py", "import os\nfrom . import c"),
            Source("node/core/c.py", "import node.core.a"),
        ]
    )
    assert complaint == (
        "node/core/c.py:1 closes an import cycle: node.core.a -> node.core.b -> node.core.c -> node.core.a"
    )


def test_a_package_that_takes_from_its_own_file_is_convicted() -> None:
    """A file that takes a name from the package which takes it from the file."""
    package = Source("node/core/__init__.py", "from node.core.a import A")
    (complaint,) = complaints([package, Source("node/core/a.py", "from node.core import B")])
    assert "node.core -> node.core.a -> node.core" in complaint


def test_late_and_types_only_imports_close_no_cycle() -> None:
    """What is not imported while loading cannot fail while loading."""
    a = Source("node/core/a.py", "from node.core.b import B")
    late = Source("node/core/b.py", "def f():\n    import node.core.a")
    types = Source("node/core/b.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import node.core.a")
    assert list(complaints([a, late])) == []
    assert list(complaints([a, types])) == []
