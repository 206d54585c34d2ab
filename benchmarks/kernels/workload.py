"""The workload of all kernels: minimal quorum writes by a few clients, each with a time-out.

A client asks a coordinator; that one sends a message to N of five nodes, each answers with another, and W answers are
the end of the operation. Every message takes a time that is drawn, every operation has a time-out that is set and
cancelled again. This file knows numbers and draws. It runs under any Python, and knows no kernel.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from random import Random

NODES = 5
N, W = 3, 2
CLIENTS = 8
OPERATIONS = 2_000
TIMEOUT_NS = 1_000_000_000
DELAY_NS_MIN, DELAY_NS_MAX = 200_000, 1_000_000
ROUNDS = 3

EACH = OPERATIONS // CLIENTS
"""How many operations a client does, one after the other."""


def targets(client: int, operation: int) -> list[int]:
    """The nodes of one operation's quorum."""
    return [(client + operation + step) % NODES for step in range(N)]


class Delays:
    """How long messages take, in nanoseconds, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"{seed}:delays").random

    def draw(self) -> int:
        """The time of one message."""
        return DELAY_NS_MIN + int(self._random() * (DELAY_NS_MAX - DELAY_NS_MIN))


def report(**ways: Callable[[int], int]) -> None:
    """Run the workload in each way, with several seeds after a warm-up; print a line with the name of each way and its
    best rate, in operations a processor second.

    A way takes a seed and returns how many operations found their quorum; all of them must.
    """
    for name, run in ways.items():
        rates: list[float] = []
        for seed in range(ROUNDS + 1):
            began = time.process_time()
            reached = run(seed)
            rates.append(OPERATIONS / (time.process_time() - began))
            if reached != OPERATIONS:
                sys.exit(f"{name}: {reached} of {OPERATIONS} operations reached their quorum; all must")
        print(f"{name} {max(rates[1:]):.0f}")
