"""Links that delay, lose, copy and mix up what they carry, and connections that break; counted for what really was."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.latency import Latency
from nemesis.powers import Disturbance, Disturbed
from tests.harness.sim.wires import NODES, Wires

LINK = ("n1", "n2")


def disturbed(how: Disturbance, count: int = 400, *, every_ms: float = 1.0) -> tuple[Wires, Disturbed]:
    """Send so many numbers over a bad link; what became of them, and what was counted."""
    wires = Wires()
    counts: list[Disturbed] = []

    async def script() -> None:
        async with wires.network.disturb([LINK], how) as done:
            await wires.send_each(count, every_ms=every_ms)
            await asyncio.sleep(2)
            counts.append(done[LINK])

    wires.run(script)
    assert wires.in_flight == 0
    assert wires.least_in_flight == 0
    return wires, counts[0]


def overtaken(numbers: list[int]) -> int:
    """How many came after a later one."""
    return sum(any(later > number for later in numbers[:place]) for place, number in enumerate(numbers))


def test_loss_is_for_good_and_counted() -> None:
    """What arrives and what was lost make up what was sent; the order of the rest is kept."""
    wires, done = disturbed(Disturbance(loss=0.25))
    assert done == Disturbed(seen=400, lost=400 - len(wires.heard))
    assert 60 < done.lost < 140
    assert wires.numbers == sorted(set(wires.numbers))


def test_a_copy_arrives_right_after_its_original() -> None:
    """Once more each, and counted once each."""
    wires, done = disturbed(Disturbance(duplicate=0.25))
    twice = [number for number, times in Counter(wires.numbers).items() if times == 2]
    assert done == Disturbed(seen=400, duplicated=len(twice))
    assert 60 < done.duplicated < 140
    assert wires.numbers == sorted(wires.numbers)
    assert len(wires.numbers) == 400 + len(twice)


def test_a_delay_keeps_the_order() -> None:
    """Every message comes later than without, and behind the one before it."""
    wires, done = disturbed(Disturbance(delay_ms=50, jitter_ms=30), 200)
    assert done == Disturbed(seen=200, delayed=200)
    assert wires.numbers == list(range(200))
    assert all(at_ns - number * 1_000_000 > 50_000_000 for at_ns, number in zip(wires.times, range(200), strict=True))
    assert max(wires.times) < 300_000_000


def test_only_who_was_overtaken_was_reordered() -> None:
    """The count is that of messages that came after a later one."""
    wires, done = disturbed(Disturbance(reorder=0.2, reorder_ms=20))
    assert sorted(wires.numbers) == list(range(400)), "nothing is lost, and nothing comes twice"
    assert done.reordered == pytest.approx(overtaken(wires.numbers), abs=8)
    assert done.reordered > 40


def test_who_is_late_and_meets_nobody_was_not_reordered() -> None:
    """Messages that are further apart than they can be late stay in order."""
    wires, done = disturbed(Disturbance(reorder=0.5, reorder_ms=20), 50, every_ms=100)
    assert (wires.numbers, done.reordered) == (list(range(50)), 0)


def test_a_healed_link_is_as_good_as_new() -> None:
    """In order, complete, and on time."""
    wires = Wires()

    async def script() -> None:
        how = Disturbance(delay_ms=20, loss=0.5, duplicate=0.5, reorder=0.5, reorder_ms=10)
        async with wires.network.disturb([LINK], how):
            await wires.send_each(50)
        await asyncio.sleep(1)
        wires.heard.clear()
        await wires.send_each(100)

    wires.run(script)
    assert wires.numbers == list(range(100))


def test_disturbances_add_up_and_end_one_by_one() -> None:
    """Each counts its own."""
    wires = Wires(latency=Latency(100, 0))

    async def script() -> None:
        async with wires.network.disturb([LINK], Disturbance(delay_ms=100)) as outer:
            async with wires.network.disturb([LINK], Disturbance(delay_ms=50)) as inner:
                wires.send("n1", "n2", "0")
                await asyncio.sleep(0.2)
            wires.send("n1", "n2", "1")
            await asyncio.sleep(0.2)
            assert (outer[LINK].delayed, inner[LINK].delayed) == (2, 1)

    wires.run(script)
    assert [round(at_ns / 1e6) for at_ns in wires.times] == [150, 300]


def test_other_links_notice_nothing() -> None:
    """Not even the way back."""
    wires = Wires()

    async def script() -> None:
        async with wires.network.disturb([LINK], Disturbance(loss=1.0)) as done:
            wires.send("n2", "n1", "back")
            wires.send("n1", "n3", "beside")
            wires.send("n1", "n2", "lost")
            await asyncio.sleep(1)
            assert done == {LINK: Disturbed(seen=1, lost=1)}

    wires.run(script)
    assert sorted(message for _, _, message in wires.heard) == ["back", "beside"]
    assert wires.unreached == [], "silence, not certainty"


def test_a_reset_loses_what_is_under_way_and_nothing_else() -> None:
    """It says how much that was; the other direction is another connection, and what comes later arrives."""
    wires = Wires()
    fates: list[tuple[str, str]] = []

    async def script() -> None:
        wires.network.watch = lambda flight, fate: fates.append((flight.message, fate))
        wires.send("n1", "n2", "under way")
        wires.send("n2", "n1", "back")
        assert await wires.network.reset([LINK, ("n3", "n1")]) == {LINK: 1, ("n3", "n1"): 0}
        assert wires.network.in_flight == {"n1": 0, "n2": 1, "n3": 0}
        wires.send("n1", "n2", "after")

    wires.run(script)
    assert sorted(message for _, _, message in wires.heard) == ["after", "back"]
    assert ("under way", "lost") in fates
    assert wires.in_flight == 0


def test_a_reset_loses_what_a_clog_holds() -> None:
    """It waits on the connection that breaks."""
    wires = Wires()

    async def script() -> None:
        async with wires.network.disturb([LINK], Disturbance(clogged=True)):
            await wires.send_each(3)
            assert await wires.network.reset([LINK]) == {LINK: 3}
            assert wires.in_flight == 0

    wires.run(script)
    assert wires.heard == []


def test_what_was_sent_to_a_life_does_not_reach_the_next() -> None:
    """A process that has been replaced took its connections with it; nobody can tell the sender what was heard."""
    wires = Wires()

    async def script() -> None:
        async with wires.network.disturb([LINK], Disturbance(delay_ms=500)):
            wires.send("n1", "n2", "old")
            wires.network.detach("n2")
            wires.send("n1", "n2", "dialled")
            await asyncio.sleep(0.1)
            wires.attach("n2")

    wires.run(script)
    assert [message for _, _, message in wires.heard] == ["dialled"]
    assert wires.unreached == []
    assert wires.in_flight == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(("send", "cut", "clog", "lose", "copy", "mix", "reset", "redial", "down", "wait")),
              st.sampled_from(NODES), st.sampled_from(NODES)),
    max_size=40,
)  # fmt: skip
HOW = {
    "clog": Disturbance(clogged=True),
    "lose": Disturbance(loss=0.5),
    "copy": Disturbance(duplicate=0.7, delay_ms=3),
    "mix": Disturbance(reorder=0.7, reorder_ms=20),
}


@settings(deadline=None, max_examples=80)
@given(STEPS, st.sampled_from(("drop", "hold", "reset")))
def test_what_is_under_way_is_never_less_than_nothing_and_nothing_in_the_end(
    steps: list[tuple[str, str, str]], on_cut: str
) -> None:
    """Whatever is done to links in whatever order, each message is counted once in and once out."""
    wires = Wires(on_cut=on_cut)

    async def beside(step: str, link: tuple[str, str]) -> None:
        harm = wires.network.cut([link]) if step == "cut" else wires.network.disturb([link], HOW[step])
        async with harm:
            await asyncio.sleep(0.3)

    async def script() -> None:
        harms = []
        for step, source, target in steps:
            if step == "wait":
                await asyncio.sleep(0.05)
            elif step == "down":
                wires.network.detach(source) if source in wires.network.receivers else wires.attach(source)
            elif source != target and step == "send":
                wires.send(source, target, "0")
                wires.send(source, target, "1")
            elif source != target and step == "reset":
                await wires.network.reset([(source, target)])
            elif source != target and step == "redial":
                wires.network.redial(source, target)
            elif source != target:
                harms.append(asyncio.ensure_future(beside(step, (source, target))))
            assert min(wires.network.in_flight.values()) >= 0
        await asyncio.gather(*harms)

    wires.run(script, then_s=10)
    assert wires.least_in_flight == 0
    assert wires.network.in_flight == dict.fromkeys(NODES, 0)
