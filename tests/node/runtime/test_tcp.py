"""The listening side: who is let in, who is told off, and answers that find their asker."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from node.core.admin_messages import RingQuery, Staged
from node.core.messages import Get, Gossip, Got, PeerMessage, Ping, Refused, StatusQuery, Version, Written
from node.runtime import incoming, links, wire
from node.runtime.incoming import AGREED
from node.runtime.tcp import PortError, TcpTransport, bound
from node.runtime.wire import Envelope, Hello, Kind
from tests.node.runtime.ears import CLUSTER, RING, Pair, Raw, talking
from tests.node.runtime.loops import LOCAL, run, until


def test_a_new_connection_of_a_peer_replaces_its_older_one() -> None:
    """The older one may be half dead; nothing that still comes over it is heard."""

    async def main() -> None:
        async with talking("a", "b") as pair, Raw(pair.addresses["b"]) as old, Raw(pair.addresses["b"]) as new:
            for number, connection in enumerate((old, new)):
                connection.say(Kind.HELLO, 0, Hello("peer", "a", "b", CLUSTER))
                connection.say(Kind.PEER, 0, Envelope("a", "b", RING, Ping(number)))
                await until(lambda: len(pair.ears["b"].calls) == number + 1)  # noqa: B023 - awaited at once
            with suppress(ConnectionError):
                assert await old.read() == []

    run(main)


@pytest.mark.parametrize(
    ("hello", "said"),
    [
        (Hello("peer", "a", "c", CLUSTER), "b: this is b, not c: check the addresses"),
        (Hello("peer", "a", "", CLUSTER), "b: this is b, not nobody: check the addresses"),
        (Hello("peer", "a", "b", "other"), f"b: a is of cluster other, this node of cluster: {AGREED}"),
        (Hello("peer", "a", "b"), f"b: a is of cluster none, this node of cluster: {AGREED}"),
        (Hello("peer", "b", "b", CLUSTER), "b: a peer of b is called something else than 'b'"),
        (Hello("peer", "", "b", CLUSTER), "b: a peer of b is called something else than ''"),
        (Hello("client", "x", "c"), "b: this is b, not c: check the addresses"),
        (Hello("debug", "x", ""), "b: this is b, not nobody: check the addresses"),
        (Hello("debug", "x", "b"), "b: this is the normal port, not one for role debug"),
    ],
)
def test_a_wrong_hello_is_refused(hello: Hello, said: str) -> None:
    """With a sentence, and with the certainty that nothing was taken."""

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            raw.say(Kind.HELLO, 0, hello)
            raw.say(Kind.PEER, 0, Envelope("a", "b", RING, Ping(1)))
            assert await raw.refusal() == (0, said)
            assert not pair.ears["b"].messages

    run(main)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: b\r\n\r\n", "b: a frame begins with b'KH', not with b'GE'"),
        (wire.pack(Kind.PEER, 0, Envelope("a", "b", RING, Ping(2))), "b: a connection begins with a HELLO frame"),
    ],
)
def test_a_stranger_is_told_off(sent: bytes, said: str) -> None:
    """Whatever it speaks."""

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            raw.write(sent)
            taken, text = await raw.refusal()
            assert (taken, text[: len(said)]) == (0, said)

    run(main)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (wire.pack(Kind.PEER, 0, Envelope("a", "b", RING, Ping(2)))[:-1] + b"\xff", "b: the frame's checksum is wrong"),
        (
            wire.pack(Kind.PEER, 0, Envelope("c", "b", RING, Ping(2))),
            "b: a frame from c to b came in on this connection",
        ),
        (
            wire.pack(Kind.PEER, 0, Envelope("a", "c", RING, Ping(2))),
            "b: a frame from a to c came in on this connection",
        ),
        (wire.pack(Kind.PEER, 0, ["a", "b", RING, "what?"]), "b: the PEER frame does not decode"),
        (wire.pack(Kind.REQUEST, 0, StatusQuery()), "b: a peer sends no REQUEST frames"),
        (wire.pack(Kind.HELLO, 0, Hello("peer", "a", "b", CLUSTER)), "b: a peer sends no HELLO frames"),
    ],
)
def test_a_peer_that_breaks_a_rule_is_refused(sent: bytes, said: str) -> None:
    """And told how much was taken before."""

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            raw.say(Kind.HELLO, 0, Hello("peer", "a", "b", CLUSTER))
            raw.say(Kind.PEER, 0, Envelope("a", "b", RING, Ping(1)))
            await until(lambda: pair.ears["b"].calls == [1])
            raw.write(sent)
            raw.say(Kind.PEER, 0, Envelope("a", "b", RING, Ping(3)))
            taken, text = await raw.refusal()
            assert (taken, text[: len(said)]) == (1, said)
            assert pair.ears["b"].calls == [1]

    run(main)


def test_who_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a hello ends."""
    monkeypatch.setattr(incoming, "HELLO_S", 0.05)

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            assert await raw.refusal() == (0, "b: no hello within 0.05 s")

    run(main)


