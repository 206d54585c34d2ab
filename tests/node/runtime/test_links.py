"""Links: one way only, queues with bounds, and certainty about what was not delivered."""

from __future__ import annotations

import pytest

from node.core.clocks import Actor, Dot
from node.core.messages import Fetched, Ping
from node.core.versions import NOTHING, Sibling, Versions
from node.runtime import links
from node.runtime.addresses import shown
from node.runtime.links import State
from node.runtime.tcp import TcpTransport
from tests.node.runtime.ears import CLUSTER, RING, Pair, talking
from tests.node.runtime.loops import deaf, run, until


def state(pair: Pair) -> State:
    """What a's link to b is doing."""
    return pair.transports["a"]._links["b"]._state


def large(megabytes: int) -> Fetched:
    """An answer of that size."""
    return Fetched(1, Versions(NOTHING.clock, (Sibling(Dot(Actor("a", "i", 1), 1), bytes(megabytes << 20)),)))


def test_each_direction_has_a_connection_of_its_own() -> None:
    """What a says goes over the connection that a made, in order; what b says, over b's."""

    async def main() -> None:
        async with talking("a", "b") as pair:
            pair.ping("a", "b", *range(100))
            await until(lambda: pair.ears["b"].calls == list(range(100)))
            assert not pair.transports["a"].incoming, "b has said nothing, so it has made no connection"
            pair.ping("b", "a", 7)
            await until(lambda: pair.ears["a"].calls == [7])
            assert list(pair.transports["a"].incoming) == ["b"]
            assert pair.transports["a"].sending == 0

    run(main)


def test_what_is_said_in_one_turn_is_written_at_once() -> None:
    """Frames share a write."""

    async def main() -> None:
        async with talking("b") as pair:
            pair.ping("a", "b", 0)
            await until(lambda: pair.ears["b"].calls == [0])
            connection = pair.transports["a"]._links["b"]._connection
            assert connection is not None
            pair.ping("a", "b", *range(1, 9))
            assert len(connection.outbox._frames) == 8
            assert pair.transports["a"].sending == 1, "bytes that are not written yet count as one"
            await until(lambda: pair.ears["b"].calls == list(range(9)))

    run(main)


def test_a_peer_that_refuses_is_unreached_and_left_alone_for_a_moment() -> None:
    """Every message that waited is reported, and so is one sent during the rest; never from within `send`. The first
    time costs no rest: perhaps the peer is only just being started.
    """

    async def main() -> None:
        async with talking() as pair:
            pair.ping("a", "b", 0)
            await until(lambda: pair.ears["a"].unreached == [0])
            assert state(pair) is State.IDLE
            pair.ears["a"].unreached.clear()
            pair.ping("a", "b", 1, 2, 3)
            assert pair.transports["a"].sending == 3
            await until(lambda: pair.ears["a"].unreached == [1, 2, 3])
            assert state(pair) is State.RESTING
            pair.ping("a", "b", 4)
            assert pair.ears["a"].unreached == [1, 2, 3], "the host is not told while it is still speaking"
            await until(lambda: pair.ears["a"].unreached == [1, 2, 3, 4])
            await pair.listen("b")
            await until(lambda: state(pair) is State.IDLE)
            pair.ping("a", "b", 5)
            await until(lambda: pair.ears["b"].calls == [5])

    run(main)


def test_a_peer_that_does_not_answer_a_dial_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the connect time-out; a redial meanwhile changes nothing."""
    monkeypatch.setattr(links, "DIAL_S", 0.1)

    async def main() -> None:
        with deaf() as address:
            pair = Pair(way=address)
            pair.ping("a", "b", 1)
            await until(lambda: state(pair) is State.DIALLING)
            pair.transports["a"].redial("b")
            pair.ping("a", "b", 2)
            await until(lambda: pair.ears["a"].unreached == [1, 2])
            await pair.close()

    run(main)


def test_what_waits_for_a_dial_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by size; the oldest go."""
    monkeypatch.setattr(links, "QUEUED_MAX", 3)

    async def main() -> None:
        async with talking("b") as pair:
            link = pair.transports["a"]._links["b"]
            pair.ping("a", "b", *range(5))
            assert (len(link._queue), link.dropped) == (3, 2)
            await until(lambda: pair.ears["b"].calls == [2, 3, 4])
            pair.transports["a"].redial("b")
            monkeypatch.setattr(links, "UNWRITTEN_BYTES_MAX", 1 << 20)
            pair.ping("a", "b", 5)
            pair.transports["a"].send("b", large(1), RING)
            assert (len(link._queue), link.dropped) == (0, 4)

    run(main)


