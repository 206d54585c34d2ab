"""Read and write many keys, each value written once: blind writes, and writes that carry what their client has seen.

A value is the name of the operation that wrote it, so that a value found anywhere leads back to its write. The
operations are drawn without knowing what comes back: a write names the operation whose context it carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from harness.contracts import Step

NEEDS = ("get", "put")
CHECKERS = ("kept-writes", "convergence", "dots", "found", "writable", "ring", "orders", "crashes", "vacuity")

GET, UPDATE, FOLLOW = 0.35, 0.35, 0.15
"""Shares of reads, of a read followed by a write with its context, and of writes that follow the client's own last
operation on the key; the rest are blind writes."""


def operations(rng: Random, client: str, nodes: Sequence[str], keys: int) -> Iterator[Step]:
    """Draw a client's operations, without end."""
    last: dict[str, str] = {}
    number = 0

    def step(f: str, key: str, context_of: str | None = None) -> Step:
        nonlocal number
        number += 1
        op = f"{client}.{number}"
        last[key] = op
        value = op if f == "put" else None
        return Step(op=op, client=client, node=rng.choice(nodes), f=f, key=key, value=value, context_of=context_of)

    while True:
        key = f"k{rng.randrange(keys)}"
        kind = rng.random()
        if kind < GET:
            yield step("get", key)
        elif kind < GET + UPDATE:
            read = step("get", key)
            yield read
            yield step("put", key, read.op)
        elif kind < GET + UPDATE + FOLLOW:
            yield step("put", key, last.get(key))
        else:
            yield step("put", key)
