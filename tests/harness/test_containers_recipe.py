"""What goes into a node's container, and what becomes of what it prints."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from harness.spec import RunSpec, UsageError
from harness.worlds.containers_engine import archive
from harness.worlds.containers_logs import json_lines, last_words
from harness.worlds.containers_recipe import CONFIG_FILE, CONFIG_FOLDER, SOURCES, module_files, recipe
from node.core.config import ClusterConfig
from node.runtime.settings import Settings

ADDRESSES = {"n1": "198.18.7.10", "n2": "198.18.7.11"}
CONFIG = ClusterConfig(members=("n1", "n2"), secret="s", n=2, r=1, w=1)
SPEC = RunSpec(scenario="calm", world="containers", seed=1)
STAMP = "2025-11-22T11:31:04.123456789Z"


def test_the_configuration_is_one_that_the_node_takes() -> None:
    """Every node at its own address, on the same ports, with a debug port."""
    made = recipe("n2", ADDRESSES, CONFIG, SPEC)
    settings = msgspec.json.decode(made.files[CONFIG_FOLDER][CONFIG_FILE], type=Settings).checked()
    assert settings.node == "n2"
    assert settings.addresses == {"n1": ("198.18.7.10", 7000), "n2": ("198.18.7.11", 7000)}
    assert settings.debug is not None
    assert (made.address, made.command, list(made.files)) == ("198.18.7.11", None, [CONFIG_FOLDER])


def test_a_variant_brings_its_module_and_what_is_beside_it() -> None:
    """The command runs the module, and the packages above it are packages in the container as well."""
    made = recipe("n1", ADDRESSES, CONFIG, replace(SPEC, variant="tests.house.source"))
    assert made.command == ("python", "-m", "tests.house.source", "--config", "/etc/keelhaul/node.json")
    files = made.files[SOURCES]
    assert files["tests/house/source.py"] == (Path(__file__).parents[1] / "house" / "source.py").read_bytes()
    assert {"tests/__init__.py", "tests/house/__init__.py", "tests/house/test_layers.py"} <= set(files)
    assert not [name for name in files if not name.startswith(("tests/house/", "tests/__init__"))]


@pytest.mark.parametrize("name", ["tests.house.nothing", "nothing.at.all", "no_such_module"])
def test_a_variant_that_is_none(name: str) -> None:
    """Said in one line, by the option that named it."""
    with pytest.raises(UsageError, match=f"--node-module {name}: there is no such module"):
        module_files(name)


def test_an_archive_can_be_read_by_the_nodes_user() -> None:
    """Content, path, and a mode for everybody."""
    with tarfile.open(fileobj=io.BytesIO(archive({"a/b.json": b"{}"}))) as tar:
        (entry,) = tar.getmembers()
        held = tar.extractfile(entry)
        assert held is not None
        assert (entry.name, entry.mode, held.read()) == ("a/b.json", 0o644, b"{}")


def test_logs_are_json_lines_whatever_was_printed() -> None:
    """A log line keeps its own time; anything else is given the engine's."""
    own = '{"time": 1.5, "level": "info", "node": "n1", "text": "started"}'
    printed = f"{STAMP} {own}\n{STAMP} Traceback (most recent call last):\n{STAMP} 17\n{STAMP} \n".encode()
    first, second, third = json_lines("n1", printed)
    assert first == own
    assert json.loads(second) == {
        "time": 1763811064.123456,
        "level": "printed",
        "node": "n1",
        "text": "Traceback (most recent call last):",
    }
    assert json.loads(third)["text"] == "17"


def test_last_words() -> None:
    """What a person wants to read of the last line."""
    assert last_words(b'x\n{"time": 1.5, "text": "the store failed"}\n\n') == "the store failed"
    assert last_words(b"keelhaul-node: cannot listen\n") == "keelhaul-node: cannot listen"
    assert last_words(b"\n") == "it said nothing"
