"""Frames: what travels on a connection between nodes, and between a node and its clients.

A frame is a header of 16 bytes and a MessagePack payload. The header is big-endian: magic `KH`, protocol version,
kind, number, payload length, and a CRC-32 over kind, number and payload. This file knows frames and how payloads are
written; it does not know connections, nor what follows from a message. Whoever only passes frames on needs nothing
but `Framer` and `Frame.raw`.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Literal, NamedTuple, TypeVar
from zlib import crc32

import msgspec

from node.core.admin_messages import AdminRequest, AdminResponse
from node.core.messages import DebugRequest, DebugResponse, PeerMessage, Request, Response

MAGIC = b"KH"
VERSION = 2
HEADER_BYTES = 16
PAYLOAD_BYTES_MAX = 16 << 20

Role = Literal["peer", "client", "debug"]
T = TypeVar("T")

_header = Struct(">2sBBIII")
_checked = Struct(">BI")
_encode = msgspec.msgpack.Encoder().encode


class WireError(Exception):
    """Bytes that are no frame of this protocol, or a message that fits in none; says which rule they break."""


class Kind(IntEnum):
    """What a frame is for, and what its number means."""

    HELLO = 1
    """The first frame of a connection; number 0."""
    PEER = 2
    """An envelope from node to node; number 0."""
    REQUEST = 3
    """From a client; the number is the asker's own."""
    RESPONSE = 4
    """Answers the request of the same number."""
    ERROR = 5
    """A text; the sender closes after it. The number says how many frames it took after the hello: with 0, all that
    was sent on this connection certainly had no effect.
    """


DUPLICATE = "duplicate: "
"""How the text of an ERROR frame begins that tells its receiver that another process is the node that it claims to be:
it is to end.
"""


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """Who dials whom. `cluster` is the name of what all nodes of a cluster agree on from its beginning.

    Only a peer has a cluster, an incarnation, and an `address` where it is dialled itself, as host:port. Only a client
    may leave the destination empty, for whoever answers.
    """

    role: Role
    source: str
    destination: str
    cluster: str = ""
    incarnation: str = ""
    address: str = ""


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """A message between nodes, addressed to a node id and not to a place in the network.

    `ring` is the digest of the ring that the sender knew when it said it.
    """

    source: str
    destination: str
    ring: str
    message: PeerMessage


class Frame(NamedTuple):
    """One whole frame as it came in; `raw` is all of its bytes, header included."""

    kind: Kind
    number: int
    raw: bytes

    @property
    def payload(self) -> memoryview:
        """The bytes after the header."""
        return memoryview(self.raw)[HEADER_BYTES:]


_hello = msgspec.msgpack.Decoder(Hello)
_envelope = msgspec.msgpack.Decoder(Envelope)
_request: msgspec.msgpack.Decoder[Request | AdminRequest] = msgspec.msgpack.Decoder(Request | AdminRequest)
_response: msgspec.msgpack.Decoder[Response | AdminResponse] = msgspec.msgpack.Decoder(Response | AdminResponse)
_debug_request: msgspec.msgpack.Decoder[DebugRequest] = msgspec.msgpack.Decoder(DebugRequest)
_debug_response: msgspec.msgpack.Decoder[DebugResponse] = msgspec.msgpack.Decoder(DebugResponse)
_text = msgspec.msgpack.Decoder(str)


def pack(kind: Kind, number: int, message: object) -> bytes:
    """Make a frame of a message; raises `WireError` when it is larger than a frame may be."""
    payload = _encode(message)
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise WireError(f"the message has {len(payload)} bytes; a frame carries up to {PAYLOAD_BYTES_MAX}")
    crc = crc32(payload, crc32(_checked.pack(kind, number)))
    return _header.pack(MAGIC, VERSION, kind, number, len(payload), crc) + payload


class Framer:
    """Cut a stream of bytes into frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = HEADER_BYTES

    def feed(self, data: bytes) -> list[Frame]:
        """Take more bytes and return the frames they complete; after a `WireError` the stream is of no use."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data, self._rest = bytes(self._rest), bytearray()
        frames: list[Frame] = []
        at = 0
        self._needed = HEADER_BYTES
        while len(data) - at >= self._needed:
            frame = self._frame(data, at)
            if frame is not None:
                frames.append(frame)
                at += self._needed
                self._needed = HEADER_BYTES
        if at < len(data):
            self._rest += memoryview(data)[at:]
        return frames

    def _frame(self, data: bytes, at: int) -> Frame | None:
        """The frame that begins at `at`, or None when it is not complete; sets how many bytes it needs."""
        magic, version, kind, number, length, crc = _header.unpack_from(data, at)
        if magic != MAGIC:
            raise WireError(f"a frame begins with {MAGIC!r}, not with {magic!r}: this is another protocol")
        if version != VERSION:
            raise WireError(f"the frame has protocol version {version}; this side speaks version {VERSION}")
        if length > PAYLOAD_BYTES_MAX:
            raise WireError(f"the frame announces {length} bytes of payload; up to {PAYLOAD_BYTES_MAX} are allowed")
        self._needed = HEADER_BYTES + length
        if len(data) - at < self._needed:
            return None
        raw = data[at : at + self._needed]
        if crc32(memoryview(raw)[HEADER_BYTES:], crc32(raw[3:8])) != crc:
            raise WireError("the frame's checksum is wrong: it was damaged on its way")
        if kind not in _KINDS:
            raise WireError(f"the frame has kind {kind}, which protocol version {VERSION} does not know")
        return Frame(_KINDS[kind], number, raw)


_KINDS = {int(kind): kind for kind in Kind}


def hello(frame: Frame) -> Hello:
    """Read the first frame of a connection."""
    if frame.kind is not Kind.HELLO:
        raise WireError(f"a connection begins with a HELLO frame, not with {frame.kind.name}")
    return _decoded(_hello, frame)


def envelope(frame: Frame) -> Envelope:
    """Read a message between nodes."""
    return _decoded(_envelope, frame)


def request(frame: Frame) -> Request | AdminRequest:
    """Read a request of a client, or of an operator."""
    return _decoded(_request, frame)


def response(frame: Frame) -> Response | AdminResponse:
    """Read the answer to such a request."""
    return _decoded(_response, frame)


def debug_request(frame: Frame) -> DebugRequest:
    """Read a request to the debug port."""
    return _decoded(_debug_request, frame)


def debug_response(frame: Frame) -> DebugResponse:
    """Read an answer of the debug port."""
    return _decoded(_debug_response, frame)


def error_text(frame: Frame) -> str:
    """Read why the other side closes the connection."""
    return _decoded(_text, frame)


def _decoded(decoder: msgspec.msgpack.Decoder[T], frame: Frame) -> T:
    try:
        return decoder.decode(frame.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"the {frame.kind.name} frame does not decode: {error}") from error
