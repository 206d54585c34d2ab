"""The examples for users run as they stand, and would fail if there were something to find."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import Phase, settings
from msgspec.structs import replace

ROOT = Path(__file__).parents[1]
PROPERTY_TEST = ROOT / "examples" / "property_test.py"
LINES = 40


def loaded(path: Path) -> ModuleType:
    """An example as a module; examples are no package."""
    made = importlib.util.spec_from_file_location(path.stem, path)
    assert made is not None
    assert made.loader is not None
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    return module


def test_the_property_test_passes_as_it_stands() -> None:
    """With the command that its docstring names, and it is short enough to be read at once."""
    assert len(PROPERTY_TEST.read_text(encoding="utf-8").splitlines()) <= LINES
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["--hypothesis-seed=1", str(PROPERTY_TEST)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stdout
    assert "1 passed" in finished.stdout


@pytest.fixture
def repeatable() -> Iterator[None]:
    """Examples that are loaded meanwhile try the same every time, write nothing down, and make nothing smaller."""
    before = settings.get_current_profile_name()
    settings.register_profile("repeatable", derandomize=True, database=None, phases=[Phase.generate])
    settings.load_profile("repeatable")
    yield
    settings.load_profile(before)


@pytest.mark.usefixtures("repeatable")
def test_the_property_test_convicts_a_planted_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same test, with a node that drops siblings, fails, and shows the faults and the operations that it took.

    They are not made smaller here: that takes a minute, and ends with one cut and two puts.
    """
    example = loaded(PROPERTY_TEST)
    monkeypatch.setattr(example, "SPEC", replace(example.SPEC, variant="tests.bugs.dropped_siblings"))
    with pytest.raises(AssertionError) as error:
        example.test_the_cluster_keeps_its_promises()
    shown = "\n".join(error.value.__notes__)
    assert "Injection(" in shown
    assert "Step(" in shown
