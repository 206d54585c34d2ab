"""Whether containers can be used here, and if not, why, in one line with what to do about it.

Cheap questions can be asked any time: does an engine answer, has it the image of this very node. Whether it is of any
use (an address that answers, packets that a rule drops) only shows on containers, so a run asks that of its own, while
its nodes start. This file knows what can be wrong with an engine. It does not know a run.
"""

# ruff: noqa: PLC0415 - the Docker library takes its time, and the other worlds do without

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping

from harness.contracts import WorldError
from harness.worlds.containers_rules import CHAIN, EMPTY, chain, counters
from harness.worlds.image import image_name
from nemesis.powers import PowerError

DEFAULT_HOST = "unix:///var/run/docker.sock"
ANSWER_S = 5
"""How long an engine may take to say that it is there."""
CLOSED_PORT = 9
"""A port on which nobody listens in a node: being refused there proves the way there and back."""
KNOCK_S = 2.0

INSTEAD = "use `--world processes`"

_KNOCK = f"""
import socket, sys
try:
    socket.create_connection((sys.argv[1], {CLOSED_PORT}), float(sys.argv[2])).close()
except ConnectionRefusedError:
    pass
except OSError:
    sys.exit(print("silent"))
print("answers")
"""
_PEER = 'python -c "$1" "$2" "$3"'
_DROP = """set -e
printf %s "$1" | iptables-restore --noflush -w 5
python -c "$2" "$3" "$4"
iptables-save -c -t filter
printf %s "$5" | iptables-restore --noflush -w 5"""

Execute = Callable[..., Awaitable[str]]
"""Run a shell script with arguments in the holder of a node."""


def probe() -> str | None:
    """Why containers cannot be used here, as far as that can be known without one; else None."""
    if sys.platform != "linux":
        return f"containers need Linux, and this is {sys.platform}: use `--world sim`"
    try:
        image = image_name()
    except FileNotFoundError as error:
        return f"{error}: run from a checkout"
    host = os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    try:
        _knock(host)
    except OSError as error:
        return refused(host, repr(error))
    return _asked(host, image)


def _knock(host: str) -> None:
    """See whether somebody listens on the engine's socket: at once, and without the library, which leaks failures."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(ANSWER_S)
            sock.connect(host.removeprefix("unix://"))


def _asked(host: str, image: str) -> str | None:
    """Ask the engine for the image."""
    from docker.errors import DockerException, ImageNotFound
    from requests.exceptions import RequestException

    import docker

    try:
        client = docker.DockerClient.from_env(timeout=ANSWER_S)
    except (DockerException, OSError, ValueError) as error:
        return refused(host, str(error))
    try:
        client.images.get(image)
    except ImageNotFound:
        return f"the Docker engine at {host} has no image of this node ({image}): run `make image`"
    except (DockerException, RequestException, OSError) as error:
        return refused(host, str(error))
    finally:
        client.close()
    return None


def refused(host: str, error: str) -> str:
    """Say why no engine can be talked to, from what the attempt was told."""
    if "Permission denied" in error:
        return f"no permission to use the Docker engine at {host}: run as root, or as a member of group docker"
    if any(word in error for word in ("FileNotFound", "No such file", "refused", "timed out", "Name or service")):
        return f"no Docker engine answers at {host}: run `make engine` as root, or name one with DOCKER_HOST"
    return f"the Docker engine at {host} cannot be used: {' '.join(error.split())[:200]}"


async def prove(addresses: Mapping[str, str], execute: Execute) -> None:
    """See with a run's own holders that its containers are reached from here and from each other, and that a rule
    drops packets; raises `WorldError`. No node notices: the rule drops what one address sends to itself.
    """
    node, *others = addresses
    await _reached_from_here(addresses[node])
    if others and (await execute(node, _PEER, _KNOCK, addresses[others[0]], str(KNOCK_S))).strip() != "answers":
        raise WorldError(
            "containers of one network do not reach each other: if the host's FORWARD chain drops, restart the engine"
            f" (docker/engine.sh stop; make engine), or {INSTEAD}"
        )
    own = addresses[node]
    try:
        said = await execute(node, _DROP, chain([own]), _KNOCK, own, "0.2", EMPTY)
    except PowerError as error:
        raise no_rules(error) from error
    if "silent" not in said or not counters(said).get(own):
        raise WorldError(f"a DROP rule in chain {CHAIN} drops nothing in a container: {INSTEAD}")


def no_rules(error: PowerError) -> WorldError:
    """Say that packets cannot be dropped here."""
    return WorldError(f"iptables cannot be used in a container of this engine ({error}): {INSTEAD}")


async def _reached_from_here(address: str) -> None:
    try:
        async with asyncio.timeout(KNOCK_S):
            _, writer = await asyncio.open_connection(address, CLOSED_PORT)
            writer.close()
    except ConnectionRefusedError:
        pass
    except OSError as error:  # a time-out is one
        raise WorldError(
            f"container addresses do not answer from here ({address}: {error or 'no answer'}); a rootless or remote"
            f" engine, or Docker Desktop? Use rootful Docker on this machine, or {INSTEAD}"
        ) from error
