"""The configuration file: every mistake in one line that names the setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from node.core.config import OBJECT_BYTES_MAX, ConfigError
from node.runtime.settings import load
from node.runtime.wire import PAYLOAD_BYTES_MAX

GOOD: dict[str, Any] = {
    "node": "n1",
    "cluster": {"members": ["n1", "n2"], "secret": "s", "n": 2, "r": 1, "w": 2},
    "listen": ["127.0.0.1", 7101],
    "addresses": {"n2": ["127.0.0.1", 7102]},
    "data": "/var/lib/keelhaul",
}


def written(directory: Path, text: str) -> Path:
    """A file with that text."""
    file = directory / "n1.json"
    file.write_text(text)
    return file


def test_a_good_file(tmp_path: Path) -> None:
    """What is not said is as it is in most clusters."""
    settings = load(written(tmp_path, json.dumps(GOOD)))
    assert (settings.engine, settings.debug, settings.reuse_port, settings.log_file) == ("log", None, False, None)
    assert settings.addresses == {"n2": ("127.0.0.1", 7102)}
    assert settings.cluster.partitions == 64


def test_a_node_in_memory_needs_no_directory(tmp_path: Path) -> None:
    """Its data may be lost."""
    without = {name: value for name, value in GOOD.items() if name != "data"}
    assert load(written(tmp_path, json.dumps({**without, "engine": "memory"}))).data == ""
    with pytest.raises(ConfigError, match="data is missing: engine log needs a directory"):
        load(written(tmp_path, json.dumps(without)))


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({}, "127.0.0.1:7101"),
        ({"listen": ["127.0.0.1", 0]}, "127.0.0.1:9"),
        ({"listen": ["::1", 7101]}, "[::1]:7101"),
        ({"listen": ["0.0.0.0", 7101], "advertise": ["n1.example", 7201]}, "n1.example:7201"),
        (
            {"listen": ["0.0.0.0", 7101], "addresses": {**GOOD["addresses"], "n1": ["n1.example", 7301]}},
            "n1.example:7301",
        ),
    ],
)
def test_where_others_dial_it(tmp_path: Path, change: dict[str, Any], seen: str) -> None:
    """What is advertised; else what the addresses say of it; else where it listens, on whatever port that became."""
    assert load(written(tmp_path, json.dumps({**GOOD, **change}))).advertised(9) == seen


def test_an_outsider_needs_somebody_who_is_there(tmp_path: Path) -> None:
    """One seed, founder or not; of the founders it need know no more than their ids."""
    for seed in ("n2", "n8"):
        outsider = {**GOOD, "node": "n9", "addresses": {seed: ["127.0.0.1", 7102]}}
        assert load(written(tmp_path, json.dumps(outsider))).node == "n9"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"node": ""}, "node is ''; a node id is not empty and has no NUL in it"),
        ({"node": "n\0"}, "node is 'n\\x00'; a node id is not empty and has no NUL in it"),
        ({"node": 1}, "Expected `str`, got `int` - at `$.node`"),
        ({"colour": "red"}, "Object contains unknown field `colour`"),
        ({"cluster": {**GOOD["cluster"], "q": 1}}, "Object contains unknown field `q` - at `$.cluster`"),
        ({"listen": ["127.0.0.1"]}, "Expected `array` of length 2 - at `$.listen`"),
        ({"listen": ["127.0.0.1", 65536]}, "Expected `int` <= 65535 - at `$.listen[1]`"),
        ({"engine": "rocks"}, "Invalid enum value 'rocks' - at `$.engine`"),
        ({"addresses": {}}, "addresses: n2 is missing; give [host, port] for each other founder"),
        (
            {"node": "n9", "addresses": {"n9": ["h", 1]}},
            "addresses: n9 is none of the founders n1, n2; give [host, port] of at least one node that is there",
        ),
        (
            {"addresses": {"n2": ["0.0.0.0", 1]}},
            "addresses: n2: '0.0.0.0:1' cannot be dialled: give host:port, such as 127.0.0.1:7101",
        ),
        (
            {"addresses": {"n2": ["127.0.0.1", 0]}},
            "addresses: n2: '127.0.0.1:0' cannot be dialled: give host:port, such as 127.0.0.1:7101",
        ),
        ({"listen": ["0.0.0.0", 7101]}, "advertise: nobody can dial 0.0.0.0:7101; give [host, port] that others can"),
        (
            {"advertise": ["127.0.0.1", 0]},
            "advertise: '127.0.0.1:0' cannot be dialled: give host:port, such as 127.0.0.1:7101",
        ),
        (
            {"egress": ["", 7101]},
            "egress: ':7101' is no address: give host:port, such as 127.0.0.1:7101 or [::1]:7101",
        ),
        ({"cluster": {**GOOD["cluster"], "n": 3}}, "n is 3; with 2 members it can be 1 to 2"),
        ({"cluster": {**GOOD["cluster"], "r": 0}}, "r is 0; with n = 2 it can be 1 to 2"),
        ({"cluster": {**GOOD["cluster"], "w": 3}}, "w is 3; with n = 2 it can be 1 to 2"),
        (
            {"cluster": {**GOOD["cluster"], "object_bytes_max": 1 << 30}},
            "object_bytes_max is 1073741824; it can be 1 to 4194304",
        ),
    ],
)
def test_a_mistake_is_said_in_one_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """The file, the setting, and what would have been right."""
    file = written(tmp_path, json.dumps({**GOOD, **change}))
    with pytest.raises(ConfigError) as raised:
        load(file)
    assert str(raised.value) == f"{file}: {said}"


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    """Not there, not JSON, not even text."""
    with pytest.raises(ConfigError, match=r"cannot read /no/such: No such file or directory"):
        load(Path("/no/such"))
    for text in ("{", '{"node": }', ""):
        with pytest.raises(ConfigError) as raised:
            load(written(tmp_path, text))
        assert str(raised.value).startswith(f"{tmp_path}/n1.json: ")
        assert "\n" not in str(raised.value)
    (tmp_path / "n1.json").write_bytes(b'{"node": "\xff"}')
    with pytest.raises(ConfigError):
        load(tmp_path / "n1.json")


def test_a_frame_holds_an_object_and_some_siblings() -> None:
    """The largest that a cluster may allow; the core knows no frames, so the two bounds are compared here."""
    assert OBJECT_BYTES_MAX * 4 <= PAYLOAD_BYTES_MAX
