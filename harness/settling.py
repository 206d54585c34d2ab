"""Wait until a healed cluster is quiet, and write down what every replica holds.

Quiet means: nothing is under way on any node, twice, further apart than a request and a hint can take, and between
the two nothing that any replica holds has changed. The wait is bounded, and what it ends with is a record: `quiet`,
`moving` (there was still progress at the bound) or `stuck`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from checkers.history import Dumped, Held, Settled
from harness.contracts import Inspector
from harness.recorder import Recorder

POLL_S = 0.1

Work = dict[str, dict[str, int]]
Dumps = dict[str, tuple[Held, ...] | None]


class Settling:
    """The waits and dumps of one run. `apart_s` is how far apart the two looks are, `limit_s` the bound of one
    wait.
    """

    def __init__(
        self, inspector: Inspector, nodes: Sequence[str], recorder: Recorder, *, apart_s: float, limit_s: float
    ) -> None:
        self._inspector = inspector
        self._nodes = nodes
        self._recorder = recorder
        self._apart_s = apart_s
        self._limit_s = limit_s

    async def quiet(self, round_name: str) -> None:
        """Wait for quiet, record how that ended, and record the dumps as this round's: of a quiet cluster, those that
        showed it.
        """
        began = self._recorder.now_ns()
        deadline = began + int(self._limit_s * 1e9)
        seen: list[Work] = []
        held = None
        while held is None and self._recorder.now_ns() < deadline:
            if await self._idle_until(deadline, seen):
                held = await self._unchanged(seen)
        state = "quiet" if held is not None else _progress(seen)
        now = self._recorder.now_ns()
        work = {node: open_work for node, open_work in seen[-1].items() if any(open_work.values())}
        self._recorder.write(Settled(at=now, round=round_name, state=state, waited_ns=now - began, work=work))
        self._record(round_name, held if held is not None else await self._held())

    async def dump(self, round_name: str) -> None:
        """Record what every node holds; one that does not answer has no dump in this round."""
        self._record(round_name, await self._held())

    def _record(self, round_name: str, dumps: Dumps) -> None:
        for node, held in dumps.items():
            if held is not None:
                at = self._recorder.now_ns()
                self._recorder.write(Dumped(at=at, round=round_name, node=node, held=held))

    async def _idle_until(self, deadline: int, seen: list[Work]) -> bool:
        """Poll until nothing is under way anywhere."""
        while True:
            seen.append(await self._work())
            if _idle(seen[-1]):
                return True
            if self._recorder.now_ns() >= deadline:
                return False
            await asyncio.sleep(POLL_S)

    async def _unchanged(self, seen: list[Work]) -> Dumps | None:
        """Look twice; return what is held if nothing moved in between."""
        before = await self._held()
        await asyncio.sleep(self._apart_s)
        seen.append(await self._work())
        after = await self._held()
        return after if _idle(seen[-1]) and before == after else None

    async def _work(self) -> Work:
        answers = await asyncio.gather(*(self._inspector.work(node) for node in self._nodes))
        return {node: {"silent": 1} if work is None else work for node, work in zip(self._nodes, answers, strict=True)}

    async def _held(self) -> Dumps:
        answers = await asyncio.gather(*(self._inspector.held(node) for node in self._nodes))
        return dict(zip(self._nodes, answers, strict=True))


def _idle(work: Work) -> bool:
    return not any(any(open_work.values()) for open_work in work.values())


def _progress(seen: Sequence[Work]) -> str:
    """Moving if there is less to do at the end than half-way through the wait, else stuck."""
    half, last = _total(seen[len(seen) // 2]), _total(seen[-1])
    return "moving" if last < half or last == 0 else "stuck"


def _total(work: Work) -> int:
    return sum(sum(open_work.values()) for open_work in work.values())
