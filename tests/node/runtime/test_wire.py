"""Frames: what is packed comes out again, however it arrives, and nothing else ever does."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.core import messages
from node.core.admin_messages import AdminRequest, AdminResponse, Locate, PlanQuery, RingReport, Seats, Stage
from node.core.changes import Member, Move
from node.core.clocks import Actor, Clock, Dot, Seen
from node.core.messages import Fetched, Get, Got, Ping, Put, Refused, Replicate, Status, StatusQuery, Version
from node.core.versions import Sibling, Versions
from node.runtime import wire
from node.runtime.wire import HEADER_BYTES, PAYLOAD_BYTES_MAX, Envelope, Frame, Framer, Hello, Kind, WireError

ACTOR = Actor("n1", "0badcafe00", 3)
VERSIONS = Versions(Clock((Seen(ACTOR, 2, (5, 7)),)), (Sibling(Dot(ACTOR, 7), b"\x00v"),))


def frames(data: bytes) -> list[Frame]:
    """The frames in some bytes."""
    return Framer().feed(data)


def one(data: bytes) -> Frame:
    """The only frame in some bytes."""
    (frame,) = frames(data)
    return frame


packed = st.builds(
    wire.pack,
    st.sampled_from(Kind),
    st.integers(0, (1 << 32) - 1),
    st.recursive(st.none() | st.integers(-9, 9) | st.text() | st.binary(), st.lists, max_leaves=6),
)


@given(st.lists(packed, max_size=5), st.data())
def test_frames_come_out_however_they_arrive(sent: list[bytes], data: st.DataObject) -> None:
    """Whole, in order, byte for byte, in chunks of any size."""
    stream = b"".join(sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    framer = Framer()
    arrived = [frame for start, end in pairwise([0, *cuts, len(stream)]) for frame in framer.feed(stream[start:end])]
    assert [frame.raw for frame in arrived] == sent


def test_a_frame_arrives_byte_by_byte() -> None:
    """The smallest chunks there are."""
    sent = wire.pack(Kind.PEER, 7, "text") * 2
    framer = Framer()
    assert [len(framer.feed(sent[at : at + 1])) for at in range(len(sent))].count(1) == 2


@given(packed, st.data(), packed)
def test_no_damaged_byte_goes_unnoticed(sent: bytes, data: st.DataObject, following: bytes) -> None:
    """Any byte changed to anything else: the frame never comes out, whatever follows it."""
    at = data.draw(st.integers(0, len(sent) - 1))
    to = data.draw(st.integers(0, 255).filter(lambda byte: byte != sent[at]))
    damaged = sent[:at] + bytes([to]) + sent[at + 1 :]
    framer = Framer()
    with suppress(WireError):
        # A length that became larger is noticed only when that much has arrived.
        assert framer.feed(damaged) + framer.feed(following) == []


@given(st.binary(min_size=HEADER_BYTES))
@example(b"GET / HTTP/1.1\r\nHost: n1\r\n\r\n")
@example(b"KH\x01" + bytes(13))
@example(b"KH\x02\x02" + bytes(4) + b"\xff\xff\xff\xff" + bytes(4))
def test_noise_is_refused(noise: bytes) -> None:
    """Or waited on, if it may still become a frame."""
    with suppress(WireError):
        assert frames(noise) == []


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\n", "a frame begins with b'KH', not with b'GE'"),
        (b"KH\x01\x01" + bytes(12), "the frame has protocol version 1; this side speaks version 2"),
        (b"KH\x02\x01" + bytes(4) + b"\x01\x00\x00\x01" + bytes(4), "the frame announces 16777217 bytes of payload"),
        (wire.pack(Kind.ERROR, 1, "x")[:-1] + b"y", "the frame's checksum is wrong"),
    ],
)
def test_a_rule_that_is_broken_is_named(sent: bytes, said: str) -> None:
    """Magic, version, length, checksum."""
    with pytest.raises(WireError) as refused:
        frames(sent)
    assert str(refused.value).startswith(said)


def test_a_kind_that_is_not_known_is_refused() -> None:
    """Though its checksum is right."""
    odd = wire.pack(9, 0, "x")  # type: ignore[arg-type]  # no such kind: that is the test
    with pytest.raises(WireError, match="the frame has kind 9, which protocol version 2 does not know"):
        frames(odd)


def test_the_largest_frame_fits_and_a_larger_one_does_not() -> None:
    """The bound counts the payload as it is encoded; bytes of that size have five bytes of their own."""
    most = bytes(PAYLOAD_BYTES_MAX - 5)
    assert one(wire.pack(Kind.PEER, 0, most)).payload.nbytes == PAYLOAD_BYTES_MAX
    with pytest.raises(WireError, match=f"has {PAYLOAD_BYTES_MAX + 1} bytes; a frame carries up to"):
        wire.pack(Kind.PEER, 0, most + b"x")


EXAMPLES = (
    *(Get("c-1", b"k", 5, 2), Put("c-2", b"k", b"v", b"ctx", 5), Ping(1 << 47)),
    *(Fetched(1, VERSIONS), Replicate(1, b"k", VERSIONS, None, -1), Replicate(1, b"k", VERSIONS, "n3", 1)),
    *(
        Got("c-1", (Version("d", b""),), b"", "n1", (), "r"),
        Refused("c", "code", "text", definite=False),
        StatusQuery(),
    ),
    Status("n1", "i", "r", {"held": 1}, ("n2",), 3, -5),
    *(Stage("o-1", "join", "n4", Member("n4", 2, rack="r"), "h:1"), PlanQuery("o-2"), Locate("o-3", b"k")),
    RingReport("o-4", "n1", "r", 3, 3, (), (Seats(0, 1 << 63, ("n1",)),), (Move(0, 1 << 63, 0, 1, "n1", "n4"),), ()),
)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_messages_come_back_as_they_were(message: msgspec.Struct) -> None:
    """Each in the frame that carries its kind."""
    if isinstance(message, get_args(messages.PeerMessage)):
        sent = Envelope("n1", "n2", "ring", message)
        assert wire.envelope(one(wire.pack(Kind.PEER, 0, sent))) == sent
        return
    read = next(read for union, read in READERS if isinstance(message, get_args(union)))
    assert read(one(wire.pack(Kind.REQUEST, 1, message))) == message


READERS = (
    (messages.Request, wire.request),
    (messages.Response, wire.response),
    (AdminRequest, wire.request),
    (AdminResponse, wire.response),
    (messages.DebugRequest, wire.debug_request),
    (messages.DebugResponse, wire.debug_response),
)


def test_a_hello_is_the_first_word() -> None:
    """And nothing else is."""
    hello = Hello("peer", "n1", "n2", "ring", "incarnation")
    assert wire.hello(one(wire.pack(Kind.HELLO, 0, hello))) == hello
    with pytest.raises(WireError, match="a connection begins with a HELLO frame, not with PEER"):
        wire.hello(one(wire.pack(Kind.PEER, 0, hello)))
    with pytest.raises(WireError, match="the HELLO frame does not decode: Invalid enum value 'king'"):
        wire.hello(one(wire.pack(Kind.HELLO, 0, ["king", "n1", "n2"])))


def test_a_message_in_the_wrong_frame_does_not_decode() -> None:
    """A client sends no peer messages, and nobody sends bytes that are no MessagePack."""
    with pytest.raises(WireError, match="the REQUEST frame does not decode"):
        wire.request(one(wire.pack(Kind.REQUEST, 1, Ping(1))))
    with pytest.raises(WireError, match="the ERROR frame does not decode"):
        wire.error_text(one(wire.pack(Kind.ERROR, 1, msgspec.Raw(b"\xc1"))))


def test_a_message_without_bottom_does_not_decode() -> None:
    """A hundred thousand arrays in one another are no reason to break down."""
    deep = b"\x97\xa4peer" + b"\xa1a" * 5 + b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(WireError, match="the HELLO frame does not decode: maximum recursion depth"):
        wire.hello(one(wire.pack(Kind.HELLO, 0, msgspec.Raw(deep))))
