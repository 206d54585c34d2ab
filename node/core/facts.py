"""What the core is told, and what it asks for: facts in the past tense, commands in the imperative."""

from __future__ import annotations

import msgspec

from node.core.admin_messages import AdminRequest, AdminResponse
from node.core.changes import Life
from node.core.messages import DebugRequest, DebugResponse, PeerMessage, Request, Response


class PeerSaid(msgspec.Struct, frozen=True):
    """A message from another node arrived, sent under the ring of this digest."""

    source: str
    message: PeerMessage
    ring: str = ""


class PeerArrived(msgspec.Struct, frozen=True):
    """A life of a peer has connected to this node, and is not heard before it is admitted.

    It is `contested` while another life of the same peer is connected.
    """

    life: Life
    contested: bool = False


class PeerUnreached(msgspec.Struct, frozen=True):
    """A message was certainly not delivered: there was no connection to send it on."""

    peer: str
    message: PeerMessage


class ClientAsked(msgspec.Struct, frozen=True):
    """A request came in; `asker` is the host's number for whoever waits for the answer."""

    asker: int
    request: Request | DebugRequest | AdminRequest


class TimerFired(msgspec.Struct, frozen=True):
    """A timer that was set and not cancelled has run out."""

    timer: int


class Committed(msgspec.Struct, frozen=True):
    """Everything staged up to and including this barrier is durable."""

    barrier: int


class DrainAsked(msgspec.Struct, frozen=True):
    """The operator wants the node to finish what it has begun, take nothing new, and leave."""


Fact = PeerSaid | PeerArrived | PeerUnreached | ClientAsked | TimerFired | Committed | DrainAsked


class Send(msgspec.Struct, frozen=True):
    """Send a message to another node, with the digest of the ring that it was made under; it may get lost."""

    to: str
    message: PeerMessage
    ring: str = ""


class Reply(msgspec.Struct, frozen=True):
    """Answer whoever asked."""

    asker: int
    response: Response | DebugResponse | AdminResponse


class Persist(msgspec.Struct, frozen=True):
    """Make everything staged so far durable, all of it or nothing, and say so with `Committed`."""

    barrier: int


class SetTimer(msgspec.Struct, frozen=True):
    """Fire this timer once, `delay_ns` from now."""

    timer: int
    delay_ns: int


class CancelTimer(msgspec.Struct, frozen=True):
    """Forget a timer that was set."""

    timer: int


class Redial(msgspec.Struct, frozen=True):
    """Close the connection to a peer that does not answer, and dial it anew.

    A connection that was cut for seconds stays silent for as long again after the cut has healed, because TCP doubles
    its retransmission time; a new one does not.
    """

    peer: str


class Meet(msgspec.Struct, frozen=True):
    """From now on, dial a peer at this address, host:port."""

    peer: str
    address: str


class Admit(msgspec.Struct, frozen=True):
    """Hear this life of a peer, in the order in which it said things, and no other life of it any more."""

    peer: str
    incarnation: str


class Refuse(msgspec.Struct, frozen=True):
    """Hear nothing of this life of a peer, and tell it that another process is that node."""

    peer: str
    incarnation: str
    text: str


class Resign(msgspec.Struct, frozen=True):
    """This process may not be this node: end at once, before anything leaves it, and say why."""

    text: str


class Leave(msgspec.Struct, frozen=True):
    """The node has drained: end the process."""


Command = Send | Reply | Persist | SetTimer | CancelTimer | Redial | Meet | Admit | Refuse | Resign | Leave
