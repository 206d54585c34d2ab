"""Conversations are driven by facts alone: they await three things, in the order of the facts, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator

import pytest

from node.core.conversations import Conversations, Durable, Inbox, Kind, Sleep, Timers


class _Bench:
    """Conversations on timers and barriers that the test fires itself."""

    def __init__(self) -> None:
        self.set: dict[int, int] = {}
        self.cancelled: list[int] = []
        self.barriers: list[Callable[[], None]] = []
        self.log: list[str] = []
        self.timers = Timers(self.set.__setitem__, self.cancelled.append)
        self.conversations = Conversations(self.timers, self.barriers.append)

    @property
    def open(self) -> int:
        """How many requests are under way."""
        return self.conversations.open[Kind.REQUEST]

    def begin(self, *awaitables: Awaitable[object]) -> None:
        """Begin a conversation that awaits these in turn, and logs what it got."""

        async def conversation() -> None:
            for awaitable in awaitables:
                self.log.append(repr(await awaitable))

        self.conversations.begin(Kind.REQUEST, conversation())


class _Nothing:
    def __await__(self) -> Generator[None, None, None]:
        yield


@pytest.mark.parametrize("foreign", [asyncio.sleep(0), _Nothing()], ids=["asyncio", "bare yield"])
def test_awaiting_anything_foreign_raises_at_the_first_step(foreign: Awaitable[None]) -> None:
    """An asyncio habit in a conversation is found by the first test that runs it."""
    with pytest.raises(TypeError, match="may not await None; it awaits Sleep, Durable or an Inbox"):
        _Bench().begin(foreign)


def test_a_conversation_runs_to_its_first_wait_at_once() -> None:
    """And ends there when it has none; its kind is counted for as long as it is open."""
    bench = _Bench()
    bench.begin()
    assert bench.open == 0

    bench.begin(Sleep(5))
    assert bench.open == 1
    assert bench.conversations.open[Kind.PROBE] == 0


def test_sleep_sets_a_timer_and_goes_on_when_it_fires() -> None:
    """Once, and the conversation ends with its last wait."""
    bench = _Bench()
    bench.begin(Sleep(5), Sleep(7))
    assert bench.set == {1: 5}

    bench.timers.fired(1)
    assert bench.set == {1: 5, 2: 7}

    bench.timers.fired(2)
    assert bench.open == 0
    assert bench.log == ["None", "None"]


def test_durable_goes_on_with_the_barrier() -> None:
    """Whoever calls back decides when that is."""
    bench = _Bench()
    bench.begin(Durable())
    assert bench.open == 1

    bench.barriers.pop()()
    assert bench.open == 0


def test_an_inbox_yields_its_items_in_the_order_of_arrival() -> None:
    """Items that came before anybody waited are taken first, without waiting."""
    bench = _Bench()
    inbox: Inbox[str] = Inbox()
    inbox.put("first")
    inbox.put("second")
    bench.begin(inbox.next(), inbox.next(), inbox.next(), inbox.next())
    assert bench.log == ["'first'", "'second'"]

    inbox.put("third")
    inbox.put("fourth")
    assert bench.log == ["'first'", "'second'", "'third'", "'fourth'"]
    assert bench.open == 0


def test_an_inbox_outlives_its_conversation() -> None:
    """What comes for a conversation that has ended is put down and bothers nobody."""
    bench = _Bench()
    inbox: Inbox[str] = Inbox()
    bench.begin(inbox.next())
    inbox.put("only")
    inbox.put("too late")
    assert bench.log == ["'only'"]


def test_two_conversations_do_not_wait_at_one_inbox() -> None:
    """Who would get the item?"""
    bench = _Bench()
    inbox: Inbox[str] = Inbox()
    bench.begin(inbox.next())
    with pytest.raises(AssertionError, match="two conversations wait at one inbox"):
        bench.begin(inbox.next())


def test_a_cancelled_timer_does_nothing_even_if_it_fires() -> None:
    """The host may have fired it before it heard."""
    bench = _Bench()
    timer = bench.timers.after(5, lambda: bench.log.append("fired"))
    bench.timers.cancel(timer)
    bench.timers.fired(timer)
    assert bench.log == []
    assert bench.cancelled == [timer]


def test_a_timer_that_has_fired_is_not_cancelled_any_more() -> None:
    """The host has forgotten it and would not know what is meant."""
    bench = _Bench()
    timer = bench.timers.after(5, lambda: bench.log.append("fired"))
    bench.timers.fired(timer)
    bench.timers.cancel(timer)
    bench.timers.fired(timer)
    assert bench.log == ["fired"]
    assert bench.cancelled == []


def test_an_error_in_a_conversation_is_the_nodes() -> None:
    """It is raised to whoever fed the fact: a defect ends the node, it is not swallowed."""

    async def broken() -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        _Bench().conversations.begin(Kind.REQUEST, broken())
