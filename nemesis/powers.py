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


@dataclass(frozen=True)
class Standing:
    """The ring as one node tells it: each member's state by its name, how many moves of seats are due, its digest.

    A state is `valid`, `joining`, `leaving`, `left` or `down`; who is not named was never a member.
    """

    states: Mapping[str, str]
    moves: int = 0
    ring: str = ""


class Membership(Processes, Protocol):
    """The power of an operator over the ring, and over the processes of all nodes, also of those that are to come.

    Orders go to a node, `at`. Methods raise `OrderRefusedError` when it says no, and `PowerError` when nobody knows
    what has become of the order. `operation` is `join`, `leave`, `replace` (`node` by `other`) or `down`.
    """

    @property
    def spares(self) -> Sequence[str]:
        """The nodes that exist, were not started and are no members, in order."""

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
        """The ring as the node tells it."""


@dataclass(frozen=True)
class Disturbance:
    """What a bad link does to what it carries; every part is off at its default.

    `delay_ms` is added to each message and `jitter_ms` at most on top of it. `loss`, `duplicate` and `reorder` are
    shares from 0 to 1; a lost message is gone for good, a reordered one comes up to `reorder_ms` later and out of its
    turn, as on another connection. `clogged` holds everything back until the end and then lets it go in order.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_ms: float = 0.0
    clogged: bool = False


@dataclass
class Disturbed:
    """What a bad link did: how many messages came by, and to how many of them which thing happened.

    `reordered` are those that were overtaken by a later message, or overtook an earlier one.
    """

    seen: int = 0
    delayed: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    held: int = 0


class Links(Protocol):
    """The power to make links between nodes bad without cutting them."""

    @property
    def nodes(self) -> Sequence[str]:
        """Every node of the cluster, in order."""

    def disturb(self, links: Sequence[Link], how: Disturbance) -> AbstractAsyncContextManager[Mapping[Link, Disturbed]]:
        """Disturb these links for as long as the context is open, on top of whatever else disturbs them."""


class Connections(Protocol):
    """The power to reset connections between nodes: what is under way on them is lost, and both ends know."""

    async def reset(self, links: Sequence[Link]) -> Mapping[Link, int]:
        """Reset the connection of each link, and say how many messages were lost with it."""


class Pauses(Protocol):
    """The power to freeze nodes (`SIGSTOP`): a frozen node hears nothing, says nothing, and does not know it."""

    async def pause(self, node: str) -> None:
        """Freeze the node; raises `PowerError` when it is not running."""

    async def resume(self, node: str) -> None:
        """Let the node go on; one that died meanwhile is no error."""

    def paused(self, node: str) -> bool:
        """Whether the node is frozen."""


class Speed(Protocol):
    """The power to take a node's processor time away."""

    def slow(self, node: str, step_ms: float) -> AbstractAsyncContextManager[Traffic]:
        """Let every step of the node take that long; `seen` counts the steps, `dropped` those that had to wait."""


@dataclass(frozen=True)
class Skew:
    """How far a node's clock is off, and by how many parts in a million it runs too fast."""

    offset_ms: float = 0.0
    drift_ppm: float = 0.0


class Clocks(Protocol):
    """The power over each node's own clock; never the host's."""

    async def skew(self, node: str, skew: Skew) -> None:
        """Set the node's clock off; `Skew()` sets it right. A restarted node keeps its skew."""

    async def seen(self, node: str) -> Skew | None:
        """How far off the node itself reads its clock to be; None when it does not answer."""

    def reads(self, node: str) -> int:
        """How many times the node has read its clock while it was off."""


class Disks(Processes, Protocol):
    """The power over the nodes' disks, and over the processes on them, which a broken disk ends. What is asked for a
    running node takes effect at once.
    """

    def trouble(self, node: str, kind: str, amount: float) -> AbstractAsyncContextManager[Traffic]:
        """Make the node's disk `slow` (`amount` times), `full` (after `amount` more bytes), `failing` (the next sync
        fails) or `lying` (syncs are not done), while the context is open; `seen` counts the syncs, `dropped` those
        that were hit, both brought up to date when it ends. A `PowerError` for what this disk cannot be.
        """

    async def damage(self, node: str, kind: str) -> int:
        """Damage what is on the disk of a node that is down: `rot` flips a bit, `truncate` cuts a file short.

        Returns how many bytes were changed or cut; 0 when there is nothing to damage.
        """

    async def copy(self, node: str) -> None:
        """Copy the disk of a node that is down, as a backup does; a later copy takes the place of an earlier one."""

    async def put_back(self, node: str) -> bool:
        """Put the copy in the place of the disk of a node that is down; whether that held anything else by then."""


Powers = Mapping[type, Any]
"""What a world grants: each power by its protocol, `{Network: …, Processes: …}`, as a fault names it in `NEEDS`."""


class PowerError(Exception):
    """The world could not do what was asked; the message names the node and what happened."""


class OrderRefusedError(PowerError):
    """A node would not take an order, and nothing has come of it; the message is the node's."""


class CureError(PowerError):
    """What a fault did could not be undone: the cluster is not healed, and what follows says nothing."""


class PlanError(ValueError):
    """The fault makes no sense for these nodes; the message says what it would take."""


@dataclass(frozen=True)
class Plan:
    """What a fault will do, drawn before it does it: plain data, so that a run can be repeated and shrunk.

    `links` are cut links, `paths` are links that carry on badly, `nodes` are victims, `sides` the groups that a cut
    leaves, where it leaves groups, `spares` are nodes that come into the cluster, and `how` are the fault's own numbers
    by name, such as `delay_ms`.
    """

    links: tuple[Link, ...] = ()
    nodes: tuple[str, ...] = ()
    sides: tuple[tuple[str, ...], ...] = ()
    paths: tuple[Link, ...] = ()
    how: dict[str, float] = field(default_factory=dict)
    spares: tuple[str, ...] = ()

    def described(self) -> dict[str, Any]:
        """The plan as a record of the history: empty parts left out, links as `a>b`."""
        parts = {
            "links": [f"{source}>{target}" for source, target in self.links],
            "nodes": list(self.nodes),
            "sides": [list(side) for side in self.sides],
            "paths": [f"{source}>{target}" for source, target in self.paths],
            "how": dict(self.how),
            "spares": list(self.spares),
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

    A file may also say `BEYOND = True`: no configuration claims to survive it, so it is drawn only when asked for, and
    after it only safety is judged. And it may say `LOSES_DISK = True`: its plan takes one victim out of the nodes it is
    given, and that node's data are gone. The schedule then gives it the same single node every time (see
    `nemesis.schedule`). One that has power over processes and leaves them running says `ENDS_PROCESS = False`.
    What happens within a disk's files says `NEEDS_FILES = True`. `SPARES = 1` says that one spare comes in with it,
    which the schedule adds to its plan, and `GOES = True` that its victims are no members afterwards. One that makes
    sense only beside faults that somebody has chosen for it, or beside none, says `STAGED = True`.
    """

    @property
    def NEEDS(self) -> type[Any]:  # noqa: N802 - a module constant, named like one
        """The power that `inject` is given; of a fault that needs several, the one that it holds victims with."""

    def plan(self, nodes: Sequence[str], rng: Random) -> Plan:
        """Draw what to do; raises `PlanError` when these nodes are too few for it."""

    def inject(self, power: Any, plan: Plan) -> AbstractAsyncContextManager[Effect]:
        """Do it, for as long as the context is open."""
