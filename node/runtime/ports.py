"""What a host needs of the place it runs in: a clock, a transport and an engine.

These three are all that differs between one place and another; the host and the node behind it are the same
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from node.core.admin_messages import AdminRequest, AdminResponse
from node.core.changes import Life
from node.core.messages import DebugRequest, DebugResponse, PeerMessage, Request, Response
from node.core.store import Store

AnyRequest = Request | AdminRequest | DebugRequest
AnyResponse = Response | AdminResponse | DebugResponse


class Timer(Protocol):
    """A callback that has been asked for."""

    def cancel(self) -> None:
        """Forget it, unless it has run already."""


class Clock(Protocol):
    """Time, as this node sees it."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds; good for differences only."""

    def offset_ns(self) -> int:
        """How far this node's wall clock has been set off, for tests of clocks; 0 when nobody touched it."""

    def after(self, delay_ns: int, callback: Callable[[], None]) -> Timer:
        """Call back once, at the earliest after the delay; a delay of 0 means after what is ready now."""


class Ear(Protocol):
    """What a transport tells its host."""

    def peer_said(self, source: str, message: PeerMessage, ring: str) -> None:
        """A message from another node arrived, said under the ring of that digest."""

    def peer_arrived(self, life: Life, *, contested: bool) -> None:
        """A life of a peer has connected, perhaps beside another one of it: `Transport.admit` it, or `refuse` it.

        What it says is kept for its admission.
        """

    def peer_unreached(self, peer: str, message: PeerMessage) -> None:
        """A message certainly was not delivered."""

    def asked(self, asker: int, request: AnyRequest) -> None:
        """A request came in; the answer goes to `Transport.reply` under the same number."""


class Transport(Protocol):
    """Messages to and from other nodes and clients."""

    @property
    def sending(self) -> int:
        """How many messages wait to leave."""

    def send(self, peer: str, message: PeerMessage, ring: str) -> None:
        """Send a message to a peer, under the ring of that digest, dialling it if need be.

        It may get lost; if it certainly did, as when nobody knows where the peer is, the host is told.
        """

    def reply(self, asker: int, response: AnyResponse) -> None:
        """Answer whoever asked; one who has gone is no error."""

    def redial(self, peer: str) -> None:
        """Close the connection to a peer, unless it is being dialled just now; the next message dials anew."""

    def meet(self, peer: str, address: str) -> None:
        """Dial a peer at this address, host:port, from now on."""

    def admit(self, peer: str, incarnation: str) -> None:
        """Tell the host what this life of a peer has said and says; close the connections of its other lives."""

    def refuse(self, peer: str, incarnation: str, text: str) -> None:
        """Close the connections of this life of a peer, telling it that another process is that node, and how so."""


class Engine(Store, Protocol):
    """A store that can make what was staged durable."""

    durable: bool
    """Whether what is committed outlives the process."""

    def commit(self, done: Callable[[], None]) -> None:
        """Make all that is staged now durable, all of it or nothing, then call back, perhaps before returning.

        One commit at a time. Raises `EngineError` when it fails; it is never tried again, because after a failed sync
        nobody can say what is on the disk.
        """

    def close(self) -> None:
        """Let go of files; what was not committed is lost."""


class ResignedError(Exception):
    """Another process is this node; the message says how that was noticed. Nothing may leave this one any more."""


class EngineError(Exception):
    """The engine cannot keep its promises; the message names the file and what happened."""
