"""Everything that determines a run: one immutable value, one JSON file.

The same spec runs in every world. This file knows what may be asked for. It does not know how any of it is done.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

FORMAT = 1

ENGINES = ("log", "sqlite", "memory")
ON_CUT = ("drop", "hold", "reset")


class UsageError(Exception):
    """Something that was asked for cannot be; the message names it, its value, and what would have been right."""


class RunSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run. Times are seconds; `rate` is operations a second over all clients, 0 for as many as they can.

    With `open_loop` operations begin when they are due, `rate` a second, whether or not earlier ones have ended.
    `variant` names a module whose `NODE` replaces the shipped one, to try the harness on a node with a known bug.
    `settings` are the system's own constants by name, such as `hint_retry_ms`. `engine` is what nodes keep data in.
    `spares` are nodes that exist beside the `nodes` that the cluster begins with, and that a fault may let in; all of
    them stand in so many data centres (`dcs`), each of so many `racks`, dealt in turn.

    The rest is for simulation. `message_seed` draws what the world draws (delays, lengths of syncs, starts) in place of
    `seed`, so that one workload under one fault schedule can be tried in many orders of its messages. Delays on links
    are log-normal, and `on_cut` says what becomes of messages on a cut link (`harness.sim.network`).
    `scripted` says that the operations were given and not drawn: they are part of the run, in a file of their own.
    """

    format: int = FORMAT
    scenario: str
    world: str
    seed: int
    system: str = "dynamo"
    workload: str = "register"
    faults: tuple[str, ...] = ()
    every_s: float = 8.0
    for_s: float = 4.0
    time_limit_s: float = 20.0
    settle_limit_s: float = 30.0
    nodes: int = 5
    spares: int = 0
    dcs: int = 1
    racks: int = 1
    n: int = 3
    r: int = 2
    w: int = 2
    concurrency: int = 10
    rate: float = 100.0
    open_loop: bool = False
    keys: int = 40
    engine: str = "log"
    variant: str | None = None
    settings: dict[str, int] = msgspec.field(default_factory=dict)
    message_seed: int | None = None
    latency_us: float = 350.0
    latency_sigma: float = 0.6
    on_cut: str = "drop"
    scripted: bool = False

    @property
    def node_ids(self) -> tuple[str, ...]:
        """The names of the nodes that the cluster begins with: n1, n2, …"""
        return tuple(f"n{number}" for number in range(1, self.nodes + 1))

    @property
    def spare_ids(self) -> tuple[str, ...]:
        """The names of the nodes that may come: those that follow."""
        return tuple(f"n{number}" for number in range(self.nodes + 1, self.nodes + self.spares + 1))

    @property
    def all_ids(self) -> tuple[str, ...]:
        """Every node that there is."""
        return self.node_ids + self.spare_ids

    def place_of(self, node: str) -> tuple[str, str]:
        """The data centre and the rack that a node stands in; each is empty where there is only one."""
        number = self.all_ids.index(node)
        dc, rack = number % self.dcs + 1, number // self.dcs % self.racks + 1
        return f"dc{dc}" if self.dcs > 1 else "", f"dc{dc}-r{rack}" if self.racks > 1 else ""

    @property
    def centres(self) -> dict[str, tuple[str, ...]]:
        """Who stands in which data centre, where there are several."""
        names = [f"dc{number}" for number in range(1, self.dcs + 1)] if self.dcs > 1 else []
        return {name: tuple(node for node in self.all_ids if self.place_of(node)[0] == name) for name in names}

    @property
    def world_seed(self) -> int:
        """What the simulated world draws from."""
        return self.seed if self.message_seed is None else self.message_seed

    def checked(self) -> RunSpec:
        """Return the spec itself, or raise `UsageError` in one line."""
        if not re.fullmatch(r"\w[\w.-]*", self.scenario, re.ASCII):
            raise UsageError(f"scenario '{self.scenario}': a name has letters, digits, dots, dashes and underscores")
        _within("--nodes", self.nodes, 1, 64)
        _within("--spares", self.spares, 0, 64 - self.nodes, f"{self.nodes} nodes")
        _within("--dcs", self.dcs, 1, self.nodes, f"{self.nodes} nodes")
        _within("--racks", self.racks, 1, self.nodes, f"{self.nodes} nodes")
        _within("--n", self.n, 1, self.nodes, f"{self.nodes} nodes")
        _within("--r", self.r, 1, self.n, f"n = {self.n}")
        _within("--w", self.w, 1, self.n, f"n = {self.n}")
        _within("--concurrency", self.concurrency, 1, 1000)
        _within("--keys", self.keys, 1, 100_000)
        _within("--rate", self.rate, 0, 100_000)
        if self.open_loop and not self.rate:
            raise UsageError("--rate is 0; with --open-loop operations come due at a rate, so give one above 0")
        _within("--time-limit", self.time_limit_s, 1, 86_400)
        _within("--every", self.every_s, 0.5, 86_400)
        _one_of("--engine", self.engine, ENGINES)
        _one_of("--on-cut", self.on_cut, ON_CUT)
        _within("--latency-us", self.latency_us, 1, 10_000_000)
        _within("--latency-sigma", self.latency_sigma, 0, 3)
        _within("--for", self.for_s, 0.1, self.every_s * 0.9, f"--every {self.every_s:g}")
        return self


def _within(option: str, value: float, least: float, most: float, because: str | None = None) -> None:
    if not least <= value <= most:
        reason = f"with {because} " if because else ""
        raise UsageError(f"{option} is {value:g}; {reason}it can be {least:g} to {most:g}")


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{option} {value}: it can be {', '.join(known)}")


def save(spec: RunSpec, path: Path) -> None:
    """Write a spec as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n")


def load(path: Path) -> RunSpec:
    """Read a spec; raises `UsageError` when it is none, or of another format."""
    try:
        spec = msgspec.json.decode(path.read_bytes(), type=RunSpec)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is no run spec: {error}") from error
    if spec.format != FORMAT:
        raise UsageError(f"{path} has spec format {spec.format}; this keelhaul reads format {FORMAT}")
    return spec.checked()
