"""Lives of nodes, on an engine of a few lines: what is told of an end, and when a wish was not what ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from harness.worlds import containers_nodes
from harness.worlds.containers_engine import Engine, Made
from harness.worlds.containers_nodes import Nodes
from nemesis.powers import PowerError

Told = list[tuple[str, str, dict[str, Any]]]


class FakeEngine:
    """Containers that end with a code when they get a signal; `codes` says with which, None means not at all."""

    def __init__(self) -> None:
        self.codes: dict[str, int | None] = {"SIGKILL": 137, "SIGTERM": 0}
        self.log: list[str] = []
        self.tell: Callable[[int, str], None] | None = None
        self.dies_at_once = False

    async def do(self, act: Callable[..., Any], *args: Any) -> Any:
        """Call after a turn of the loop."""
        await asyncio.sleep(0)
        return act(*args)

    def start(self, container: str) -> None:
        """Start."""
        self.log.append(f"start {container}")

    def watch(self, _container: str, tell: Callable[[int, str], None]) -> None:
        """Remember whom to tell."""
        self.tell = tell
        if self.dies_at_once:
            self.end(66, "no disk")

    def signal(self, _container: str, name: str) -> None:
        """End it, a turn later."""
        code = self.codes[name]
        if code is not None:
            self.end(code, "last words")

    def end(self, code: int, words: str) -> None:
        """The container ends; nobody is told twice."""
        tell, self.tell = self.tell, None
        if tell is not None:
            asyncio.get_running_loop().call_soon(tell, code, words)

    def wipe(self, holder: str) -> None:
        """Wipe."""
        self.log.append(f"wipe {holder}")


def living(main: Callable[[FakeEngine, Nodes, Told], Coroutine[Any, Any, None]]) -> None:
    """Run a test on one node that answers at its second asking, and that has been started."""

    async def whole() -> None:
        engine, told = FakeEngine(), cast("Told", [])
        asked: list[str] = []

        async def answers(node: str) -> bool:
            asked.append(node)
            return len(asked) % 2 == 0

        def changed(node: str, event: str, detail: dict[str, Any]) -> None:
            told.append((node, event, detail))

        made = {"n1": Made("holder", "node")}
        nodes = Nodes(["n1"], made, cast("Engine", engine), answers, changed)
        await nodes.start("n1")
        await main(engine, nodes, told)

    asyncio.run(whole())


def test_every_change_is_told_when_it_is_done() -> None:
    """Killed, wiped, started, stopped, each once."""

    async def main(engine: FakeEngine, nodes: Nodes, told: Told) -> None:
        await nodes.kill("n1")
        assert not nodes.running("n1")
        await nodes.wipe("n1")
        await nodes.start("n1")
        assert nodes.running("n1")
        await nodes.stop("n1")
        assert [event for _, event, _ in told] == ["started", "killed", "wiped", "started", "stopped"]
        assert engine.log == ["start node", "wipe holder", "start node"]

    living(main)


def test_a_node_that_ends_by_itself_is_noticed() -> None:
    """With its code and its last words."""

    async def main(engine: FakeEngine, nodes: Nodes, told: Told) -> None:
        engine.end(74, "the store failed")
        await asyncio.sleep(0)
        assert not nodes.running("n1")
        assert told[1:] == [("n1", "exited", {"code": 74, "error": "the store failed"})]

    living(main)


def test_a_node_that_ends_before_it_is_killed_was_not_killed() -> None:
    """The signal finds nobody; the code says what happened."""

    async def main(engine: FakeEngine, nodes: Nodes, told: Told) -> None:
        engine.codes["SIGKILL"] = 70
        with pytest.raises(PowerError, match="n1 exited by itself, with 70"):
            await nodes.kill("n1")
        assert [event for _, event, _ in told] == ["started", "exited"]

    living(main)


def test_leaving_with_another_code_than_0_is_no_good_order() -> None:
    """The node is down all the same, and that is told."""

    async def main(engine: FakeEngine, nodes: Nodes, told: Told) -> None:
        engine.codes["SIGTERM"] = 70
        with pytest.raises(PowerError, match="n1 did not leave in good order: it exited with 70: last words"):
            await nodes.stop("n1")
        assert not nodes.running("n1")
        assert told[1:] == [("n1", "exited", {"code": 70, "error": "last words"})]

    living(main)


def test_a_node_that_does_not_leave_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound on everything, and a state that is known afterwards."""
    monkeypatch.setattr(containers_nodes, "STOP_S", 0.01)

    async def main(engine: FakeEngine, nodes: Nodes, told: Told) -> None:
        engine.codes["SIGTERM"] = None
        with pytest.raises(PowerError, match=r"n1 was still there 0.01 s after SIGTERM; it was killed"):
            await nodes.stop("n1")
        assert not nodes.running("n1")
        assert [event for _, event, _ in told] == ["started", "killed"]

    living(main)


def test_a_kill_that_does_not_kill_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is still taken for running, and its end is noticed whenever it comes."""
    monkeypatch.setattr(containers_nodes, "END_S", 0.01)

    async def main(engine: FakeEngine, nodes: Nodes, told: Told) -> None:
        engine.codes["SIGKILL"] = None
        with pytest.raises(PowerError, match=r"n1 was still there 0.01 s after SIGKILL"):
            await nodes.kill("n1")
        assert nodes.running("n1")
        engine.end(137, "")
        await asyncio.sleep(0)
        assert [event for _, event, _ in told] == ["started", "exited"]

    living(main)


def test_a_node_that_dies_while_it_starts() -> None:
    """Its last words are the reason."""

    async def main(engine: FakeEngine, nodes: Nodes, told: Told) -> None:
        await nodes.kill("n1")
        engine.dies_at_once = True
        with pytest.raises(PowerError, match="n1 exited with 66 before it answered: no disk"):
            await nodes.start("n1")
        assert [event for _, event, _ in told] == ["started", "killed", "exited"]

    living(main)


def test_what_does_not_fit_the_state_is_refused() -> None:
    """A second start, a wipe of a running node, a kill of one that is down."""

    async def main(engine: FakeEngine, nodes: Nodes, told: Told) -> None:
        with pytest.raises(PowerError, match="n1 is running"):
            await nodes.start("n1")
        with pytest.raises(PowerError, match="only the disk of a node that is down"):
            await nodes.wipe("n1")
        await nodes.kill("n1")
        for act in (nodes.kill, nodes.stop):
            with pytest.raises(PowerError, match="n1 is not running"):
                await act("n1")

    living(main)
