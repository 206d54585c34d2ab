"""Wait until a healed cluster is quiet, and write down what every replica holds.

Quiet means: nothing is under way on any node, twice, further apart than a request and a hint can take, and between
the two nothing that any replica holds has changed. The wait is bounded, and what it ends with is a record: `quiet`,
`moving` (there was still progress at the bound) or `stuck`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from checkers.history import Dumped, Held, RingTold, Settled
from checkers.ring import IDLE
from harness.contracts import Inspector, Operator
from harness.recorder import Recorder

POLL_S = 0.1

Work = dict[str, dict[str, int]]
Dumps = dict[str, tuple[Held, ...] | None]


class Settling:
    """The waits and dumps of one run. `nodes` says whom to look at, `apart_s` how far apart the two looks are,
    `limit_s` is the bound of one wait; an `operator` is told of the ring as well.
    """

    def __init__(
        self,
        inspector: Inspector,
        nodes: Callable[[], Sequence[str]],
        recorder: Recorder,
        *,
        apart_s: float,
        limit_s: float,
        operator: Operator | None = None,
    ) -> None:
        self._inspector = inspector
        self._nodes = nodes
        self._recorder = recorder
        self._apart_s = apart_s
        self._limit_s = limit_s
        self._operator = operator

    async def quiet(self, round_name: str, apart_s: float | None = None) -> None:
        """Wait for quiet, record how that ended, and record the dumps as this round's: of a quiet cluster, those that
        showed it.

        With an `apart_s` of its own, the last wait of a run, what each node tells of the ring is recorded at both
        looks.
        """
        last = apart_s is not None
        began = self._recorder.now_ns()
        deadline = began + int(self._limit_s * 1e9)
        seen: list[Work] = []
        held = None
        while held is None and self._recorder.now_ns() < deadline:
            if await self._idle_until(deadline, seen):
                held = await self._unchanged(seen, self._apart_s if apart_s is None else apart_s, told=last)
        state = "quiet" if held is not None else _progress(seen)
        now = self._recorder.now_ns()
        work = {node: open_work for node, open_work in seen[-1].items() if any(open_work.values())}
        self._recorder.write(Settled(at=now, round=round_name, state=state, waited_ns=now - began, work=work))
        self._record(round_name, held if held is not None else await self._held())
        if last:
            self._record_rings(await self._rings(round_name))

    async def dump(self, round_name: str) -> None:
        """Record what every node holds; one that does not answer has no dump in this round."""
        self._record(round_name, await self._held())

    def _record(self, round_name: str, dumps: Dumps) -> None:
        for node, held in dumps.items():
            if held is not None:
                at = self._recorder.now_ns()
                self._recorder.write(Dumped(at=at, round=round_name, node=node, held=held))

    def _record_rings(self, rings: Sequence[RingTold]) -> None:
        for told in rings:
            self._recorder.write(told)

    async def _idle_until(self, deadline: int, seen: list[Work]) -> bool:
        """Poll until nothing is under way anywhere."""
        while True:
            seen.append(await self._work())
            if _idle(seen[-1]):
                return True
            if self._recorder.now_ns() >= deadline:
                return False
            await asyncio.sleep(POLL_S)

    async def _unchanged(self, seen: list[Work], apart_s: float, *, told: bool) -> Dumps | None:
        """Look twice; return what is held if nothing moved in between."""
        before = await self._held()
        rings = await self._rings(IDLE) if told else []
        await asyncio.sleep(apart_s)
        seen.append(await self._work())
        after = await self._held()
        if not _idle(seen[-1]) or before != after:
            return None
        self._record_rings(rings)
        return after

    async def _rings(self, round_name: str) -> list[RingTold]:
        """What each node tells of the ring; those that do not answer are left out."""
        operator, now = self._operator, self._recorder.now_ns()
        if operator is None:
            return []
        answers = await asyncio.gather(*(operator.ring(node, round_name, now) for node in self._nodes()))
        return [told for told in answers if told is not None]

    async def _work(self) -> Work:
        nodes = self._nodes()
        answers = await asyncio.gather(*(self._inspector.work(node) for node in nodes))
        return {node: {"silent": 1} if work is None else work for node, work in zip(nodes, answers, strict=True)}

    async def _held(self) -> Dumps:
        nodes = self._nodes()
        answers = await asyncio.gather(*(self._inspector.held(node) for node in nodes))
        return dict(zip(nodes, answers, strict=True))


def _idle(work: Work) -> bool:
    return not any(any(open_work.values()) for open_work in work.values())


def _progress(seen: Sequence[Work]) -> str:
    """Moving if there is less to do at the end than half-way through the wait, else stuck."""
    half, last = _total(seen[len(seen) // 2]), _total(seen[-1])
    return "moving" if last < half or last == 0 else "stuck"


def _total(work: Work) -> int:
    return sum(sum(open_work.values()) for open_work in work.values())
