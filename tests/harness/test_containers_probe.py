"""Why containers cannot be used: every reason is one line, and says what to do about it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from harness.contracts import WorldError
from harness.worlds import containers_probe
from harness.worlds.containers_probe import probe, prove, refused
from nemesis.powers import PowerError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is only one reason")

HERE = "127.0.0.1"


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_no_engine(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a socket that is not there, nor a port where nobody listens."""
    monkeypatch.setenv("DOCKER_HOST", host)
    assert probe() == f"no Docker engine answers at {host}: run `make engine` as root, or name one with DOCKER_HOST"


def test_a_host_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, whatever it was."""
    monkeypatch.setenv("DOCKER_HOST", "nonsense://x")
    reason = probe()
    assert reason is not None
    assert "nonsense://x" in reason
    assert "\n" not in reason


def test_no_permission() -> None:
    """A socket that others may use."""
    said = "Error while fetching server API version: ('Connection aborted.', PermissionError(13, 'Permission denied'))"
    assert refused("unix:///s", said) == (
        "no permission to use the Docker engine at unix:///s: run as root, or as a member of group docker"
    )


def test_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package has no image to compare with."""

    def image_name() -> str:
        raise FileNotFoundError(f"docker/Dockerfile is not at {Path('/x')}: the node's image is built from a checkout")

    monkeypatch.setattr(containers_probe, "image_name", image_name)
    reason = probe()
    assert reason is not None
    assert "checkout" in reason


def said_in_holders(peer: str, drop: str | PowerError) -> list[str]:
    """What `prove` does with containers that answer like this, at an address that refuses: the script's reasons."""

    async def execute(_node: str, script: str, *_args: str) -> str:
        if "iptables-restore" not in script:
            return peer
        if isinstance(drop, PowerError):
            raise drop
        return drop

    try:
        asyncio.run(prove({"n1": HERE, "n2": "198.18.0.11"}, execute))
    except WorldError as error:
        return [str(error)]
    return []


def test_what_containers_prove() -> None:
    """They answer, and a rule dropped what it was to drop."""
    dropped = f"silent\n[2:120] -A KEELHAUL -s {HERE}/32 -j DROP\n"
    assert said_in_holders("answers\n", dropped) == []


@pytest.mark.parametrize(
    ("peer", "drop", "reason"),
    [
        ("silent\n", "", "containers of one network do not reach each other"),
        ("answers\n", "answers\n", "a DROP rule in chain KEELHAUL drops nothing"),
        ("answers\n", f"silent\n[0:0] -A KEELHAUL -s {HERE}/32 -j DROP\n", "drops nothing"),
        (
            "answers\n",
            PowerError("ended with 4"),
            "iptables cannot be used in a container of this engine (ended with 4",
        ),
    ],
)
def test_containers_that_are_of_no_use(peer: str, drop: str | PowerError, reason: str) -> None:
    """Each way in which an engine that answers may be unusable."""
    (said,) = said_in_holders(peer, drop)
    assert reason in said
    assert "--world processes" in said


def test_addresses_that_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rootless or remote engine: its containers are somewhere else."""

    async def unreachable(*_args: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(asyncio, "open_connection", unreachable)
    (said,) = said_in_holders("answers\n", "")
    assert said.startswith("container addresses do not answer from here (127.0.0.1: no route to host)")
