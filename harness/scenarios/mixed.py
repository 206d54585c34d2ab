"""Everything at once, drawn anew for each seed: the cluster, the links, the clients, the faults and their rhythm.

Swarm testing (Groce et al., ISSTA 2012): a run that leaves most features out, and uses the others heavily, finds what a
run with a little of everything does not. So each fault is on in one run of four, and every rate has a wide range. What
is drawn stays within what a configuration claims to survive (`nemesis.budget`), except in one seed of twenty, which is
judged for safety only.
"""

from __future__ import annotations

from random import Random
from typing import Any

from harness.scenarios import Scenario
from nemesis import catalog
from nemesis.powers import Membership

FAULT_SHARE = 0.25
BEYOND_SHARE = 0.05
FAULTS_MAX = 5
SPARES = (0, 0, 0, 1, 2)
"""How many nodes there are to come; where there is one the ring lives, and members go as well."""
OPERATIONS = (150, 600)
"""How many operations a run of the drawn length has, so that no seed costs much more than another."""


def draw(rng: Random) -> dict[str, Any]:
    """Draw one world."""
    nodes = rng.choice((3, 4, 5, 5, 5, 6, 7))
    n = min(nodes, rng.choice((3, 3, 3, 2, 4, 5)))
    time_limit_s = rng.choice((8.0, 12.0, 20.0))
    every_s = round(rng.uniform(2.5, time_limit_s / 2), 1)
    world = {
        "nodes": nodes,
        "n": n,
        "r": rng.randint(1, n),
        "w": rng.randint(min(n, 2), n),
        "workload": rng.choice(("register", "register", "cart")),
        "keys": rng.choice((1, 3, 10, 25, 40)),
        "concurrency": rng.choice((2, 5, 10, 20, 40)),
        "rate": float(rng.randint(*OPERATIONS) // int(time_limit_s)),
        "open_loop": rng.random() < 0.2,
        "time_limit_s": time_limit_s,
        "every_s": every_s,
        "for_s": round(every_s * rng.uniform(0.2, 0.8), 1),
        "engine": rng.choice(("log", "log", "log", "sqlite")),
        "latency_us": rng.choice((100.0, 350.0, 350.0, 2000.0, 10_000.0)),
        "latency_sigma": rng.choice((0.2, 0.6, 1.2)),
        "on_cut": rng.choice(("drop", "hold", "reset")),
        "settings": _settings(rng),
    }
    spares = rng.choice(SPARES)
    return world | {"spares": spares, "faults": _faults(rng, nodes, spares)}


def _settings(rng: Random) -> dict[str, int]:
    """Turn some of the system's constants, each in one run of three."""
    ranges = {
        "request_timeout_ms": (600, 2000),
        "peer_timeout_ms": (100, 400),
        "probe_interval_ms": (100, 600),
        "hint_retry_ms": (100, 1000),
        "repair_window_ms": (5, 200),
        "partitions": (16, 256),
    }
    return {name: rng.randint(*bounds) for name, bounds in ranges.items() if rng.random() < 1 / 3}


def _faults(rng: Random, nodes: int, spares: int) -> tuple[str, ...]:
    """Turn each fault on or off; a shape of partition that takes more nodes than there are stays off.

    Where there are no spares the ring stays as it is.
    """
    names = tuple(f"n{number}" for number in range(1, nodes + 1))
    known = [
        name
        for name in catalog.names()
        if not catalog.is_beyond(name) and not catalog.is_staged(name) and catalog.fits(name, names)
        if spares or catalog.load(name).NEEDS is not Membership
    ]
    chosen = [name for name in known if rng.random() < FAULT_SHARE]
    beyond = [name for name in catalog.names() if catalog.is_beyond(name)]
    drawn = rng.sample(chosen, min(len(chosen), FAULTS_MAX))
    return (*drawn, *beyond) if rng.random() < BEYOND_SHARE else tuple(drawn)


SCENARIOS = {"mixed": Scenario("another cluster, other links, clients and faults in each seed", drawn=draw)}
