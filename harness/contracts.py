"""What the harness' plug-ins promise each other: systems, sessions, workloads, worlds, clusters.

A module is a plug-in by its file name and by what it defines; these protocols say what that is. Nothing here does
anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

import msgspec

from checkers.history import Ack, Held, Outcome, RingTold, Version
from harness.spec import RunSpec
from nemesis.powers import Powers, Standing


class WorldError(Exception):
    """The world cannot be had here; the message says why, in one line, and what to do about it."""


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operation as data, drawn before it happens. `context_of` names the operation whose context it carries.

    A context that an operation did not yield (it failed, or nobody knows) is no context: the write is then a blind
    one. `edit` says what a put does to what the read that it names returned; its workload makes the value of it.
    """

    op: str
    client: str
    node: str
    f: str
    key: str
    value: str | None = None
    context_of: str | None = None
    edit: str | None = None


@dataclass(frozen=True)
class Reply:
    """What became of a step. `context` is what a later step may carry, or None when there is none."""

    outcome: Outcome
    error: str | None = None
    versions: tuple[Version, ...] = ()
    dot: str | None = None
    coordinator: str | None = None
    acks: tuple[Ack, ...] = ()
    ring: str | None = None
    context: bytes | None = None


class Session(Protocol):
    """One client of a system."""

    async def invoke(self, step: Step, context: bytes) -> Reply:
        """Carry a step out; never raises for what the system does, and says unknown where it cannot tell."""

    async def read_repairing(self, key: str, node: str) -> bool:
        """Read a key from all of its replicas and bring those behind up to date; whether all of them answered."""

    async def close(self) -> None:
        """Let go of connections."""


class Inspector(Protocol):
    """The view from outside: what each node has under way and holds. Looking changes nothing."""

    async def work(self, node: str) -> dict[str, int] | None:
        """What is under way by kind, all zero when the node is quiet; None when it does not answer."""

    async def held(self, node: str) -> tuple[Held, ...] | None:
        """Everything that the node holds; None when it does not answer."""

    async def close(self) -> None:
        """Let go of connections."""


class Operator(Protocol):
    """An operator of a system whose ring lives: `operator(spec, dial)` of its file, where it has `Membership`.

    Orders and their errors are those of `nemesis.powers.Membership`.
    """

    async def order(self, at: str, operation: str, node: str, other: str = "") -> None:
        """Stage an order, and nothing else, look at the plan, and commit it."""

    async def stage(self, at: str, operation: str, node: str, other: str = "") -> int:
        """Only stage an order; returns how many are staged there now."""

    async def unstage(self, at: str) -> None:
        """Let the node forget everything that is staged there."""

    async def plan(self, at: str) -> str:
        """What a commit of all that is staged there now has to name."""

    async def commit(self, at: str, token: str) -> None:
        """Commit what is staged there, if it still is what the plan of that name said."""

    async def standing(self, at: str) -> Standing:
        """The ring as the node tells it, in short."""

    async def ring(self, at: str, round_name: str, now_ns: int) -> RingTold | None:
        """The ring as the node tells it, and what it did for it, as a record; None when it does not answer."""

    async def close(self) -> None:
        """Let go of connections."""


Changed = Callable[[str, str, dict[str, Any]], None]
"""Told when something happens to a node: its name, `started`, `killed`, `stopped`, `wiped`, `exited`, `paused` or
`resumed`, and detail.
"""


class Cluster(Protocol):
    """The nodes of one run, in one world."""

    @property
    def nodes(self) -> Sequence[str]:
        """Every node there is, in order: those that the cluster began with, then those that may come."""

    @property
    def powers(self) -> Powers:
        """What can be done to them."""

    def now_ns(self) -> int:
        """The time since the cluster was opened, virtual or real."""

    def running(self, node: str) -> bool:
        """Whether the node's process is there."""

    async def start(self, node: str) -> None:
        """Start a node that is not running, and wait until it answers."""

    async def session(self, client: str) -> Session:
        """Open a client session."""

    async def inspector(self) -> Inspector:
        """Open the view from outside."""

    @property
    def operator(self) -> Operator | None:
        """Who gives orders to the ring; none where the ring does not live. It is the world's to close."""


class World(Protocol):
    """A way to run nodes: a file in `harness/worlds/`."""

    @property
    def POWERS(self) -> tuple[type, ...]:  # noqa: N802 - a module constant, named like one
        """What its clusters grant: the keys of their `powers`."""

    def probe(self) -> str | None:
        """Why this world cannot be had here, in one line with what to do about it, or None when it can."""

    def open(self, spec: RunSpec, directory: Path, changed: Changed) -> AbstractAsyncContextManager[Cluster]:
        """Start the nodes of a run; leaving the context ends them and leaves nothing behind."""


ValueOf = Callable[[Step, tuple[Version, ...] | None], str | None]
"""Makes the value of a step with an `edit` out of what the read that it names returned, or None where that failed;
answers None when there is nothing to do, and the step is passed over.
"""


class Workload(Protocol):
    """What clients do: a file in `harness/workloads/`.

    A workload whose steps have an `edit` also exports `value_of`, a `ValueOf`, and one whose values have a form
    exports `load_value(op) -> str`, what the load phase writes; without it that is the operation's name.
    """

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802 - a module constant, named like one
        """The operations that a system must have."""

    @property
    def CHECKERS(self) -> tuple[str, ...]:  # noqa: N802
        """The checkers that judge a history of it."""

    def operations(self, rng: Random, client: str, nodes: Sequence[str], keys: int) -> Iterator[Step]:
        """Draw a client's operations, without end."""
