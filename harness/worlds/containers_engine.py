"""What is asked of a Docker engine: the network and the containers of one run, and that they go away again.

Everything that is made carries the run's labels, and everything is found again by its labels, so that what a half-done
start or a killed harness left behind is removed the same way as what a good run ends with. Calls block; they are made
on threads of their own, and a cancellation waits for the call that is under way, so that nothing comes to be behind
the back of a clean-up.

This file knows Docker. It does not know what runs in a container, and not when a node is to live or to die.
"""

# ruff: noqa: PLC0415 - the Docker library takes its time, and the other worlds do without

from __future__ import annotations

import asyncio
import io
import random
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from harness.worlds.containers_logs import last_words
from harness.worlds.containers_owner import NODE, OURS, ROLE, Chosen, run_labels
from harness.worlds.containers_recipe import DATA, Recipe
from nemesis.cures import to_the_end
from nemesis.powers import PowerError

if TYPE_CHECKING:
    from docker.errors import APIError
    from docker.types import Mount

    from docker import DockerClient

T = TypeVar("T")

CALL_S = 30
"""The bound of every single call but the wait for a container's end."""
THREADS_MAX = 32
REMOVERS = 8
JOIN_S = 1.0
TRIES, PAUSE_S = 50, 0.1
"""How long to wait for somebody else's removal."""
SUBNET_TRIES = 200

USER = "keelhaul"
HOLD = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"]

GONE, CONFLICT, FORBIDDEN = 404, 409, 403


@dataclass(frozen=True)
class Made:
    """The ids of a node's two containers."""

    holder: str
    node: str


