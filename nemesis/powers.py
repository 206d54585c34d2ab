"""What a world can do to its nodes, seen from a fault.

A fault names the power it needs; a world grants it or does not. This file knows the shape of the powers, not one world
that has them, and not one fault that uses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

Link = tuple[str, str]
"""A directed link: what its first node sends to its second."""


@dataclass
class Traffic:
    """What a cut did to one link: how many frames or packets came by, and how many of them were dropped."""

    seen: int = 0
    dropped: int = 0


Cut = Mapping[Link, Traffic]
"""The traffic of each cut link, brought up to date when the cut is healed."""


class Network(Protocol):
    """The power to cut links between nodes."""

    @property
    def nodes(self) -> Sequence[str]:
        """Every node of the cluster, in order."""

    def cut(self, links: Sequence[Link]) -> AbstractAsyncContextManager[Cut]:
        """Drop everything on these links for as long as the context is open; leaving it heals.

        A cancelled entry leaves nothing cut. A drawn schedule never has one link in two open cuts, so a world may
        refuse that with a `PowerError`.
        """


class Processes(Protocol):
    """The power over the nodes' processes. Every method returns when the thing is done, not when it was asked for."""

    @property
    def nodes(self) -> Sequence[str]:
        """Every node of the cluster, in order."""

    async def kill(self, node: str) -> None:
        """End the node at once (`SIGKILL`); raises `PowerError` when it was not running."""

    async def stop(self, node: str) -> None:
        """Ask the node to drain and leave (`SIGTERM`), and wait until it has."""

    async def start(self, node: str) -> None:
        """Start the node and wait until it answers; raises `PowerError` when it does not within the world's bound."""

    async def wipe(self, node: str) -> None:
        """Empty the disk of a node that is not running."""

    def running(self, node: str) -> bool:
        """Whether the node's process is there."""


Powers = Mapping[type, Any]
"""What a world grants: each power by its protocol, `{Network: …, Processes: …}`, as a fault names it in `NEEDS`."""


class PowerError(Exception):
    """The world could not do what was asked; the message names the node and what happened."""


class CureError(PowerError):
    """What a fault did could not be undone: the cluster is not healed, and what follows says nothing."""


class PlanError(ValueError):
    """The fault makes no sense for these nodes; the message says what it would take."""


@dataclass(frozen=True)
class Plan:
    """What a fault will do, drawn before it does it: plain data, so that a run can be repeated and shrunk.

    `links` are cut links, `nodes` are victims, and `sides` the groups that a cut leaves, where it leaves groups.
    """

    links: tuple[Link, ...] = ()
    nodes: tuple[str, ...] = ()
    sides: tuple[tuple[str, ...], ...] = ()

    def described(self) -> dict[str, Any]:
        """The plan as a record of the history: empty parts left out, links as `a>b`."""
        parts = {
            "links": [f"{source}>{target}" for source, target in self.links],
            "nodes": list(self.nodes),
            "sides": [list(side) for side in self.sides],
        }
        return {name: part for name, part in parts.items() if part}


@dataclass
class Effect:
    """What a fault was seen to do: filled in while it is in force, complete when it has been healed."""

    delivered: bool = False
    observed: dict[str, Any] = field(default_factory=dict)


class Fault(Protocol):
    """What a file in `nemesis/faults/` exports; the fault's name is the file's, with dashes for underscores.

    `plan` is a pure function of the nodes and the generator: the same seed draws the same victims in every world.
    `inject` does what the plan says; leaving its context is the cure, which also runs when the task is cancelled, and
    runs to its end when it is cancelled itself. A cure that fails raises `CureError`.

    A file may also say `LOSES_DISK = True`: its plan takes one victim out of the nodes it is given, and that node's
    data are gone. The schedule then gives it the same single node every time (see `nemesis.schedule`).
    """

    @property
    def NEEDS(self) -> type[Network] | type[Processes]:  # noqa: N802 - a module constant, named like one
        """The power that `inject` is given."""

    def plan(self, nodes: Sequence[str], rng: Random) -> Plan:
        """Draw what to do; raises `PlanError` when these nodes are too few for it."""

    def inject(self, power: Any, plan: Plan) -> AbstractAsyncContextManager[Effect]:
        """Do it, for as long as the context is open."""
