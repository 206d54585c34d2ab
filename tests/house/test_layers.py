"""Imports go one way: harness sees all, reports see checkers, and node, nemesis and checkers see only themselves.

Imports inside functions and for the type checker count too: a layer that must not know another may not name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from tests.house.source import OURS, SHIPPED, Source, acquit, house, within

MAY_IMPORT = {
    "node.core": ("node.core",),
    "node.runtime": ("node.core", "node.runtime"),
    "node.client": ("node.core", "node.runtime", "node.client"),
    "node": ("node",),
    "nemesis": ("nemesis",),
    "checkers": ("checkers",),
    "reports": ("reports", "checkers"),
    "harness": SHIPPED,
}
"""What each layer may import of ours. A client-driven client is a host without a store, so client sees runtime."""


def complaints(sources: Iterable[Source]) -> Iterator[str]:
    """Every import that goes the wrong way."""
    for source in sources:
        layer = next((name for name in MAY_IMPORT if source.inside(name)), None)
        if layer is None:
            continue
        for each in source.imports:
            if within(each.target, OURS) and not within(each.target, MAY_IMPORT[layer]):
                allowed = ", ".join(MAY_IMPORT[layer])
                yield f"{source.path}:{each.line} imports {each.target}; of ours, {layer} may import only {allowed}"


def test_layers() -> None:
    """Nothing shipped imports a layer above itself, the tests, or the examples."""
    acquit(complaints(house(*SHIPPED)))


@pytest.mark.parametrize(
    ("path", "text", "target"),
    [
        ("checkers/lost.py", "from harness.spec import RunSpec", "harness.spec.RunSpec"),
        ("checkers/lost.py", "def f():\n    import nemesis.powers", "nemesis.powers"),
        ("nemesis/runner.py", "from checkers.history import FaultChanged", "checkers.history.FaultChanged"),
        ("nemesis/faults/kill.py", "from node.runtime import main", "node.runtime.main"),
        ("reports/html.py", "import harness", "harness"),
        ("reports/html.py", "from nemesis import schedule", "nemesis.schedule"),
        ("node/core/puts.py", "from node.runtime.host import Host", "node.runtime.host.Host"),
        ("node/core/puts.py", "from ..runtime import host", "node.runtime.host"),
        ("node/core/puts.py", "from node import client", "node.client"),
        ("node/runtime/host.py", "from node.client import session", "node.client.session"),
        ("node/runtime/host.py", "import importlib\nimportlib.import_module('harness.sim')", "harness.sim"),
        ("node/runtime/main.py", "if TYPE_CHECKING:\n    from harness import sim", "harness.sim"),
        ("harness/run.py", "from tests.bugs import forgets_hints", "tests.bugs.forgets_hints"),
        ("harness/run.py", "import examples.cart", "examples.cart"),
    ],
)
def test_a_wrong_import_is_convicted(path: str, text: str, target: str) -> None:
    """One line from each wrong direction."""
    (complaint,) = complaints([Source(path, text)])
    assert complaint.startswith(f"{path}:{1 + text.count(chr(10))} imports {target}; of ours, ")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("harness/run.py", "from node.core import ring\nimport nemesis.runner\nimport reports.terminal"),
        ("reports/html.py", "from checkers.history import History"),
        ("node/client/session.py", "from node.core.messages import Get"),
        ("node/core/puts.py", "from . import ring\nfrom .quorum import Quorum\nimport harnessed"),
        ("node/core/__init__.py", "from . import ring"),
        ("tests/bugs/forgets.py", "import harness.run"),
    ],
)
def test_a_right_import_is_not(path: str, text: str) -> None:
    """The directions that are allowed, and names that only begin alike."""
    assert list(complaints([Source(path, text)])) == []