class Engine:
    """A connection to the engine, for one run. Plain methods block; `do` calls them from the loop."""

    def __init__(self, run: str, image: str, width: int) -> None:
        import docker

        self.run = run
        self.image = image
        self.client: DockerClient = docker.DockerClient.from_env(timeout=CALL_S, max_pool_size=2 * width + 4)
        self._labels = run_labels(run)
        self._watchers: list[threading.Thread] = []
        self._leaving = False
        self._threads = ThreadPoolExecutor(min(max(width, 4), THREADS_MAX), f"keelhaul-{run}")

    async def do(self, act: Callable[..., T], *args: Any) -> T:
        """Call on a thread; what the engine refuses is a `PowerError`."""

        async def call() -> T:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(told, act, *args))

        return await to_the_end(call())

    def leave(self) -> None:
        """From now on containers end because the run does, and nobody is told."""
        self._leaving = True

    def close(self) -> None:
        """Let go of threads and connections, when everything has been removed and no call is under way."""
        for watcher in self._watchers:
            watcher.join(JOIN_S)
        self._threads.shutdown(wait=False)
        self.client.close()

    # --- making ---

    def network(self) -> str:
        """Make the run's network and return the first three numbers of its addresses.

        The engine decides between parallel runs: it refuses a subnet that overlaps another. The draw is not the
        run's own chance, because two runs of one seed must not fight over one subnet.
        """
        from docker.errors import APIError
        from docker.types import IPAMConfig, IPAMPool

        rng = random.Random()
        for _ in range(SUBNET_TRIES):
            prefix = f"198.{rng.choice((18, 19))}.{rng.randrange(255)}"  # 198.19.255 is the bridge of our own engine
            pool = IPAMPool(subnet=f"{prefix}.0/24", gateway=f"{prefix}.1")
            try:
                self.client.api.create_network(
                    self._name(), driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), labels=self._labels
                )
            except APIError as error:
                if "overlap" not in _why(error).lower():
                    raise
            else:
                return prefix
        raise PowerError("no free /24 in 198.18.0.0/15: remove networks (docker network ls)")

    def make(self, recipe: Recipe) -> Made:
        """Make a node's containers, and start the holder; the node stays as it was made, down."""
        holder = self._holder(recipe)
        node = self.client.containers.create(
            self.image,
            list(recipe.command) if recipe.command else None,
            name=self._name(recipe.node),
            labels=self._labels | {NODE: recipe.node, ROLE: "node"},
            network_mode=f"container:{holder}",
            mounts=[self._disk(recipe)],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )
        assert node.id is not None
        for folder, files in recipe.files.items():
            self.client.api.put_archive(node.id, folder, archive(files))
        return Made(holder, node.id)

    def _holder(self, recipe: Recipe) -> str:
        api = self.client.api
        endpoint = api.create_endpoint_config(ipv4_address=recipe.address, aliases=[recipe.node])
        holder = self.client.containers.create(
            self.image,
            HOLD,
            name=self._name(recipe.node, "net"),
            hostname=recipe.node,
            user="root",
            labels=self._labels | {NODE: recipe.node, ROLE: "holder"},
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN", "NET_RAW"],
            pids_limit=64,
            mounts=[self._disk(recipe)],  # so that it can be emptied while the node is down
            network=self._name(),
            networking_config={self._name(): endpoint},
        )
        assert holder.id is not None
        api.start(holder.id)
        return holder.id

    def _disk(self, recipe: Recipe) -> Mount:
        from docker.types import Mount

        name = self._name(recipe.node, "data")
        return Mount(DATA, name, type="volume", labels=self._labels | {NODE: recipe.node})

    def _name(self, *parts: str) -> str:
        return "-".join(("keelhaul", self.run, *parts))

    # --- using ---

    def start(self, container: str) -> None:
        """Start a container that has been made or has ended."""
        self.client.api.start(container)

    def signal(self, container: str, name: str) -> None:
        """Send a signal; a container that has ended meanwhile is no error."""
        from docker.errors import APIError

        try:
            self.client.api.kill(container, name)
        except APIError as error:
            if error.status_code not in (CONFLICT, GONE):
                raise

    def watch(self, container: str, tell: Callable[[int, str], None]) -> None:
        """Have the loop told when a container that runs has ended: its exit code, and its last words.

        The thread lives as long as the container's process, so it is none of those that calls are made on, and it
        does not hold up the interpreter. When the engine is lost, that is told with the code -1.
        """
        loop = asyncio.get_running_loop()

        def wait() -> None:
            try:
                code, words = told(self._ended, container)
            except PowerError as error:
                code, words = -1, str(error)
            if not self._leaving:
                with suppress(RuntimeError):  # the loop is closed, and nobody is left to be told
                    loop.call_soon_threadsafe(tell, code, words)

        self._watchers = [watcher for watcher in self._watchers if watcher.is_alive()]
        self._watchers.append(threading.Thread(target=wait, name=f"watch-{container[:12]}", daemon=True))
        self._watchers[-1].start()

    def _ended(self, container: str) -> tuple[int, str]:
        code = int(self.client.api.wait(container, timeout=None)["StatusCode"])
        return code, "" if self._leaving else last_words(self.client.api.logs(container, tail=1))

    def execute(self, container: str, script: str, *args: str, user: str = "root") -> str:
        """Run a shell script in a container that runs; raises `PowerError` with what it said when it fails."""
        api = self.client.api
        exec_id = api.exec_create(container, ["sh", "-c", script, "sh", *args], user=user)["Id"]
        said = api.exec_start(exec_id).decode(errors="replace")
        code = api.exec_inspect(exec_id)["ExitCode"]
        if code != 0:
            last = said.strip().splitlines()[-1:] or ["it said nothing"]
            raise PowerError(f"a command in a namespace holder ended with {code}: {last[0]}")
        return said

    def wipe(self, holder: str) -> None:
        """Empty the disk of a node that is down."""
        everything = f"find {DATA} -mindepth 1"
        left = self.execute(holder, f"{everything} -delete; {everything}", user=USER)
        if left:
            raise PowerError(f"not all of a disk could be emptied: {left.splitlines()[0]} is still there")

    # --- going away ---

    def logs(self, chosen: Chosen) -> dict[str, bytes]:
        """What the chosen nodes have printed in all their lives; every line begins with its time."""
        return {
            found["Labels"][NODE]: self.client.api.logs(found["Id"], timestamps=True)
            for found in self._containers(chosen)
            if found["Labels"].get(ROLE) == "node"
        }

    def remove(self, chosen: Chosen) -> None:
        """Remove the chosen containers, nodes before holders, then their disks and networks.

        It goes on after a failure, and says at the end what could not be removed. What somebody else removes
        meanwhile is gone as well.
        """
        api, ours = self.client.api, {"label": OURS}
        found = self._containers(chosen)
        nodes = [each["Id"] for each in found if each["Labels"].get(ROLE) == "node"]
        holders = [each["Id"] for each in found if each["Labels"].get(ROLE) != "node"]
        disks = [each["Name"] for each in api.volumes(filters=ours)["Volumes"] or [] if chosen(each["Labels"])]
        networks = [each["Id"] for each in api.networks(filters=ours) if chosen(each["Labels"])]
        steps: tuple[tuple[Callable[[str], None], list[str]], ...] = (
            (partial(api.remove_container, force=True, v=True), nodes),
            (partial(api.remove_container, force=True, v=True), holders),
            (api.remove_volume, disks),
            (api.remove_network, networks),
        )
        failures: list[str] = []
        with ThreadPoolExecutor(REMOVERS) as threads:
            for act, things in steps:
                failures += filter(None, threads.map(partial(_failure, act), things))
        if failures:
            raise PowerError(f"left behind: {'; '.join(failures)}")

    def _containers(self, chosen: Chosen) -> list[dict[str, Any]]:
        # The low-level list has the labels in it: no second look at each, which fails when another process removes.
        found = self.client.api.containers(all=True, filters={"label": OURS})
        return [each for each in found if chosen(each["Labels"])]


def archive(files: Mapping[str, bytes]) -> bytes:
    """An archive of files that everybody may read, as the engine unpacks it into a container."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), 0o644, int(time.time())
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def told(act: Callable[..., T], *args: Any) -> T:
    """Call the engine; what it refuses, and that it is not there, become a `PowerError` of one line."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        return act(*args)
    except APIError as error:
        raise PowerError(f"Docker: {_why(error)}") from error
    except (DockerException, RequestException, OSError) as error:
        raise PowerError(f"Docker: {' '.join(str(error).split())}") from error


def _why(error: APIError) -> str:
    return " ".join(str(error.explanation or error).split())


def _failure(act: Callable[[str], None], thing: str) -> str | None:
    """Remove something, and say why it is still there, or None when it is gone."""
    try:
        told(_until_gone, act, thing)
    except PowerError as error:
        return f"{thing[:40]}: {error}"
    return None


def _until_gone(remove: Callable[[str], None], thing: str) -> None:
    """Remove something, or see that it is gone; while it is busy, as when others remove it too, a little later."""
    from docker.errors import APIError, NotFound

    for patience in reversed(range(TRIES)):
        try:
            return remove(thing)
        except NotFound:
            return None
        except APIError as error:
            if error.status_code not in (CONFLICT, FORBIDDEN) or not patience:
                raise
            time.sleep(PAUSE_S)
    return None
