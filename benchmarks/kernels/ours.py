"""The workload on this project's kernel: raw events of `SimLoop`, and the node's own conversations, timers and alarms.

`python -m benchmarks.kernels.ours` prints operations a processor second.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.kernels.workload import CLIENTS, EACH, TIMEOUT_NS, Delays, W, report, targets
from harness.sim.loop import Event, SimLoop, run, virtual
from node.core.conversations import Conversations, Inbox, Kind, Timers
from node.runtime.alarms import Alarms


class Message(Event):
    """A write under way to a node, and then its answer under way back."""

    __slots__ = ("inbox", "node", "nodes", "what")

    def __init__(self, nodes: Nodes, node: int, what: tuple[int, int], inbox: Inbox[int | None]) -> None:
        self.cancelled = False
        self.label = "write"
        self.nodes = nodes
        self.node = node
        self.what = what
        self.inbox = inbox

    def happen(self) -> None:
        """Arrive."""
        if self.label == "write":
            client, operation = self.what
            self.nodes.held[self.node, f"k{client}"] = operation
            self.label = "ack"
            self.nodes.send(self)
        else:
            self.inbox.put(self.node)


class Nodes:
    """What the nodes hold, and the messages between them."""

    def __init__(self, loop: SimLoop, delays: Delays) -> None:
        self._loop = loop
        self._delays = delays
        self._alarms = Alarms(self, self._fired)
        self.timers = Timers(
            lambda timer, delay_ns: self._alarms.set(timer, loop.now_ns + delay_ns), self._alarms.cancel
        )
        self.held: dict[tuple[int, str], int] = {}

    async def write(self, client: int, operation: int) -> bool:
        """One operation; returns whether it found its quorum in time."""
        inbox: Inbox[int | None] = Inbox()
        for node in targets(client, operation):
            self.send(Message(self, node, (client, operation), inbox))
        timeout = self.timers.after(TIMEOUT_NS, lambda: inbox.put(None))
        self._alarms.see_to_it()
        acks: set[int] = set()
        while len(acks) < W:
            node_or_none = await inbox.next()
            if node_or_none is None:
                return False
            acks.add(node_or_none)
        self.timers.cancel(timeout)
        return True

    def send(self, message: Message) -> None:
        """Let a message travel."""
        self._loop.at(self._loop.now_ns + self._delays.draw(), message)

    def _fired(self, timer: int) -> None:
        self.timers.fired(timer)

    # --- the clock of the alarms ---

    def now_ns(self) -> int:
        """Virtual time."""
        return self._loop.now_ns

    def offset_ns(self) -> int:
        """No wall clock here is off."""
        return 0

    def after(self, delay_ns: int, callback: Callable[[], None]) -> Event:
        """Call back after a time."""
        return self._loop.after(delay_ns, callback, "alarm")


async def _main(loop: SimLoop, seed: int) -> int:
    nodes = Nodes(loop, Delays(seed))
    conversations = Conversations(nodes.timers, lambda resume: resume())
    reached: list[int] = []
    ended = loop.create_future()

    async def client(number: int) -> None:
        reached.append(sum([await nodes.write(number, operation) for operation in range(EACH)]))
        if len(reached) == CLIENTS:
            ended.set_result(None)

    for number in range(CLIENTS):
        conversations.begin(Kind.REQUEST, client(number))
    await ended
    return sum(reached)


def workload(seed: int) -> int:
    """Run it once; returns how many operations found their quorum."""
    loop = virtual()
    return run(_main(loop, seed), loop)


if __name__ == "__main__":
    report(conversations=workload)
