"""The nodes of a cluster in memory, and time for others to run."""

from __future__ import annotations

import asyncio

NODES = ("n1", "n2", "n3", "n4", "n5")
SPARES = ("n6", "n7")


async def turns(count: int) -> None:
    """Let others run that many times."""
    for _ in range(count):
        await asyncio.sleep(0)
