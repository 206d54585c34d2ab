"""Run one node as a process: `keelhaul-node`, or `serve` in a process that somebody else has made.

SIGTERM and SIGINT ask the node to finish what it has begun and to leave; a second one ends it at once. A store that
fails ends it too, at once and for good, and so does another process that is the same node: nothing leaves the process
after that.

This file knows processes: signals and exit codes. It does not know what a node does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from node.core.config import ConfigError
from node.core.node import Node
from node.runtime import arguments
from node.runtime.addresses import shown
from node.runtime.clock import LoopClock
from node.runtime.directory_lock import LockedError
from node.runtime.files import Files
from node.runtime.host import Host
from node.runtime.log_store import LogStore
from node.runtime.logs import log_to
from node.runtime.memory import MemoryStore
from node.runtime.ports import Engine, EngineError, ResignedError
from node.runtime.process import die_with_parent, new_event_loop
from node.runtime.settings import Settings
from node.runtime.sqlite import SqliteStore
from node.runtime.tcp import PortError, TcpTransport, bound

LEFT = os.EX_OK
BAD_CONFIG = os.EX_USAGE
UNAVAILABLE = os.EX_UNAVAILABLE
BROKEN = os.EX_SOFTWARE
STORE_FAILED = os.EX_IOERR

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, *, node_type: type[Node] = Node) -> int:
    """Read the command line, run the node to its end, and return the exit code."""
    try:
        asked = arguments.read(argv)
    except SystemExit as end:
        return BAD_CONFIG if end.code else LEFT
    except ConfigError as error:
        return _complain(error, BAD_CONFIG)
    return serve(
        asked.settings,
        node_type=node_type,
        log_level=asked.log_level,
        parent_death=asked.die_with_parent,
        warnings=asked.warnings,
    )


def serve(
    settings: Settings,
    *,
    node_type: type[Node] = Node,
    log_handler: logging.Handler | None = None,
    log_level: str = "info",
    parent_death: bool = True,
    warnings: Sequence[str] = (),
) -> int:
    """Run the node to its end and return the exit code; `log_handler` takes the place of standard output.

    With `parent_death` the process is killed when its parent ends; on Linux that means the thread that made it.
    """
    if parent_death:
        die_with_parent()
    try:
        log_to(settings.node, log_level, log_handler, settings.log_file)
        for warning in warnings:
            log.warning(warning)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_Life(settings).run(node_type))
    except (PortError, LockedError) as error:
        return _complain(error, UNAVAILABLE)
    except ResignedError as error:
        return _complain(ResignedError(f"{settings.node}: {error}"), UNAVAILABLE)
    except (EngineError, OSError) as error:
        return _complain(error, STORE_FAILED)


def _complain(error: Exception, code: int) -> int:
    print(f"keelhaul-node: {error}", file=sys.stderr)
    return code


class _Life:
    """One life of a node, from its ports to its exit code. To be made in the process that it is to fill."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked_to_leave = False
        self._ended: asyncio.Future[int]
        self._transport: TcpTransport
        self._host: Host

    async def run(self, node_type: type[Node]) -> int:
        """Live; returns the exit code.

        Raises `PortError` or `EngineError` when the beginning fails, `ResignedError` when somebody else is this node.
        """
        settings = self._settings
        with ExitStack() as stack:
            sock = stack.enter_context(bound(settings.listen, reuse_port=settings.reuse_port))
            debug_sock = settings.debug and stack.enter_context(bound(settings.debug, reuse_port=settings.reuse_port))
            engine = stack.enter_context(closing(_engine(settings)))
            self._begin(node_type, engine, settings.advertised(sock.getsockname()[1]))
            listen = await self._transport.listen(sock)
            debug = debug_sock and await self._transport.listen(debug_sock, debug=True)
            log.info(
                "listening on %s:%s", *listen, extra={"event": "listening", "listen": listen, "debug": debug or None}
            )
            code = await self._ended
            if code == LEFT:
                await self._transport.close()
                log.info("left: everything begun is finished", extra={"event": "left"})
            return code

    def _begin(self, node_type: type[Node], engine: Engine, address: str) -> None:
        """Put the node together, to be dialled at that address, and start it."""
        settings, loop = self._settings, asyncio.get_running_loop()
        self._ended = loop.create_future()
        loop.set_exception_handler(self._failed)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        rng = random.Random(os.urandom(16))
        seeds = {peer: shown(there) for peer, there in settings.addresses.items() if peer != settings.node}
        node = node_type(
            settings.node, settings.cluster, engine, rng, durable=engine.durable, seeds=seeds, address=address
        )
        self._transport = TcpTransport(settings.node, settings.cluster.cluster, settings.addresses, settings.egress)
        self._host = Host(node, engine, self._transport, LoopClock(loop), lambda: self._end(LEFT))
        self._transport.attach(self._host)
        self._host.start()
        self._transport.life = node.membership.life
        log.info(
            "started, incarnation %s, ring %s",
            node.replica.incarnation,
            node.ring.digest,
            extra={"event": "started", "incarnation": node.replica.incarnation, "addresses": settings.addresses},
        )

    def _signalled(self, number: int) -> None:
        """Drain at the first signal; end at the second."""
        if self._asked_to_leave:
            self._transport.fence()
            self._end(128 + number)
        else:
            self._asked_to_leave = True
            log.info("%s: leaving", signal.Signals(number).name, extra={"event": "draining"})
            self._host.drain()

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something was raised in a callback: end at once, unless it is a matter of one connection only."""
        error = context.get("exception")
        if error is None or isinstance(error, OSError):
            log.warning("%s: %s", context.get("message"), error)
            return
        self._transport.fence()
        if self._ended.done():
            return
        if isinstance(error, ResignedError):
            log.critical("resigned: %s", error, extra={"event": "resigned"})
            self._ended.set_exception(error)
        elif isinstance(error, EngineError):
            log.critical("the store failed: %s", error, extra={"event": "store-failed"})
            self._end(STORE_FAILED)
        else:
            log.critical("the node is broken: %r", error, exc_info=error, extra={"event": "broken"})
            self._end(BROKEN)

    def _end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)


def _engine(settings: Settings) -> Engine:
    match settings.engine:
        case "log":
            return LogStore(Files(Path(settings.data)))
        case "sqlite":
            return SqliteStore(Path(settings.data))
        case "memory":
            return MemoryStore()
