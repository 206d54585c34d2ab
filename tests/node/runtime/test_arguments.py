"""The command line of a node: it makes the settings that a file would, and says every mistake in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from node.core.config import ConfigError
from node.runtime.arguments import CONSTANTS, SECRET_VARIABLE, read
from node.runtime.main import main
from node.runtime.settings import load

FOUNDERS = "n1=127.0.0.1:7101,n2=127.0.0.1:7102,n3=127.0.0.1:7103"
N1 = ("--node", "n1", "--cluster", FOUNDERS, "--data", "data/n1")
N4 = ("--node", "n4", "--cluster", FOUNDERS, "--data", "data/n4")


@pytest.fixture(autouse=True)
def _no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)


def test_a_founder_in_one_line() -> None:
    """It listens at its own address, and knows those of the others."""
    settings, log_level, die_with_parent, (warning,) = read(N1)
    assert (settings.node, settings.data, settings.engine, settings.debug) == ("n1", "data/n1", "log", None)
    assert settings.cluster.members == ("n1", "n2", "n3")
    assert settings.listen == ("127.0.0.1", 7101)
    assert settings.addresses["n3"] == ("127.0.0.1", 7103)
    assert settings.advertised(7101) == "127.0.0.1:7101"
    assert (log_level, die_with_parent) == ("info", False)
    assert warning == "contexts are sealed with the well-known secret; give --secret, or set KEELHAUL_SECRET"


def test_an_outsider_in_one_line() -> None:
    """The same founders, an address of its own, and perhaps others that are there by now."""
    settings = read((*N4, "--listen", "0.0.0.0:7104", "--advertise", "n4.example:7104", "--seeds", "n9=h:1")).settings
    assert (settings.listen, settings.advertised(7104)) == (("0.0.0.0", 7104), "n4.example:7104")
    assert tuple(settings.addresses) == ("n1", "n2", "n3", "n9")
    assert settings.cluster == read(N1).settings.cluster, "so that it is of the same cluster"


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ((), "127.0.0.1:7101"),
        (("--listen", "127.0.0.1:7111"), "127.0.0.1:7111"),
        (("--listen", "127.0.0.1:0"), "127.0.0.1:9"),
        (("--listen", "0.0.0.0:7111"), "127.0.0.1:7101"),
        (("--listen", "0.0.0.0:7111", "--advertise", "n1.example:7111"), "n1.example:7111"),
    ],
)
def test_a_founder_that_has_moved(options: tuple[str, ...], seen: str) -> None:
    """It is dialled where it listens, unless that is everywhere: then where it was founded, or as it says."""
    settings = read((*N1, *options)).settings
    assert settings.advertised(9) == seen
    assert settings.cluster == read(N1).settings.cluster


def test_the_same_as_a_file_says(tmp_path: Path) -> None:
    """Every option is a field of the file."""
    options = ("--secret", "s", "--set", "w=3", "--set", "gossip_ms=50", "--engine", "sqlite", "--debug", "127.0.0.1:0")
    composed = read((*N1, *options, "--log-file", "n1.log"))
    file = tmp_path / "n1.json"
    file.write_text(
        json.dumps(
            {
                "node": "n1",
                "cluster": {"members": ["n1", "n2", "n3"], "secret": "s", "w": 3, "gossip_ms": 50},
                "listen": ["127.0.0.1", 7101],
                "addresses": {f"n{number}": ["127.0.0.1", 7100 + number] for number in (1, 2, 3)},
                "data": "data/n1",
                "engine": "sqlite",
                "debug": ["127.0.0.1", 0],
                "log_file": "n1.log",
            }
        )
    )
    assert composed.settings == load(file)
    assert composed == read(("--config", str(file)))


def test_the_secret_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody reads it in a list of processes; what is given on the command line outranks it."""
    monkeypatch.setenv(SECRET_VARIABLE, "hush")
    asked = read(N1)
    assert (asked.settings.cluster.secret, asked.warnings) == ("hush", ())
    assert read((*N1, "--secret", "other")).settings.cluster.secret == "other"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "--node is missing; give --config FILE, or --node, --cluster and --data"),
        (("--node", "n1"), "--cluster is missing; give --config FILE, or --node, --cluster and --data"),
        (N1[:4], "data is missing: engine log needs a directory"),
        (N4, "--listen is missing: n4 is none of the founders n1, n2, n3"),
        (("--node", "n1", "--cluster", "n1"), "--cluster: 'n1' is no id=host:port; give each node once, such as n1="),
        (("--node", "n1", "--cluster", "n1=h:1,n1=h:2"), "--cluster: n1 is there twice; give each node once, such as"),
        (("--node", "n1", "--cluster", "n1=h"), "--cluster: n1: 'h' is no address: give host:port, such as"),
        (("--node", "n1", "--cluster", "n1=h:0"), "--cluster: n1: 'h:0' cannot be dialled: give host:port, such as"),
        ((*N1, "--listen", "7101"), "--listen: '7101' is no address: give host:port, such as"),
        ((*N1, "--debug", "h:x"), "--debug: 'h:x' is no address: give host:port, such as"),
        ((*N1, "--seeds", "n4"), "--seeds: 'n4' is no id=host:port; give each node once, such as"),
        ((*N1, "--listen", "0.0.0.0:7101", "--advertise", "0.0.0.0:1"), "advertise: nobody can dial 0.0.0.0:1; give"),
        ((*N1, "--set", "colour=3"), "--set colour=3: there is no constant 'colour'; there are strategy, partitions,"),
        ((*N1, "--set", "n=two"), "--set n=two: give a number, such as n=3"),
        ((*N1, "--set", "n"), "--set n: give a number, such as n=3"),
        ((*N1, "--set", "n=4"), "n is 4; with 3 members it can be 1 to 3"),
        (("--config", "n1.json", "--node", "n1"), "--node beside --config: what the file says is said there only"),
        (("--config", "n1.json", "--set", "n=1"), "--set beside --config: what the file says is said there only"),
    ],
)
def test_a_mistake_is_said_in_one_line(argv: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The option, and what would have been right; the command exits 64."""
    with pytest.raises(ConfigError) as refused:
        read(argv)
    assert str(refused.value).startswith(said)
    assert main(argv) == os.EX_USAGE
    assert capsys.readouterr().err == f"keelhaul-node: {refused.value}\n"


def test_every_number_of_a_cluster_can_be_set() -> None:
    """And nothing else: members, places and the secret have options of their own, or none."""
    assert {"n", "r", "w", "partitions", "strategy", "tokens", "gossip_ms"} <= set(CONSTANTS)
    assert not {"members", "places", "secret"} & set(CONSTANTS)
