"""The reference Dynamo cluster as a system under test.

This file knows both sides: the node's messages, and the harness' steps, replies and dumps. It does not know in which
world the nodes run; a world gives it ports to build a host on, and a way to dial.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Awaitable, Callable
from random import Random

import msgspec

from checkers.evidence import listed, shown
from checkers.history import Ack, Held, Outcome, Version
from harness.contracts import Reply, Step
from harness.spec import RunSpec, UsageError
from harness.systems.dynamo_operator import DynamoOperator
from nemesis.powers import Clocks, Connections, Disks, Links, Membership, Network, Pauses, Processes, Speed
from node.client.client import Channel, Client, DebugClient, OutcomeUnknownError, RequestFailedError
from node.core.changes import Member
from node.core.config import ClusterConfig, ConfigError
from node.core.messages import Ack as NodeAck
from node.core.messages import (
    Declined,
    Fetch,
    Fetched,
    Forward,
    Forwarded,
    HeldKey,
    Message,
    Put,
    Refused,
    Replicate,
)
from node.core.messages import Version as NodeVersion
from node.core.node import Node
from node.core.replica import Record
from node.core.store import Space
from node.core.versions import Versions
from node.runtime.host import Host
from node.runtime.ports import Clock, Engine, Transport

OPERATIONS = ("get", "put")
POWERS = (Network, Links, Connections, Processes, Pauses, Speed, Clocks, Disks, Membership)
WORLDS = ("containers", "processes", "sim")

_NOT_SETTABLE = ("members", "places", "secret", "n", "r", "w")
SETTABLE = tuple(name for name in ClusterConfig.__struct_fields__ if name not in _NOT_SETTABLE)
"""What `--set` can set; the others follow from options of their own, or from the run."""

VALUE_TEXT_MAX = 4096
"""Longer values stand in the history as the digest of their bytes; a full cart (`harness.workloads.cart`) must not."""

Dial = Callable[[str], Awaitable[Channel]]


def cluster_config(spec: RunSpec) -> ClusterConfig:
    """The cluster that a spec asks for; raises `UsageError` for settings that it does not have or cannot take."""
    for name in spec.settings:
        if name not in SETTABLE:
            why = f"give --{name} instead" if name in ("n", "r", "w") else "that cannot be set"
            raise UsageError(f"--set {name}: {why}; there is {', '.join(SETTABLE)}")
    try:
        return ClusterConfig(
            members=spec.node_ids,
            secret=f"keelhaul-{spec.seed}",
            places=_places(spec),
            n=spec.n,
            r=spec.r,
            w=spec.w,
            **spec.settings,
        ).checked()
    except ConfigError as error:
        raise UsageError(f"--set: {error}") from error


def _places(spec: RunSpec) -> tuple[Member, ...]:
    """Where the founders stand; nothing where they all stand together."""
    placed = {node: spec.place_of(node) for node in spec.node_ids}
    return tuple(Member(node, dc=dc, rack=rack) for node, (dc, rack) in placed.items() if dc or rack)


def node_type(variant: str | None) -> type[Node]:
    """The node to run: the shipped one, or the `NODE` of a module with a known bug.

    Raises `UsageError` where there is no such module, or no node in it.
    """
    if variant is None:
        return Node
    try:
        found = importlib.import_module(variant).NODE
    except (ImportError, AttributeError, ValueError, TypeError, SyntaxError) as error:
        raise UsageError(f"--node-module {variant}: {error}; {_WANTED}") from error
    if not (isinstance(found, type) and issubclass(found, Node)):
        raise UsageError(f"--node-module {variant}: its NODE is no kind of node.core.node.Node; {_WANTED}")
    return found


_WANTED = "give the dotted name of a module that defines NODE, as it is found from the current directory"

Build = Callable[[str, Engine, Transport, Clock, Random, Callable[[], None]], Host]


def builder(spec: RunSpec) -> Build:
    """How a node's host is built on the ports of one life of it."""
    config, kind = cluster_config(spec), node_type(spec.variant)

    def build(
        node: str, engine: Engine, transport: Transport, clock: Clock, rng: Random, left: Callable[[], None]
    ) -> Host:
        return Host(kind(node, config, engine, rng, durable=engine.durable), engine, transport, clock, left)

    return build


def quiet_apart_s(spec: RunSpec) -> float:
    """How far apart two looks at a quiet cluster must be: longer than a request and the next try at a hint."""
    config = cluster_config(spec)
    return (config.request_timeout_ms + config.hint_retry_ms + 100) / 1000


def repaired_apart_s(spec: RunSpec) -> float | None:
    """How far apart two looks must be for anti-entropy to have found whatever differs; None where there is none.

    A node makes one exchange at a time, with one peer after the other.
    """
    config = cluster_config(spec)
    if not config.anti_entropy_ms:
        return None
    exchanges_ms = config.anti_entropy_ms * max(EXCHANGES_MIN, len(spec.all_ids) - 1)
    return quiet_apart_s(spec) + (exchanges_ms + config.anti_entropy_settle_ms) / 1000


EXCHANGES_MIN = 2


