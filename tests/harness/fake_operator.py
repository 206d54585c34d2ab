"""A cluster of canned reports behind `host:port`, for tests of an operator's commands; it remembers what is staged."""

from __future__ import annotations

from typing import Any

from node.client.client import ChannelError
from node.core.admin_messages import (
    Commit,
    Done,
    Locate,
    Located,
    MemberReport,
    NodeQuery,
    NodeReport,
    Plan,
    PlanQuery,
    RingQuery,
    RingReport,
    Seats,
    Share,
    Stage,
    Staged,
    TransferReport,
    Transfers,
    Unstage,
)
from node.core.admission import BackgroundReport
from node.core.changes import Change, Life, Member, Move
from node.core.messages import Refused

QUARTER = 1 << 61
RING = "3f2a00000001"
NODES = ("n1", "n2", "n3", "n4")
MOVE = Move(QUARTER, 2 * QUARTER, 1, 1, "n3", "n4")


def address(node: str) -> str:
    """Where a node of the cluster is dialled."""
    return f"127.0.0.1:710{node[1:]}"


def members() -> tuple[MemberReport, ...]:
    """Three founders in two racks, one that joins, one that has left and is gone."""
    places = {name: Member(name, rack="r1" if name < "n3" else "r2", dc="east") for name in NODES}
    founders = [MemberReport(places[name], address(name), "valid", 21, 4, 3) for name in NODES[:3]]
    comer = MemberReport(stronger(places["n4"]), address("n4"), "joining", 42, 0, 3)
    return (*founders, comer, MemberReport(Member("n5"), address("n5"), "left", 0, 0, 0))


def stronger(member: Member) -> Member:
    """The same node, twice as strong."""
    return Member(member.node, 2, member.host, member.rack, member.dc)


def ring(node: str = "n1") -> RingReport:
    """The ring as a node knows it: four partitions, three seats each, one move due."""
    seats = tuple(Seats(number * QUARTER, (number + 1) * QUARTER, ("n1", "n2", "n3")) for number in range(4))
    joined = Change(1, "c", "join", "n4", Member("n4"), address("n4"), "n1", 1_795_367_873_000, "")
    back = Change(2, "d", "up", "n2", None, "", "n2", 0, "")
    return RingReport("", node, RING, 3, 3, members(), seats, (MOVE,), (joined, back))


def report(node: str) -> NodeReport:
    """What a node says of itself."""
    background = BackgroundReport(16.0, 8.25, 20.0, 3, 7.5, 50, None, 50, {"handoff": 5}, {"handoff": 1})
    hints = {"n4": 7, "n2": 2} if node == "n1" else {}
    moves = (TransferReport(MOVE, "sending", 1200, 300),) if node == "n3" else ()
    counters = {"exchanges": 12, "repaired_here": 3}
    return NodeReport("", Life(node, f"incarn-{node}", 2, address(node)), RING, (), hints, moves, background, counters)


class FakeCluster:
    """Channels to nodes that answer with canned reports. `silent` nodes are not there."""

    def __init__(self) -> None:
        self.silent = ["n5"]
        self.reports = {node: report(node) for node in NODES}
        self.ring = ring()
        self.staged: list[str] = []
        self.asked: list[Any] = []
        self.refuse_commit = ""

    async def dial(self, at: str) -> FakeChannel:
        """Find who listens there."""
        node = next((name for name in (*NODES, "n5") if address(name) == at), None)
        if node is None or node in self.silent:
            raise ChannelError(f"cannot reach {at}: Connection refused", sent=False)
        return FakeChannel(self, node)

    def answer(self, node: str, message: Any) -> Any:  # noqa: PLR0911 - one for each question
        """Answer as that node."""
        self.asked.append(message)
        match message:
            case RingQuery():
                return self.ring
            case NodeQuery():
                return self.reports[node]
            case Stage(request, operation, name):
                self.staged.append(f"{operation} {name}")
                return Staged(request, tuple(self.staged))
            case Unstage(request):
                self.staged.clear()
                return Staged(request, ())
            case PlanQuery():
                return self.plan()
            case Commit(request, token):
                return self.commit(request, token)
            case Locate(request):
                return Located(request, RING, self.ring.seats[1], ("n1", "n4", "n2"), ("n4",))

    def plan(self) -> Plan:
        """What is staged, and made-up consequences."""
        if not self.staged:
            return Plan("", "", (), (), (), ())
        shares = (Share("n1", 21, 16, 64, 48), Share("n4", 0, 16, 0, 48))
        warning = "n3 is to give seats and does not answer; they wait for it, or for `down n3`"
        return Plan("", "t0ken", tuple(self.staged), shares, (Transfers("n1", "n4", 16),), (warning,))

    def commit(self, request: str, token: str) -> Any:
        """Commit, unless the token is another."""
        if token != "t0ken" or self.refuse_commit:
            text = self.refuse_commit or f"plan {token} is not what is staged now"
            return Refused(request, "bad-order", text, definite=True)
        self.staged.clear()
        return Done(request, self.ring.changes[:1], RING)


class FakeChannel:
    """A channel to one of its nodes."""

    def __init__(self, cluster: FakeCluster, node: str) -> None:
        self._cluster = cluster
        self._node = node

    async def request(self, message: Any) -> Any:
        """Ask."""
        return self._cluster.answer(self._node, message)

    async def close(self) -> None:
        """Nothing is open."""
