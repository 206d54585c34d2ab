"""The egress proxy of one node, in a process of its own: every frame that the node sends to another passes here.

Links between nodes carry frames one way only, so cutting here what A sends to B leaves B's way to A as it is. The proxy
passes on whole frames and knows of their contents nothing but the hello. What becomes of a frame is decided in one
place, `Rules.fate`.

Commands come over a pipe and are acknowledged: what the answer says is in force *is* in force.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from multiprocessing.connection import Connection
from typing import Any

from nemesis.powers import Traffic
from node.runtime import wire
from node.runtime.dialling import connected
from node.runtime.links import DIAL_S, Outbox, prepared, reason
from node.runtime.process import die_with_parent, new_event_loop
from node.runtime.tcp import PortError, bound
from node.runtime.wire import Frame, Framer, Kind, WireError

Address = tuple[str, int]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProxySpec:
    """Whose proxy it is, where each destination really listens, and where to listen itself (port 0: any)."""

    node: str
    routes: dict[str, Address]
    listen: Address = ("127.0.0.1", 0)
    reuse_port: bool = False


def serve(spec: ProxySpec, control: Connection) -> None:
    """Be the proxy until told to stop, or until whoever holds the other end of the pipe is gone."""
    die_with_parent()
    # An interrupt at the terminal goes to all processes, but the run is still to be healed through this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(Proxy(spec).run(control))


@dataclass
class Rules:
    """What is to become of frames: for now, which destinations are cut off, and what that did so far."""

    blocked: dict[str, Traffic] = field(default_factory=dict)

    def fate(self, destination: str, frame: Frame) -> Sequence[float]:  # noqa: ARG002 - rules to come look at it
        """Decide on a frame: after how many seconds each copy of it goes on; none means that it is dropped."""
        traffic = self.blocked.get(destination)
        if traffic is None:
            return (0.0,)
        traffic.seen += 1
        traffic.dropped += 1
        return ()


class Proxy:
    """The links of one node, and the rules they are under."""

    def __init__(self, spec: ProxySpec, rules: Rules | None = None) -> None:
        self.node = spec.node
        self.rules = rules or Rules()
        self.routes = dict(spec.routes)
        self.links: dict[ProxiedLink, None] = {}
        self._spec = spec
        self._stopped = asyncio.Event()

    async def run(self, control: Connection) -> None:
        """Listen, say where, and obey until told to stop."""
        loop = asyncio.get_running_loop()
        try:
            sock = bound(self._spec.listen, reuse_port=self._spec.reuse_port)
            address = sock.getsockname()
            server = await loop.create_server(lambda: ProxiedLink(self, loop), sock=sock)
        except (PortError, OSError) as error:
            control.send(str(error))
            return
        loop.add_reader(control.fileno(), self._read, control)
        control.send(address)
        await self._stopped.wait()
        loop.remove_reader(control.fileno())
        server.close()
        for link in list(self.links):
            link.abort()
        await asyncio.sleep(0)

    def command(self, name: str, argument: Any) -> Any:
        """Carry a command out; when this returns it is in force."""
        match name:
            case "block":
                self.rules.blocked |= {name: Traffic() for name in argument if name not in self.rules.blocked}
                for link in list(self.links):
                    link.rules_changed()
            case "heal":
                healed = {name: self.rules.blocked.pop(name, Traffic()) for name in argument}
                for link in list(self.links):
                    link.rules_changed()
                return healed
            case "counters":
                return {name: replace(traffic) for name, traffic in self.rules.blocked.items()}
            case "route":
                self.routes |= argument
            case "stop":
                self._stopped.set()
        return None

    def _read(self, control: Connection) -> None:
        try:
            while control.poll():
                control.send(self.command(*control.recv()))
        except (EOFError, OSError):
            self._stopped.set()


class State(Enum):
    """What has become of a link's hello: not read yet, waiting for the destination, passed on, or swallowed."""

    NEW = "new"
    DIALLING = "dialling"
    OPEN = "open"
    SWALLOWED = "swallowed"