class DynamoSession:
    """A client of the cluster, server-driven: every operation goes to the node that its step names."""

    def __init__(self, spec: RunSpec, dial: Dial, client: str) -> None:
        self._client = Client(dial, spec.all_ids, client)
        self._n = spec.n
        self._timeout_ms = cluster_config(spec).request_timeout_ms

    async def invoke(self, step: Step, context: bytes) -> Reply:
        """Carry a step out."""
        try:
            return await (self._get(step) if step.f == "get" else self._put(step, context))
        except RequestFailedError as error:
            return Reply(Outcome.FAILED, error=str(error))
        except OutcomeUnknownError as error:
            return Reply(Outcome.UNKNOWN, error=str(error))

    async def read_repairing(self, key: str, node: str) -> bool:
        """Read with R = N; the coordinator then repairs who is behind (Dynamo, 5).

        A primary that was too slow is answered for by a fallback, and is not repaired.
        """
        try:
            got = await self._client.get(key.encode(), node=node, r=self._n, timeout_ms=self._timeout_ms)
        except (RequestFailedError, OutcomeUnknownError):
            return False
        return all(ack.hint_for is None for ack in got.acks)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def _get(self, step: Step) -> Reply:
        got = await self._client.get(step.key.encode(), node=step.node, timeout_ms=self._timeout_ms)
        return Reply(
            Outcome.OK,
            versions=tuple(_version(version) for version in got.versions),
            coordinator=got.coordinator,
            acks=_acks(got.acks),
            ring=got.ring,
            context=got.context,
        )

    async def _put(self, step: Step, context: bytes) -> Reply:
        assert step.value is not None, f"{step.op} is a put without a value"
        put = await self._client.put(
            step.key.encode(), step.value.encode(), context=context, node=step.node, timeout_ms=self._timeout_ms
        )
        return Reply(
            Outcome.OK,
            dot=put.dot,
            coordinator=put.coordinator,
            acks=_acks(put.acks),
            ring=put.ring,
            context=put.context,
        )


class DynamoInspector:
    """The debug ports of the cluster."""

    def __init__(self, spec: RunSpec, dial: Dial) -> None:
        self._debug = DebugClient(dial, cluster_config(spec).request_timeout_ms)

    async def work(self, node: str) -> dict[str, int] | None:
        """What is under way on a node."""
        try:
            return (await self._debug.status(node)).work
        except (RequestFailedError, OutcomeUnknownError):
            return None

    async def held(self, node: str) -> tuple[Held, ...] | None:
        """Everything that a node holds."""
        try:
            return tuple(_held(entry) for entry in await self._debug.dump(node))
        except (RequestFailedError, OutcomeUnknownError):
            return None

    async def close(self) -> None:
        """Let go of connections."""
        await self._debug.close()


session = DynamoSession
inspector = DynamoInspector
operator = DynamoOperator


def printable(value: bytes) -> str:
    """A value as the history writes it."""
    if len(value) <= VALUE_TEXT_MAX:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return f"sha256:{hashlib.sha256(value).hexdigest()[:32]}"


def _version(version: NodeVersion) -> Version:
    return Version(version.dot, printable(version.value))


def _acks(acks: tuple[NodeAck, ...]) -> tuple[Ack, ...]:
    return tuple(Ack(ack.node, ack.hint_for, ack.durable) for ack in acks)


def _held(entry: HeldKey) -> Held:
    versions = tuple(_version(version) for version in entry.versions)
    return Held(key=printable(entry.key), primaries=entry.primaries, versions=versions, hint_for=entry.hint_for)


def told(message: Message) -> tuple[str, str | None]:
    """What a message between nodes says, in a few words, and the key that it names, if it names one.

    An answer names none: it belongs to what it answers.
    """
    label, about = type(message).__name__, None
    match message:
        case Fetch(key=key):
            about = key
        case Fetched(versions=versions):
            label = f"Fetched {_values(versions)}"
        case Replicate(key=key, versions=versions, hint_for=hint_for):
            label, about = f"Replicate {_values(versions)}{f' as a hint for {hint_for}' if hint_for else ''}", key
        case Forward(put=Put(key=key, value=value)):
            label, about = f"Forward put {shown(printable(value))}", key
        case Forwarded(response=response):
            label = f"Forwarded refusal: {response.text}" if isinstance(response, Refused) else "Forwarded success"
        case Declined(text=text):
            label = f"Declined: {text}"
    return label, None if about is None else printable(about)


def stored(space: Space, name: bytes, value: bytes | None) -> tuple[str, str | None]:
    """What a node has made durable, in a few words, and the key that it is of; its own records are of none."""
    if space is Space.META:
        return f"commits its own {name.decode()}", None
    target, _, key = name.rpartition(b"\0")
    hint = f"a hint for {target.decode()}" if space is Space.HINTS else "its copy"
    if value is None:
        return f"forgets {hint}", printable(key)
    held = _values(msgspec.msgpack.decode(value, type=Record).versions)
    return f"commits {held}{f' as {hint}' if space is Space.HINTS else ''}", printable(key)


def _values(versions: Versions) -> str:
    return listed((shown(printable(sibling.value)) for sibling in versions.siblings), at_most=4) or "nothing"
