"""A store that is right by construction: one dictionary for all nodes, which no crash and no cut can touch.

It is for testing workloads and checkers: what they find here is their own mistake. It speaks the same messages as the
reference cluster, so sessions and inspectors are those of `dynamo`.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from harness.spec import RunSpec
from harness.systems.dynamo import OPERATIONS, cluster_config, inspector, quiet_apart_s, session
from nemesis.powers import Processes
from node.core.clocks import Actor, Dot
from node.core.contexts import BadContextError, seal, unseal
from node.core.messages import (
    Ack,
    DebugRequest,
    DebugResponse,
    DumpPage,
    DumpQuery,
    Get,
    Got,
    HeldKey,
    PeerMessage,
    Put,
    Refused,
    Request,
    Status,
    StatusQuery,
    Version,
    Written,
)
from node.core.versions import NOTHING, Versions, write
from node.runtime.ports import Clock as ClockPort
from node.runtime.ports import Engine, Transport

__all__ = ["OPERATIONS", "POWERS", "PROMISES", "builder", "cluster_config", "inspector", "quiet_apart_s", "session"]

POWERS = (Processes,)
"""Its doors can be shut; there is no link between them that could be cut."""

WORLDS = ("sim",)

PROMISES = ("cart", "kept-writes", "convergence", "dots", "found", "writable", "crashes", "vacuity")
"""What it is judged by: all but what concerns a ring, which it has none of."""

RING = "in-memory"
ACTOR = Actor("memory", "0", 0)


class Store:
    """The one dictionary, and the secret that contexts are sealed with."""

    def __init__(self, spec: RunSpec) -> None:
        self.nodes = spec.node_ids
        self.secret = cluster_config(spec).secret.encode()
        self.keys: dict[bytes, Versions] = {}

    def get(self, node: str, request: Get) -> Got:
        """Every version of the key."""
        held = self.keys.get(request.key, NOTHING)
        context = seal(self.secret, request.key, held.clock)
        return Got(request.request, _versions(held), context, node, self._acks(), RING)

    def put(self, node: str, request: Put) -> Written | Refused:
        """One more version."""
        try:
            context = unseal(self.secret, request.key, request.context)
        except BadContextError as error:
            return Refused(request.request, "bad-context", str(error), definite=True)
        held = self.keys.get(request.key, NOTHING)
        dot = Dot(ACTOR, held.clock.last(ACTOR) + 1)
        self.keys[request.key] = write(held, context, dot, request.value)
        sealed = seal(self.secret, request.key, context.including(dot))
        return Written(request.request, str(dot), sealed, node, self._acks(), RING)

    def dump(self) -> DumpPage:
        """Every key, as each node would hold it if it held anything."""
        held = (HeldKey(key, self.nodes, _versions(versions), None) for key, versions in self.keys.items())
        return DumpPage(tuple(held), b"")

    def _acks(self) -> tuple[Ack, ...]:
        return tuple(Ack(node) for node in self.nodes)


class Door:
    """One node: a way into the store."""

    def __init__(self, node: str, store: Store, transport: Transport, left: Callable[[], None]) -> None:
        self._node = node
        self._store = store
        self._transport = transport
        self._left = left

    def start(self) -> None:
        """There is nothing to begin."""

    def drain(self) -> None:
        """There is nothing to finish."""
        self._left()

    def peer_said(self, source: str, message: PeerMessage, _ring: str = "") -> None:
        """Nodes have nothing to say to each other."""

    def peer_unreached(self, peer: str, message: PeerMessage) -> None:
        """Nodes have nothing to say to each other."""

    def asked(self, asker: int, request: Request | DebugRequest) -> None:
        """Answer at once."""
        self._transport.reply(asker, self._answer(request))

    def _answer(self, request: Request | DebugRequest) -> Got | Written | Refused | DebugResponse:
        match request:
            case Get():
                return self._store.get(self._node, request)
            case Put():
                return self._store.put(self._node, request)
            case StatusQuery():
                return Status(self._node, "0", RING, {}, (), 0)
            case DumpQuery():
                return self._store.dump()


Build = Callable[[str, Engine, Transport, ClockPort, Random, Callable[[], None]], Door]


def builder(spec: RunSpec) -> Build:
    """How a door is built; all doors of one run lead to one store."""
    store = Store(spec)

    def build(
        node: str, _engine: Engine, transport: Transport, _clock: ClockPort, _rng: Random, left: Callable[[], None]
    ) -> Door:
        return Door(node, store, transport, left)

    return build


def _versions(held: Versions) -> tuple[Version, ...]:
    return tuple(Version(str(sibling.dot), sibling.value) for sibling in held.siblings)