def test_a_redial_makes_a_new_connection() -> None:
    """The next message dials it, and the peer drops the old one."""

    async def main() -> None:
        async with talking("b") as pair:
            pair.ping("a", "b", 1)
            await until(lambda: pair.ears["b"].calls == [1])
            old = pair.transports["b"].incoming["a"]
            pair.transports["a"].redial("b")
            pair.ping("a", "b", 2)
            await until(lambda: pair.ears["b"].calls == [1, 2])
            assert pair.transports["b"].incoming["a"] is not old
            assert old.transport.is_closing()
            assert pair.ears["a"].unreached == []

    run(main)


def test_a_refused_hello_means_unreached() -> None:
    """Of a refusal at the beginning the sender knows that nothing it sent had any effect."""

    async def main() -> None:
        async with talking("b", cluster_of_b="another") as pair:
            pair.ping("a", "b", 1, 2)
            await until(lambda: pair.ears["a"].unreached == [1, 2])
            assert state(pair) is State.RESTING

    run(main)


def test_a_message_that_fits_in_no_frame_is_unreached() -> None:
    """Not a reason to die: siblings can pile up."""

    async def main() -> None:
        async with talking("b") as pair:
            pair.transports["a"].send("b", large(16), RING)
            assert pair.ears["a"].unreached == []
            await until(lambda: pair.ears["a"].unreached == [1])

    run(main)


def test_nothing_passes_a_fence() -> None:
    """Neither in nor out, from that instant."""

    async def main() -> None:
        async with talking("a", "b") as pair:
            pair.ping("a", "b", 1)
            await until(lambda: pair.ears["b"].calls == [1])
            pair.ping("a", "b", 2)
            pair.transports["a"].fence()
            pair.ping("a", "b", 3)
            await until(lambda: not pair.transports["b"].incoming)
            assert pair.ears["b"].calls == [1]
            assert pair.ears["a"].unreached == []

    run(main)


# --- addresses that change ---


def test_whose_address_nobody_knows_is_unreached() -> None:
    """Never from within `send`; and from when it is known, it is dialled."""

    async def main() -> None:
        async with talking("b") as pair:
            a = pair.transports["a"]
            a.send("x", Ping(1), RING)
            a.redial("x")
            assert pair.ears["a"].unreached == []
            await until(lambda: pair.ears["a"].unreached == [1])
            a.meet("x", "127.0.0.1:1")
            a.send("x", Ping(2), RING)
            await until(lambda: pair.ears["a"].unreached == [1, 2])
            assert a._links["x"].address == ("127.0.0.1", 1)

    run(main)


def test_a_peer_that_moves_is_dialled_at_its_new_address() -> None:
    """The old link is closed; told the same address again, nothing happens."""

    async def main() -> None:
        async with talking("b") as pair, talking("b") as elsewhere:
            a = pair.transports["a"]
            pair.ping("a", "b", 1)
            await until(lambda: pair.ears["b"].calls == [1])
            link = a._links["b"]
            a.meet("b", shown(pair.addresses["b"]))
            assert a._links["b"] is link
            a.meet("b", shown(elsewhere.addresses["b"]))
            await until(lambda: not pair.transports["b"].incoming)
            pair.ping("a", "b", 2)
            await until(lambda: elsewhere.ears["b"].calls == [2])
            assert (pair.ears["b"].calls, link._state) == ([1], State.CLOSED)
            assert pair.ears["a"].unreached == []

    run(main)


def test_what_waits_for_an_old_address_is_unreached() -> None:
    """The dial that is under way is given up."""

    async def main() -> None:
        with deaf() as address:
            async with talking("b") as pair:
                a = pair.transports["a"]
                a.meet("b", shown(address))
                pair.ping("a", "b", 1)
                await until(lambda: state(pair) is State.DIALLING)
                a.meet("b", shown(pair.addresses["b"]))
                pair.ping("a", "b", 2)
                await until(lambda: pair.ears["b"].calls == [2])
                assert pair.ears["a"].unreached == [1]
                assert a.sending == 0

    run(main)


@pytest.mark.parametrize("address", ["", "b", "b:0", "0.0.0.0:7101", "b:port", "b:70000", "::1:7101"])
def test_an_address_that_is_none_changes_nothing(address: str) -> None:
    """It came from another node, so it is a line in the log and no reason to end."""

    async def main() -> None:
        async with talking("b") as pair:
            pair.transports["a"].meet("b", address)
            pair.ping("a", "b", 1)
            await until(lambda: pair.ears["b"].calls == [1])

    run(main)


def test_with_an_egress_everybody_is_dialled_there() -> None:
    """Whatever address they are said to have: it finds them by the hello."""

    async def main() -> None:
        async with talking("b") as pair:
            way = pair.addresses["b"]
            transport = TcpTransport("c", CLUSTER, {"b": ("127.0.0.1", 1)}, egress=way)
            transport.meet("b", "127.0.0.1:2")
            transport.send("b", Ping(1), RING)
            await until(lambda: pair.ears["b"].calls == [1])
            await transport.close()

    run(main)
