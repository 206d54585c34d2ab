"""Connect a socket within a bound.

The bound is on the plain socket, never on `create_connection`: if that is cancelled in the very turn in which its
connection is made, uvloop closes the handle, says nothing to the protocol, and the next write raises. After a
partition such turns do come, because TCP sends its second SYN after just about a second.

This file knows addresses and sockets, not what is said over them.
"""

from __future__ import annotations

import asyncio
import socket

Address = tuple[str, int]


async def connected(address: Address, timeout_s: float) -> socket.socket:
    """Return a connected socket that does not block; raises `OSError` (`TimeoutError` after the time)."""
    host, _ = address
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setblocking(False)
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