class ProxiedLink(asyncio.Protocol):
    """A connection that the node has made, and the one to its destination."""

    def __init__(self, proxy: Proxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop
        self._framer = Framer()
        self._state = State.NEW
        self._destination = ""
        self._waiting: list[Frame] = []
        self._dial: asyncio.Task[None] | None = None
        self._outward: _Outward | None = None
        self._transport: asyncio.Transport

    # --- from the node ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = prepared(transport)
        self._proxy.links[self] = None

    def data_received(self, data: bytes) -> None:
        """Take whole frames; the first says where they go."""
        try:
            for frame in self._framer.feed(data):
                if self._transport.is_closing():
                    return
                if self._state is State.NEW:
                    self._begin(frame)
                elif self._state is State.DIALLING:
                    self._waiting.append(frame)
                else:
                    self._carry(frame)
        except WireError as error:
            self._refuse(str(error))

    def connection_lost(self, _exc: Exception | None) -> None:
        """The node has closed: so does the other side, after what is under way, unless it is cut off."""
        self._proxy.links.pop(self, None)
        if self._dial is not None:
            self._dial.cancel()
        if self._outward is not None:
            self._outward.close(abort=self._cut_off)

    # --- to the destination ---

    def rules_changed(self) -> None:
        """Adapt to new rules: while cut off everything is read and dropped; a hello that was swallowed is made up
        for by closing, so that the node dials anew.
        """
        if self._outward is not None:
            self._outward.outbox.flush()
        if self._state is State.SWALLOWED and not self._cut_off:
            self.abort()
        elif self._state is State.DIALLING and self._cut_off:
            self._swallow()
        self.regulate()

    def regulate(self) -> None:
        """Read from the node only what can be passed on, or is to be dropped."""
        full = self._outward is not None and self._outward.full
        if (full or self._state is State.DIALLING) and not self._cut_off:
            self._transport.pause_reading()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop both connections."""
        self._transport.abort()
        if self._outward is not None:
            self._outward.close(abort=True)

    def reached(self, outward: _Outward) -> None:
        """The destination has taken the connection: pass on what has waited."""
        if self._state is not State.DIALLING or self._transport.is_closing():
            outward.close(abort=True)
            return
        self._state, self._outward = State.OPEN, outward
        self._carry_waiting()
        self.regulate()

    def answered(self, data: bytes) -> None:
        """The destination says something, which can only be why it closes."""
        if not self._cut_off:
            self._transport.write(data)

    def left(self) -> None:
        """The destination has closed; the node does not learn that from behind a cut."""
        self._outward = None
        if self._state is State.OPEN and self._cut_off:
            self._state = State.SWALLOWED
            self.regulate()
        elif self._state is State.OPEN:
            self._transport.close()

    @property
    def _cut_off(self) -> bool:
        return self._destination in self._proxy.rules.blocked

    def _begin(self, frame: Frame) -> None:
        self._destination = wire.hello(frame).destination
        self._waiting.append(frame)
        if self._cut_off:
            self._swallow()
        elif self._destination in self._proxy.routes:
            self._state = State.DIALLING
            self._dial = self._loop.create_task(self._dialled(*self._proxy.routes[self._destination]))
            self.regulate()
        else:
            self._refuse(f"no route to {self._destination}")

    def _swallow(self) -> None:
        self._state = State.SWALLOWED
        if self._dial is not None:
            self._dial.cancel()
        self._carry_waiting()

    def _carry_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for frame in waiting:
            self._carry(frame)

    def _carry(self, frame: Frame) -> None:
        for delay_s in self._proxy.rules.fate(self._destination, frame):
            if delay_s > 0:
                self._loop.call_later(delay_s, self._pass_on, frame.raw)
            else:
                self._pass_on(frame.raw)

    def _pass_on(self, raw: bytes) -> None:
        if self._outward is not None:
            self._outward.outbox.add(raw)

    async def _dialled(self, host: str, port: int) -> None:
        try:
            sock = await connected((host, port), DIAL_S)
            await self._loop.create_connection(lambda: _Outward(self, self._loop), sock=sock)
        except OSError as error:
            self._refuse(f"cannot reach {self._destination} at {host}:{port}: {reason(error)}")
        finally:
            self._dial = None

    def _refuse(self, text: str) -> None:
        """Tell the node that nothing was passed on, and close; with a frame passed on, only close."""
        if self._state in (State.NEW, State.DIALLING):
            self._transport.write(wire.pack(Kind.ERROR, 0, f"the link proxy of {self._proxy.node}: {text}"))
        log.info("%s > %s: %s", self._proxy.node, self._destination or "?", text)
        self._transport.close()


class _Outward(asyncio.Protocol):
    """The connection to a destination."""

    def __init__(self, link: ProxiedLink, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._loop = loop
        self.full = False
        self.outbox: Outbox
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = prepared(transport)
        self.outbox = Outbox(self._loop, self._transport)
        self._link.reached(self)

    def data_received(self, data: bytes) -> None:
        """Hand back what the destination says."""
        self._link.answered(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        """End."""
        self._link.left()

    def pause_writing(self) -> None:
        """The destination does not keep up."""
        self.full = True
        self._link.regulate()

    def resume_writing(self) -> None:
        """The destination has caught up."""
        self.full = False
        self._link.regulate()

    def close(self, *, abort: bool) -> None:
        """Close, after what is under way unless aborted."""
        self.outbox.flush()
        self._transport.abort() if abort else self._transport.close()