def test_a_peer_that_nobody_has_heard_of_is_heard() -> None:
    """It may be an outsider, or a member of a newer ring; every message says under which ring it was said."""

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            raw.say(Kind.HELLO, 0, Hello("peer", "x", "b", CLUSTER))
            raw.say(Kind.PEER, 0, Envelope("x", "b", "newer", Ping(1)))
            await until(lambda: pair.ears["b"].calls == [1])
            assert (pair.ears["b"].sources, pair.ears["b"].rings) == (["x"], ["newer"])

    run(main)


# --- clients ---


def test_a_client_may_ask_whoever_is_there() -> None:
    """Without a node id, as an operator who knows no more than an address; orders come over the same port."""

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            raw.say(Kind.HELLO, 0, Hello("client", "operator", ""))
            raw.say(Kind.REQUEST, 1, RingQuery("o-1"))
            await until(lambda: pair.ears["b"].requests)
            ((asker, request),) = pair.ears["b"].requests
            assert request == RingQuery("o-1")
            staged = Staged("o-1", ("join n4",))
            pair.transports["b"].reply(asker, staged)
            await pair.transports["b"].close()
            (frame,) = await raw.read()
            assert wire.response(frame) == staged

    run(main)


@asynccontextmanager
async def asked(pair: Pair, request: object = None, role: str = "client") -> AsyncIterator[Raw]:
    """A client of b that has asked something under the number 9."""
    async with Raw(pair.addresses["b"]) as raw:
        raw.say(Kind.HELLO, 0, [role, "c", "b"])
        raw.say(Kind.REQUEST, 9, request or Get("c-1", b"k", 5))
        yield raw


def test_answers_go_to_who_asked() -> None:
    """Two clients use the same number; answers come in the order in which they are given."""
    got = [Got(f"c-{number}", (), b"", "b", (), "r") for number in range(2)]

    async def main() -> None:
        async with talking("b") as pair, asked(pair) as one, asked(pair) as two:
            await until(lambda: len(pair.ears["b"].requests) == 2)
            askers = [asker for asker, _ in pair.ears["b"].requests]
            assert len(set(askers)) == 2
            for asker, answer in zip(reversed(askers), reversed(got), strict=True):
                pair.transports["b"].reply(asker, answer)
            await pair.transports["b"].close()
            for raw, answer in zip((one, two), got, strict=True):
                (frame,) = await raw.read()
                assert (frame.kind, frame.number) == (Kind.RESPONSE, 9)
                assert wire.response(frame) in got, answer

    run(main)


def test_who_has_gone_is_not_answered() -> None:
    """And that is no error."""

    async def main() -> None:
        async with talking("b") as pair:
            async with asked(pair):
                await until(lambda: pair.ears["b"].requests)
            await until(lambda: not pair.transports["b"]._connections)
            ((asker, _),) = pair.ears["b"].requests
            pair.transports["b"].reply(asker, Refused("c-1", "code", "text", definite=True))
            assert pair.transports["b"].sending == 0

    run(main)


