"""Hold back what leaves the node until everything that it could have read is durable.

The order of release belongs to the node, not to one conversation: a get that read what another conversation had
staged must wait for that one's barrier. Otherwise it hands out a version that a crash can take back, and with it the
dot, which would then be minted a second time for another value.

This file knows barriers and the order of release. It does not know what is being released.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from node.core.facts import Admit, CancelTimer, Command, Leave, Meet, Persist, Refuse, Reply, Send, SetTimer

_LEAVING = (Send, Reply, Leave)


class Release:
    """The commands of one node on their way out.

    `staged` is the barrier that covers everything staged so far, `durable` the last one that was committed.
    """

    def __init__(self) -> None:
        self.staged = 0
        self.durable = 0
        self.commits = 0
        self._asked = 0
        self._held: deque[tuple[int, Command]] = deque()
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._out: list[Command] = []

    @property
    def held(self) -> int:
        """How many commands wait for a barrier."""
        return len(self._held)

    def stage(self) -> None:
        """Something was staged: all that is staged until the next `take` shares one barrier."""
        self.staged = self._asked + 1

    def put(self, command: Command) -> None:
        """Let a command out, or hold it back until what has been staged is durable."""
        if type(command) in _LEAVING and self.must_wait():
            self._held.append((self.staged, command))
        else:
            self._out.append(command)

    def pass_by(self, command: SetTimer | CancelTimer | Admit | Refuse) -> None:
        """Let out what says nothing of what the node keeps, and so waits for nothing."""
        self._out.append(command)

    def meet(self, peer: str, address: str) -> None:
        """Let out where a peer is dialled, which waits for nothing."""
        self._out.append(Meet(peer, address))

    def must_wait(self) -> bool:
        """Whether anything that could have been read is not durable yet."""
        return self.staged > self.durable

    def when_durable(self, callback: Callable[[], None]) -> None:
        """Call back when everything staged so far is durable; at the latest now, if it already is."""
        if self.staged > self.durable:
            self._waiting.append((self.staged, callback))
        else:
            callback()

    def committed(self, barrier: int) -> None:
        """A barrier is durable: release what waited for it."""
        assert self.durable < barrier <= self._asked, f"barrier {barrier} was not asked for, or was committed before"
        self.durable = barrier
        self.commits += 1
        held, waiting = self._held, self._waiting
        while held and held[0][0] <= barrier:
            self._out.append(held.popleft()[1])
        while waiting and waiting[0][0] <= barrier:
            waiting.popleft()[1]()

    def take(self) -> list[Command]:
        """Return the commands of this step, in order, asking for a barrier if anything was staged in it."""
        if self.staged > self._asked:
            self._asked = self.staged
            self._out.append(Persist(self.staged))
        out, self._out = self._out, []
        return out
