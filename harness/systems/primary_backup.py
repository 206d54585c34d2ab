"""A primary-backup register as a second system under test: with a known flaw, or with `--set fencing=1` without it.

One primary takes all writes, and a write replaces exactly the version whose context it carries: whoever has not seen
the present value is refused, certainly and without effect. So an acknowledged value is at any time held, or covered by
a chain of writes that had seen it. Every node holds every key; N, R and W mean nothing here. What the flaw is, and how
the nodes agree on a primary, is told in `primary_backup_node`; here is what clients and inspectors see of it. They
speak to it as to the reference cluster, so sessions and inspectors are those of `dynamo`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import cast

from msgspec.structs import replace

from harness.spec import RunSpec, UsageError
from harness.systems import dynamo
from harness.systems.dynamo import OPERATIONS, Dial, DynamoInspector, DynamoSession
from harness.systems.primary_backup_messages import Answer, Ask, Links, PeerMessage
from harness.systems.primary_backup_node import BEAT_NS, PATIENCE_NS, Replica
from nemesis.powers import Membership
from node.core.clocks import Clock as DotSet
from node.core.contexts import BadContextError, seal, unseal
from node.core.messages import (
    SHUTTING_DOWN,
    Ack,
    DebugRequest,
    DumpPage,
    DumpQuery,
    Get,
    Got,
    HeldKey,
    Put,
    Refused,
    Request,
    Response,
    Status,
    StatusQuery,
    Version,
    Written,
)
from node.core.store import Space
from node.runtime.ports import Clock, Engine, Transport

__all__ = ["OPERATIONS", "POWERS", "PROMISES", "WORLDS", "builder", "inspector", "quiet_apart_s", "session"]

POWERS = tuple(power for power in dynamo.POWERS if power is not Membership)
"""Who is primary changes; who is a member does not."""

WORLDS = ("sim",)
"""Real wires carry the messages of the reference cluster only."""

PROMISES = ("cart", "kept-writes", "convergence", "dots", "crashes", "vacuity")
"""What it is judged by: not by `writable`, since without a primary, or with a stale context, it refuses by right; nor
by what concerns quorums or a ring.
"""

SETTABLE = ("fencing",)
RING = "primary-backup"


@dataclass(frozen=True)
class Settings:
    """What all nodes of a run agree on; `fencing` is whether it takes a majority to write, and to be primary."""

    members: tuple[str, ...]
    secret: bytes
    fencing: bool


def settings_of(spec: RunSpec) -> Settings:
    """What a spec asks for; raises `UsageError` for what this system does not have or cannot take."""
    for name, value in spec.settings.items():
        if name not in SETTABLE:
            raise UsageError(f"--set {name}: that cannot be set; there is {', '.join(SETTABLE)}")
        if value not in (0, 1):
            raise UsageError(f"--set {name} is {value}; it can be 0 or 1")
    if spec.variant is not None:
        raise UsageError(f"--node-module {spec.variant}: only dynamo has nodes to replace; give --set fencing=0 or 1")
    return Settings(spec.node_ids, f"keelhaul-{spec.seed}".encode(), fencing=bool(spec.settings.get("fencing", 0)))


def _as_of_dynamo(spec: RunSpec) -> RunSpec:
    """The same run as its sessions are to see it: its settings are none of theirs."""
    return replace(spec, settings={})


def session(spec: RunSpec, dial: Dial, client: str) -> DynamoSession:
    """A client."""
    return DynamoSession(_as_of_dynamo(spec), dial, client)


def inspector(spec: RunSpec, dial: Dial) -> DynamoInspector:
    """The debug ports."""
    return DynamoInspector(_as_of_dynamo(spec), dial)


def quiet_apart_s(spec: RunSpec) -> float:
    """How far apart two looks must be: longer than a request, and than it takes to miss a primary."""
    return dynamo.quiet_apart_s(_as_of_dynamo(spec)) + PATIENCE_NS / 1e9


@dataclass
class _Open:
    """A request that is not answered yet: it waits for a primary, for the `peer` that was asked, or for `position`."""

    request: Request
    respond: Callable[[Response], None]
    until_ns: int
    peer: str | None = None
    position: int | None = None
    answer: Callable[[tuple[Ack, ...]], Response] | None = None

    def refusal(self, code: str, text: str) -> Refused:
        """It did not succeed; certainly without effect, unless it was a write that somebody may have begun."""
        begun = self.peer is not None or self.position is not None
        return Refused(self.request.request, code, text, definite=isinstance(self.request, Get) or not begun)


class Host:
    """One node: what is asked of it, and its replica."""

    def __init__(
        self,
        node: str,
        settings: Settings,
        engine: Engine,
        links: Links,
        clock: Clock,
        rng: Random,
        left: Callable[[], None],
    ) -> None:
        self._id, self._settings = node, settings
        self._engine, self._links, self._clock, self._rng = engine, links, clock, rng
        self._left: Callable[[], None] | None = left
        self._draining = False
        self._replica = Replica(node, settings.members, engine, links, clock, fencing=settings.fencing)
        self._open: dict[int, _Open] = {}
        self._of_peers: dict[tuple[str, int], None] = {}
        self._calls = rng.getrandbits(48)  # an answer that was meant for an earlier life must find nothing

    # --- what the world does ---

    def start(self) -> None:
        """Read the disk, and begin to look at the time."""
        self._replica.changed = self._settle
        self._replica.open(self._rng)
        self._clock.after(BEAT_NS, self._tick)

    def drain(self) -> None:
        """Take nothing new, and leave when everything is answered."""
        self._draining = True
        self._settle()

    def peer_said(self, source: str, message: PeerMessage, _ring: str = "") -> None:
        """A message from another node arrived."""
        match message:
            case Ask(call, request):
                self._passed_on(source, call, request)
            case Answer(call, response):
                self._end(call, response)
            case _:
                self._replica.peer_said(source, message)

    def peer_unreached(self, peer: str, message: PeerMessage) -> None:
        """A message certainly was not delivered; a request that was in it waits for another primary."""
        waiting = self._open.get(message.call) if isinstance(message, Ask) else None
        if waiting is not None and waiting.peer == peer:
            waiting.peer = None

    def asked(self, asker: int, request: Request | DebugRequest) -> None:
        """A request came in."""
        match request:
            case StatusQuery():
                self._links.reply(asker, self._status())
            case DumpQuery():
                self._links.reply(asker, self._dump(request))
            case _:
                self._begin(request, lambda response: self._links.reply(asker, response))

    # --- requests ---

    def _begin(self, request: Request, respond: Callable[[Response], None], *, forwarded: bool = False) -> None:
        number = self._calls = self._calls + 1
        waiting = self._open[number] = _Open(request, respond, self._clock.now_ns() + request.remaining_ns)
        if self._draining:
            self._end(number, waiting.refusal(SHUTTING_DOWN, f"{self._id} is shutting down"))
        elif forwarded and not self._replica.leading:
            self._end(number, waiting.refusal("no-primary", f"{self._id} is not the primary"))
        else:
            self._settle()

    def _passed_on(self, source: str, call: int, request: Request) -> None:
        """Begin what a backup was asked; that it arrives twice must not make a conflict of it with itself."""
        if (source, call) in self._of_peers:
            return
        self._of_peers[source, call] = None

        def respond(response: Response) -> None:
            del self._of_peers[source, call]
            self._links.send(source, Answer(call, response))

        self._begin(request, respond, forwarded=True)

    def _end(self, number: int, response: Response) -> None:
        """Answer, unless that was done already."""
        waiting = self._open.pop(number, None)
        if waiting is not None:
            waiting.respond(response)

    def _settle(self) -> None:
        """Bring every request as far as it can come now."""
        for number, waiting in list(self._open.items()):
            if waiting.position is not None and not self._replica.leading:
                self._end(number, waiting.refusal("deposed", f"{self._id} is no longer the primary"))
            elif waiting.position is None and waiting.peer is None:
                self._route(number, waiting)
            self._acknowledge(number, waiting)
        if self._draining and not self._open and self._left is not None:
            left, self._left = self._left, None
            left()

    def _route(self, number: int, waiting: _Open) -> None:
        """Serve it here, or pass it on to the primary, if there is one."""
        if self._replica.leading:
            self._serve(number, waiting)
        elif self._replica.leader is not None:
            waiting.peer = self._replica.leader
            self._links.send(waiting.peer, Ask(number, waiting.request))

    def _serve(self, number: int, waiting: _Open) -> None:
        """Read, or write if nobody else has since; the answer waits for what was read or written to be safe."""
        request, secret = waiting.request, self._settings.secret
        held = self._replica.records.get(request.key)
        covering = DotSet() if held is None else DotSet().including(held.dot)
        if isinstance(request, Put):
            try:
                context = unseal(secret, request.key, request.context)
            except BadContextError as error:
                return self._end(number, waiting.refusal("bad-context", str(error)))
            if context != covering:
                present = "nothing is there" if held is None else f"{held.dot} is there"
                return self._end(number, waiting.refusal("conflict", f"the context does not name what is: {present}"))
            dot = self._replica.write(request)
            sealed = seal(secret, request.key, DotSet().including(dot))
            waiting.answer = lambda acks: Written(request.request, str(dot), sealed, self._id, acks, RING)
        else:
            versions = () if held is None else (Version(str(held.dot), held.value),)
            sealed = seal(secret, request.key, covering)
            # A read needs its primary only; that the others hold it too was learned earlier, and perhaps otherwise.
            waiting.answer = lambda _: Got(
                request.request, versions, sealed, self._id, (Ack(self._id, durable=self._engine.durable),), RING
            )
        waiting.position = self._replica.position
        return None

    def _acknowledge(self, number: int, waiting: _Open) -> None:
        """Answer what is on enough nodes."""
        if waiting.position is None or waiting.answer is None or number not in self._open:
            return
        holders = self._replica.holders(waiting.position)
        if holders is not None:
            self._end(number, waiting.answer(tuple(Ack(node, durable=self._engine.durable) for node in holders)))

    def _tick(self) -> None:
        if self._left is None:
            return
        self._clock.after(BEAT_NS, self._tick)
        now_ns = self._clock.now_ns()
        for number, waiting in list(self._open.items()):
            if now_ns >= waiting.until_ns:
                self._end(number, waiting.refusal("timeout", f"{self._id} could not serve it in time"))
        self._replica.tick()
        self._settle()

    # --- the debug port ---

    def _status(self) -> Status:
        work = {
            "requests": len(self._open),
            "staged": int(self._replica.disk.busy),
            "unsettled": self._replica.unsettled(),
        }
        return Status(self._id, self._replica.incarnation, RING, work, (), self._replica.disk.commits)

    def _dump(self, query: DumpQuery) -> DumpPage:
        limit = max(1, min(query.limit, 4096))
        page = [(key, self._replica.records[key]) for key, _ in self._engine.scan(Space.DATA, query.after, limit)]
        held = tuple(
            HeldKey(key, self._settings.members, (Version(str(record.dot), record.value),), None)
            for key, record in page
        )
        return DumpPage(held, page[-1][0] if len(page) == limit else b"")


Build = Callable[[str, Engine, Transport, Clock, Random, Callable[[], None]], Host]


def builder(spec: RunSpec) -> Build:
    """How a node is built on the ports of one life of it."""
    settings = settings_of(spec)

    def build(
        node: str, engine: Engine, transport: Transport, clock: Clock, rng: Random, left: Callable[[], None]
    ) -> Host:
        # The port is typed for the reference cluster's messages, and in the simulation it carries any.
        return Host(node, settings, engine, cast(Links, transport), clock, rng, left)

    return build
