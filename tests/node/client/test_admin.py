"""An operator's questions: the node's own words when it says no, and no certainty where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from node.client.admin import Admin, RefusedError
from node.client.client import ChannelError, OutcomeUnknownError, RequestError, RequestFailedError
from node.client.tcp import dial_at
from node.core.admin_messages import (
    Archive,
    Archived,
    Commit,
    Done,
    Locate,
    Plan,
    PlanQuery,
    Restore,
    Restored,
    RingQuery,
    RingReport,
    Stage,
    Staged,
    Unstage,
)
from node.core.changes import JOIN, Member
from node.core.messages import Entry, Refused
from node.core.versions import NOTHING
from node.runtime.addresses import shown
from tests.node.client.test_client import Script, raising, silence
from tests.node.runtime.ears import talking
from tests.node.runtime.loops import run, until

PLAN = Plan("o-2", "token", ("join n4",), (), (), ())
PAGE = (Entry(b"k", NOTHING),)
RING = RingReport("o-4", "n1", "ring", 3, 3, (), (), (), ())


async def serve(_: Script, _node: str, message: Any) -> Any:  # noqa: PLR0911 - one for each question
    """Answer as a node does; it knows no keys, and says so."""
    match message:
        case Stage(request, operation, node):
            return Staged(request, (f"{operation} {node}",))
        case Unstage(request):
            return Staged(request, ())
        case PlanQuery():
            return PLAN
        case Commit(request):
            return Done(request, (), "ring")
        case RingQuery():
            return RING
        case Archive(request, _, after):
            return Archived(request, PAGE if after < PAGE[-1].key else ())
        case Restore(request, entries):
            return Restored(request, len(entries))
        case Locate(request):
            return Refused(request, "bad-order", "the key is too long", definite=True)


def test_every_question_has_its_answer() -> None:
    """Each with a name of its own, over one channel; the time of issue is that of the operator's clock."""

    async def main() -> None:
        script = Script(serve)
        admin = Admin(script.dial, "o")
        assert await admin.stage("n1", JOIN, "n4", Member("n4", 2), "h:1") == ("join n4",)
        assert (await admin.plan("n1"), await admin.ring("n1")) == (PLAN, RING)
        assert (await admin.commit("n1", "token")).ring == "ring"
        await admin.unstage("n1")
        asked = [message for _, message in script.asked]
        assert asked[0] == Stage("o-1", JOIN, "n4", Member("n4", 2), "h:1")
        assert [message.request for message in asked] == [f"o-{number}" for number in range(1, 6)]
        assert asked[3].token == "token"
        assert 1_700_000_000_000 < asked[3].issued_ms < 10_000_000_000_000
        assert script.dialled == ["n1"]
        await admin.close()
        assert script.closed == ["n1"]

    run(main)


def test_a_partition_is_read_page_by_page_and_brought_back() -> None:
    """What nobody answers may have been done, and does no harm when it is done again."""

    async def main() -> None:
        admin = Admin(Script(serve).dial, "o", timeout_ms=20)
        assert await admin.archive("n1", 1 << 63) == PAGE
        assert await admin.archive("n1", 1 << 63, PAGE[-1].key) == ()
        assert await admin.restore("n1", PAGE) == 1
        with pytest.raises(OutcomeUnknownError):
            await Admin(Script(silence).dial, "o", timeout_ms=20).restore("n1", PAGE)

    run(main)


def test_a_refusal_is_the_nodes_own_text() -> None:
    """And nothing else is a `RefusedError`."""

    async def main() -> None:
        with pytest.raises(RefusedError) as refused:
            await Admin(Script(serve).dial, "o").locate("n1", b"k")
        assert (refused.value.code, refused.value.text) == ("bad-order", "the key is too long")

    run(main)


Answer = Callable[[Script, str, Any], Awaitable[Any]]


async def nonsense(*_: object) -> Any:
    """Answer something else."""
    return RING


@pytest.mark.parametrize(
    ("answer", "code"),
    [(silence, "timeout"), (raising(ChannelError("lost", sent=True)), "lost"), (nonsense, "unreadable")],
)
def test_an_order_without_an_answer_may_have_been_done(answer: Answer, code: str) -> None:
    """A question without one has just failed."""

    async def main() -> None:
        admin = Admin(Script(answer).dial, "o", timeout_ms=30)
        for order in (admin.commit("n1", "token"), admin.stage("n1", JOIN, "n4"), admin.unstage("n1")):
            with pytest.raises(OutcomeUnknownError) as unknown:
                await order
            assert unknown.value.code == code
        with pytest.raises(RequestFailedError) as failed:
            await admin.node("n1")
        assert failed.value.code == code
        assert not isinstance(failed.value, RefusedError)

    run(main)


@pytest.mark.parametrize("error", [ChannelError("down", sent=False)])
def test_an_order_that_was_not_sent_was_not_done(error: ChannelError) -> None:
    """That is certain."""

    async def main() -> None:
        admin = Admin(Script(raising(error)).dial, "o")
        with pytest.raises(RequestError) as failed:
            await admin.commit("n1", "token")
        assert type(failed.value) is RequestFailedError

    run(main)


def test_an_operator_dials_an_address() -> None:
    """Whoever listens there answers; what is no address is dialled by nobody."""

    async def main() -> None:
        async with talking("b") as pair:
            admin = Admin(dial_at, "o")
            asking = asyncio.create_task(admin.ring(shown(pair.addresses["b"])))
            await until(lambda: pair.ears["b"].requests)
            ((asker, request),) = pair.ears["b"].requests
            assert request == RingQuery("o-1")
            pair.transports["b"].reply(asker, RING)
            assert await asking == RING
            with pytest.raises(RequestFailedError, match="'b' is no address: give host:port"):
                await admin.ring("b")
            await pair.transports["b"].close()
            with pytest.raises(RequestFailedError, match=r"cannot reach 127.0.0.1:\d+: Connection refused"):
                await admin.ring(shown(pair.addresses["b"]))
            await admin.close()

    run(main)
