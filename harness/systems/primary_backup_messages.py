"""What the nodes of the primary-backup register say to each other, and the link that they say it over.

With clients and inspectors they speak the messages of `node.core.messages`. Everything here is immutable.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from node.core.messages import DebugResponse, Message, Request, Response
from node.core.versions import Sibling


class Ballot(NamedTuple):
    """One term of one primary; the larger one wins."""

    term: int
    node: str


NONE = Ballot(0, "")


class State(msgspec.Struct, frozen=True, array_like=True):
    """All that a node holds: as of which write of which primary."""

    adopted: Ballot
    position: int
    records: dict[bytes, Sibling]


class Beat(Message, frozen=True):
    """The primary lives, and has come to this position."""

    ballot: Ballot
    position: int


class Held(Message, frozen=True):
    """Answers what a primary sends: how far it is durable here, and whether something is missing in between."""

    ballot: Ballot
    position: int
    behind: bool


class Append(Message, frozen=True):
    """The next write."""

    ballot: Ballot
    position: int
    key: bytes
    record: Sibling


class Sync(Message, frozen=True):
    """Everything, to be held instead of what was held before."""

    ballot: Ballot
    state: State


class Claim(Message, frozen=True):
    """Asks to follow nobody with a smaller ballot."""

    ballot: Ballot


class Granted(Message, frozen=True):
    """Answers `Claim`, with what this node holds."""

    ballot: Ballot
    state: State


class Newer(Message, frozen=True):
    """Answers whatever comes under a ballot that is no longer followed."""

    ballot: Ballot


class Ask(Message, frozen=True):
    """A backup passes a client's request on to the primary."""

    call: int
    request: Request


class Answer(Message, frozen=True):
    """Answers `Ask`."""

    call: int
    response: Response


Replication = Beat | Held | Append | Sync | Claim | Granted | Newer
PeerMessage = Replication | Ask | Answer


class Links(Protocol):
    """The transport port of `node.runtime.ports`, with this system's messages between peers."""

    def send(self, peer: str, message: PeerMessage) -> None:
        """Send a message to a peer."""

    def reply(self, asker: int, response: Response | DebugResponse) -> None:
        """Answer whoever asked."""
