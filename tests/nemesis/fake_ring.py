"""A ring that exists in memory only, and takes orders; `tests.nemesis.fakes` says how powers behave."""

from __future__ import annotations

from collections.abc import Sequence

from nemesis.powers import OrderRefusedError, PowerError, Standing
from tests.nemesis.fake_processes import FakeProcesses
from tests.nemesis.turns import NODES, SPARES, turns


class FakeMembership(FakeProcesses):
    """Nodes and spares, a state for each member, and what is staged where; `asked` keeps what was ordered, in order.

    All of its nodes know the same at once. `moves` are due for as long as the test says so.
    """

    def __init__(self, nodes: Sequence[str] = NODES, spares: Sequence[str] = SPARES) -> None:
        super().__init__((*nodes, *spares))
        self.nodes = tuple(nodes)
        self.spares = tuple(spares)
        self.up |= dict.fromkeys(spares, False)
        self.states = dict.fromkeys(nodes, "valid")
        self.staged: dict[str, list[tuple[str, str, str]]] = {}
        self.asked: list[tuple[str, str, str, str]] = []
        self.moves = 0
        self.refusals = 0
        self.silences = 0
        self.takes_anything = False

    async def start(self, node: str) -> None:
        """Start it; a member that is back is a valid one."""
        await super().start(node)
        if self.states.get(node) == "down":
            self.states[node] = "valid"

    async def order(self, at: str, operation: str, node: str, other: str = "") -> None:
        """Carry an order out, or refuse it; one that is met with silence was carried out all the same."""
        await turns(1)
        self._answers(at)
        self.asked.append((at, operation, node, other))
        if self.refusals:
            self.refusals -= 1
            raise OrderRefusedError(f"{at} is not in the mood")
        self._check(operation, node)
        self._do(operation, node, other)
        await turns(1)
        if self.silences:
            self.silences -= 1
            raise PowerError(f"{at} did not answer")

    async def stage(self, at: str, operation: str, node: str, other: str = "") -> int:
        """Stage one more order."""
        await turns(1)
        self._answers(at)
        self.staged.setdefault(at, []).append((operation, node, other))
        return len(self.staged[at])

    async def unstage(self, at: str) -> None:
        """Forget what is staged there."""
        await turns(1)
        self._answers(at)
        self.staged.pop(at, None)

    async def plan(self, at: str) -> str:
        """A name for exactly what is staged there."""
        await turns(1)
        self._answers(at)
        return repr(self.staged.get(at, []))

    async def commit(self, at: str, token: str) -> None:
        """Carry out what is staged, if that is its name."""
        await turns(1)
        self._answers(at)
        staged = self.staged.get(at, [])
        if not self.takes_anything and (not staged or token != repr(staged)):
            raise OrderRefusedError("that is not what the plan said")
        for operation, node, other in self.staged.pop(at, []):
            self.asked.append((at, operation, node, other))
            self._do(operation, node, other)

    async def standing(self, at: str) -> Standing:
        """The ring."""
        await turns(1)
        self._answers(at)
        return Standing(dict(self.states), self.moves, "a-ring")

    @property
    def struck(self) -> bool:
        """Whether anything was ordered."""
        return bool(self.asked)

    @property
    def whole(self) -> bool:
        """Whether every member runs and is reckoned with."""
        return all(state == "left" or (state == "valid" and self.up[node]) for node, state in self.states.items())

    def _answers(self, at: str) -> None:
        if not self.up[at]:
            raise PowerError(f"{at} does not answer")

    def _check(self, operation: str, node: str) -> None:
        state = self.states.get(node, "left")
        member = state != "left"
        if self.takes_anything:
            return
        if member == (operation == "join"):
            raise OrderRefusedError(f"{node} is {'a' if member else 'no'} member")
        if operation == "replace" and self.up[node] and state != "down":
            raise OrderRefusedError(f"{node} answers")

    def _do(self, operation: str, node: str, other: str) -> None:
        self.states[node] = {"join": "valid", "down": "down"}.get(operation, "left")
        if other:
            self.states[other] = "valid"
