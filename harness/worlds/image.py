"""What goes into the node's container image, and the tag that says so.

The tag is a digest of the content: the node package, the Dockerfile, and what the node needs from the package index.
So a run can tell without building whether the engine has the image of *this* node, and one checkout's image is never
taken for another's. `docker/image.sh` asks the same function, as a script: ``python3 -I harness/worlds/image.py
tag``.

Knows: files and their digest. Does not know: Docker, bases, whether an image exists. Imports the standard library
only, so that a bare interpreter can run it before anything is installed.
"""

import hashlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = "keelhaul-node"
NEEDS = ("msgspec", "uvloop")
ROOT = Path(__file__).resolve().parents[2]  # the packages lie side by side, in a checkout as in site-packages


def requirements() -> list[str]:
    """Return what `python -m node` needs from the package index, as pyproject.toml states it: required ones first."""
    project = tomllib.loads(_checkout("pyproject.toml").read_text())["project"]
    stated = project["dependencies"] + project["optional-dependencies"]["fast"]
    by_name = {re.split(r"[^\w-]", line, maxsplit=1)[0]: line for line in stated}
    return [by_name[name] for name in NEEDS]


def image_tag() -> str:
    """Return the tag of the image that holds this node: twelve hex digits over all that goes in."""
    digest = hashlib.sha256()
    for name, content in _content():
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def image_name() -> str:
    """Return the full name of that image, as an engine is asked for it."""
    return f"{REPOSITORY}:{image_tag()}"


def _content() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every part, in an order that does not depend on the file system."""
    yield "Dockerfile", _checkout("docker/Dockerfile").read_bytes()
    yield "requirements", "\n".join(requirements()).encode()
    for path in sorted((ROOT / "node").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def _checkout(name: str) -> Path:
    """Return a file that only a checkout has; an installed package cannot build images, and says so."""
    path = ROOT / name
    if not path.is_file():
        raise FileNotFoundError(f"{name} is not at {ROOT}: the node's image is built from a checkout")
    return path


if __name__ == "__main__":
    answers = {"tag": lambda: [image_tag()], "name": lambda: [image_name()], "requirements": requirements}
    if len(sys.argv) != 2 or sys.argv[1] not in answers:
        sys.exit(f"usage: image.py {'|'.join(answers)}")
    print("\n".join(answers[sys.argv[1]]()))