def test_debug_requests_are_for_the_debug_port() -> None:
    """And other requests are not."""

    async def main() -> None:
        async with talking("b") as pair, asked(pair, StatusQuery()) as raw:
            assert (await raw.refusal())[1].startswith("b: the REQUEST frame does not decode")
        pair = Pair()
        await pair.transports["b"].listen(pair.socks["b"], debug=True)
        async with asked(pair, StatusQuery(), "debug") as good, asked(pair, role="debug") as bad:
            assert (await bad.refusal())[1].startswith("b: the REQUEST frame does not decode")
            await until(lambda: [request for _, request in pair.ears["b"].requests] == [StatusQuery()])
            async with asked(pair) as other:
                assert (await other.refusal())[1] == "b: this is the debug port, not one for role client"
            await pair.close()
            assert await good.read() == []

    run(main)


def test_an_answer_that_fits_in_no_frame_is_a_refusal() -> None:
    """A read has no effect, so that is definite; of anything else the connection is refused."""
    large_got = Got("c-1", (Version("d", bytes(16 << 20)),), b"", "b", (), "r")
    large_written = Written("c-1", "d", bytes(16 << 20), "b", (), "r")

    async def main() -> None:
        async with talking("b") as pair, asked(pair) as one, asked(pair) as two:
            await until(lambda: len(pair.ears["b"].requests) == 2)
            (first, _), (second, _) = pair.ears["b"].requests
            pair.transports["b"].reply(first, large_got)
            pair.transports["b"].reply(second, large_written)
            await pair.transports["b"].close()
            frames = {frame.kind: frame for raw in (one, two) for frame in await raw.read()}
            refused = wire.response(frames[Kind.RESPONSE])
            assert isinstance(refused, Refused)
            assert (refused.code, refused.definite) == ("too-large", True)
            assert frames[Kind.ERROR].number == 1

    run(main)


def test_a_client_that_does_not_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """When too much waits for it."""
    monkeypatch.setattr(links, "UNWRITTEN_BYTES_MAX", 1 << 20)

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            raw.say(Kind.HELLO, 0, Hello("client", "c", "b"))
            for number in range(20):
                raw.say(Kind.REQUEST, number, Get("c-1", b"k", 5))
            await until(lambda: len(pair.ears["b"].requests) == 20)
            for asker, _ in pair.ears["b"].requests:
                pair.transports["b"].reply(asker, Got("c", (Version("d", bytes(1 << 20)),), b"", "b", (), "r"))
            assert pair.transports["b"].sending == 1
            await until(lambda: not pair.transports["b"]._connections)

    run(main)


# --- ports ---


def test_a_port_that_is_taken_is_said_so() -> None:
    """Whether the other one listens, or has only bound it."""

    async def main() -> None:
        async with talking("b") as pair:
            address = pair.addresses["b"]
            with pytest.raises(PortError, match=f"cannot listen on {LOCAL}:{address[1]}: address already in use"):
                bound(address)
        with bound((LOCAL, 0)) as first, bound(first.getsockname()) as second:
            first.listen()
            with pytest.raises(PortError, match="address already in use"):
                await TcpTransport("b", CLUSTER, {}).listen(second)

    run(main)


def test_a_reserved_port_can_be_listened_on() -> None:
    """Somebody else keeps it with a bound socket that does not listen."""

    async def main() -> None:
        reserved = bound((LOCAL, 0), reuse_port=True)
        address = reserved.getsockname()
        transport = TcpTransport("b", CLUSTER, {})
        assert await transport.listen(bound(address, reuse_port=True)) == address
        for _ in range(20):
            with socket.create_connection(address):
                pass
        await until(lambda: not transport._connections)
        await transport.close()
        reserved.close()

    run(main)


def test_it_is_a_peer_message_or_it_is_not_sent() -> None:
    """Every kind of peer message has an answer or is one; all but gossip have a call."""
    assert [m for m in PeerMessage.__args__ if "call" not in m.__struct_fields__] in ([], [Gossip])
