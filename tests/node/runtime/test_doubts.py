"""A peer at the door: what it says counts when it has been admitted, and when it is refused it learns why."""

from __future__ import annotations

import pytest

from node.core.changes import Life
from node.core.messages import Ping, Pong
from node.runtime import incoming, wire
from node.runtime.ports import ResignedError
from node.runtime.tcp import TcpTransport
from node.runtime.wire import Envelope, Hello, Kind
from tests.node.runtime.ears import CLUSTER, RING, Heard, Pair, Raw, talking
from tests.node.runtime.loops import run, until

TEXT = "another process is this node, says b"


def _greet(raw: Raw, incarnation: str, *calls: int, address: str = "h:1") -> None:
    """Turn up as a life of a, and say something at once."""
    raw.say(Kind.HELLO, 0, Hello("peer", "a", "b", CLUSTER, incarnation, address))
    _ping(raw, *calls)


def _ping(raw: Raw, *calls: int) -> None:
    for call in calls:
        raw.say(Kind.PEER, 0, Envelope("a", "b", RING, Ping(call)))


def _doubting(pair: Pair, *incarnations: str) -> Heard:
    pair.ears["b"].doubts += incarnations
    return pair.ears["b"]


def test_a_peer_in_doubt_is_heard_when_it_is_admitted() -> None:
    """Everything that it has said, in order, and then what it says; but its answers to pings are heard at once."""

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            ear = _doubting(pair, "new")
            _greet(raw, "new", 1, 2)
            raw.say(Kind.PEER, 0, Envelope("a", "b", RING, Pong(7, "new")))
            await until(lambda: ear.calls == [7])
            assert ear.arrived == [(Life("a", "new", 0, "h:1"), False)]
            pair.transports["b"].admit("a", "new")
            await until(lambda: ear.calls == [7, 1, 2])
            _ping(raw, 3)
            await until(lambda: ear.calls == [7, 1, 2, 3])

    run(main)


def test_who_says_much_in_doubt_is_not_read_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """And from then on, when it is admitted; nothing is lost."""
    monkeypatch.setattr(incoming, "ASIDE_MAX", 3)

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as raw:
            ear = _doubting(pair, "new")
            _greet(raw, "new", 1, 2, 3)
            (connection,) = await _waiting(pair)
            await until(lambda: not connection.transport.is_reading())
            _ping(raw, 4, 5)
            pair.transports["b"].admit("a", "new")
            await until(lambda: ear.calls == [1, 2, 3, 4, 5])

    run(main)


def test_a_newcomer_in_doubt_takes_nobodys_place() -> None:
    """The older connection goes on, and the newcomer is refused; only when it is admitted it takes the place."""

    async def main() -> None:
        async with talking("b") as pair, Raw(pair.addresses["b"]) as old:
            ear = _doubting(pair, "new", "newer")
            _greet(old, "old", 1)
            await until(lambda: ear.calls == [1])
            async with Raw(pair.addresses["b"]) as new:
                _greet(new, "new", 2)
                await until(lambda: ear.arrived[-1] == (Life("a", "new", 0, "h:1"), True))
                _ping(old, 3)
                await until(lambda: ear.calls == [1, 3])
                pair.transports["b"].refuse("a", "new", TEXT)
                assert await new.refusal() == (0, wire.DUPLICATE + TEXT)
            _ping(old, 4)
            await until(lambda: ear.calls == [1, 3, 4])
            async with Raw(pair.addresses["b"]) as newer:
                _greet(newer, "newer", 5)
                await until(lambda: ear.arrived[-1] == (Life("a", "newer", 0, "h:1"), True))
                pair.transports["b"].admit("a", "newer")
                await until(lambda: ear.calls == [1, 3, 4, 5])
                assert await old.read() == []

    run(main)


def test_a_duplicate_resigns() -> None:
    """It hears that another process is this node: what it said was not delivered, and it is to end."""

    async def main() -> list[str]:
        raised: list[str] = []
        async with talking("b") as pair:
            _doubting(pair, "new")
            transport: TcpTransport = pair.transports["a"]
            transport.life = Life("a", "new", 1, "h:1")
            loop = transport._loop  # the handler is the only thing that a process would set, too
            handler = loop.get_exception_handler()
            loop.set_exception_handler(lambda _, context: raised.append(_resigned(context["exception"])))
            pair.ping("a", "b", 1, 2)
            await _waiting(pair)
            pair.transports["b"].refuse("a", "new", TEXT)
            await until(lambda: raised)
            loop.set_exception_handler(handler)
            assert pair.ears["a"].unreached == [1, 2]
            assert pair.ears["b"].calls == []
        return raised

    assert run(main) == [TEXT]


def test_other_refusals_are_no_reason_to_end() -> None:
    """Such as those of a node of another cluster: nothing is raised, and what was said is brought back."""

    async def main() -> None:
        async with talking("b", cluster_of_b="other") as pair:
            pair.ping("a", "b", 1)
            await until(lambda: pair.ears["a"].unreached == [1])

    run(main)


def _resigned(error: Exception) -> str:
    assert isinstance(error, ResignedError)
    return str(error)


async def _waiting(pair: Pair) -> list[incoming.Incoming]:
    """The connections of a that wait at b, when there are any."""
    transport = pair.transports["b"]
    await until(lambda: any(each.waits for each in transport._connections))
    return [each for each in transport._connections if each.waits]
