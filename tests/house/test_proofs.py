"""Every plug-in has its proof: a file beside which a test, or a history, shows that it does what it is for.

What counts as a plug-in is what it exports, so that a file of tools in the same folder is not asked for one. Where the
folder of the proofs is not there yet, nothing can be asked of anybody, and the test is skipped and says so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest

from tests.house.source import ROOT, Source, acquit, house

Exists = Callable[[str], bool]
"""Whether any file matches a pattern relative to the repository."""


@dataclass(frozen=True)
class Kind:
    """A kind of plug-in: where it lives, what it exports, and its proofs, any one of each group being enough."""

    name: str
    folder: str
    exports: tuple[str, ...]
    proofs: tuple[tuple[str, ...], ...]


KINDS = (
    Kind(
        "fault",
        "nemesis/faults",
        ("NEEDS", "plan", "inject"),
        (("tests/nemesis/test_conformance.py",),),
    ),
    Kind(
        "checker",
        "checkers",
        ("check",),
        (
            ("tests/histories/{name}/good*", "tests/histories/good/{name}*", "tests/histories/{name}*good*"),
            ("tests/histories/{name}/bad*", "tests/histories/bad/{name}*", "tests/histories/{name}*bad*"),
        ),
    ),
    Kind(
        "workload",
        "harness/workloads",
        ("operations",),
        (("tests/harness/workloads/test_{name}.py", "tests/conformance/test_workloads.py"),),
    ),
    Kind(
        "planted bug",
        "tests/bugs",
        ("NODE",),
        (("tests/bugs/test_{name}.py", "tests/bugs/test_*convict*.py", "tests/conformance/test_*bugs*.py"),),
    ),
)


def plugins(kind: Kind, sources: Iterable[Source]) -> Iterator[tuple[str, Source]]:
    """The plug-ins of a kind, by name: files right in its folder that export what makes it one."""
    for source in sources:
        folder, _, file = source.path.rpartition("/")
        name = file.removesuffix(".py")
        if folder == kind.folder and not name.startswith(("_", "test_", "conftest")):
            exported = list(_exported(source.tree))
            if all(word in exported for word in kind.exports):
                yield name, source


def _exported(tree: ast.Module) -> Iterator[str]:
    """The names at the top of a file: defined, assigned, or imported and passed on."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.ImportFrom):
            yield from (name.asname or name.name for name in node.names)


def complaints(kind: Kind, sources: Iterable[Source], exists: Exists) -> Iterator[str]:
    """Every plug-in of the kind without its proof."""
    for name, source in plugins(kind, sources):
        for group in kind.proofs:
            spellings = (name, name.replace("_", "-"))
            wanted = [pattern.format(name=spelling) for pattern in group for spelling in spellings]
            if not any(exists(pattern) for pattern in wanted):
                expected = " or ".join(pattern.format(name=name) for pattern in group)
                yield f"{source.path}:1 is a {kind.name} without a proof; there should be {expected}"


def _exists(pattern: str) -> bool:
    return any(ROOT.glob(pattern))


def _begun(kind: Kind) -> bool:
    """Whether any folder in which a proof could be holds something that is neither a plug-in nor an `__init__`."""
    folders = [(ROOT / re.split(r"[{*]", pattern)[0]).parent for group in kind.proofs for pattern in group]
    plain = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".jsonl")]
    files = [path.relative_to(ROOT).as_posix() for path in plain if path.stem != "__init__"]
    known = [source.path for _, source in plugins(kind, house())]
    return any(file not in known for file in files)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_every_plugin_has_its_proof(kind: Kind) -> None:
    """Nobody ships a fault, a checker, a workload or a planted bug that no test has seen."""
    sources = house()
    if not any(plugins(kind, sources)):
        pytest.skip(f"there is no {kind.name} yet")
    if not _begun(kind):
        pytest.skip(f"no proof of a {kind.name} can be there yet")
    acquit(complaints(kind, sources, _exists))


@pytest.mark.parametrize(
    ("kind", "path", "text"),
    [
        (KINDS[0], "nemesis/faults/drift.py", "NEEDS = 1\nfrom x import inject\ndef plan(): pass"),
        (KINDS[1], "checkers/kept_writes.py", "def check(history): pass"),
        (KINDS[2], "harness/workloads/carts.py", "async def operations(rng): pass"),
        (KINDS[3], "tests/bugs/forgets_hints.py", "class NODE(Node): pass"),
    ],
    ids=[kind.name for kind in KINDS],
)
def test_a_plugin_without_proof_is_convicted(kind: Kind, path: str, text: str) -> None:
    """One complaint for each proof that is missing, none when all are there, under either spelling."""
    found = list(complaints(kind, [Source(path, text)], lambda pattern: False))
    assert len(found) == len(kind.proofs)
    assert all(
        complaint.startswith(f"{path}:1 is a {kind.name} without a proof; there should be ") for complaint in found
    )
    assert list(complaints(kind, [Source(path, text)], lambda pattern: True)) == []


def test_one_of_two_proofs_is_not_enough() -> None:
    """A checker that has only ever seen good histories may be blind."""
    checker = Source("checkers/kept_writes.py", "def check(history): pass")
    (complaint,) = complaints(KINDS[1], [checker], lambda pattern: pattern == "tests/histories/kept-writes/good*")
    assert "tests/histories/kept_writes/bad*" in complaint


def test_tools_beside_plugins_are_not_asked() -> None:
    """A file that exports something else, a test, and a file further down are no plug-ins."""
    others = [
        Source("checkers/history.py", "def read(path): pass"),
        Source("tests/bugs/test_forgets_hints.py", ""),
        Source("tests/bugs/__init__.py", ""),
        Source("checkers/deeper/lost.py", "def check(history): pass"),
    ]
    assert [list(complaints(kind, others, lambda pattern: False)) for kind in KINDS] == [[], [], [], []]
