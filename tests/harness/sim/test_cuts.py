"""What becomes of messages on a link that is cut: dropped, held as TCP holds them, or lost with their connection."""

from __future__ import annotations

import asyncio

import pytest

from harness.sim.network import CONNECT_TIMEOUT_NS
from harness.sim.retransmission import next_attempt_ns
from nemesis.powers import Disturbance
from tests.harness.sim.wires import Wires

LINK = ("n1", "n2")
MS = 1_000_000


@pytest.mark.parametrize(
    ("cut_ms", "attempt_ms"), [(1, 200), (199, 200), (201, 600), (601, 1400), (1401, 3000), (4000, 6200), (6201, 12600)]
)
def test_tcp_tries_again_when_its_back_off_says_so(cut_ms: int, attempt_ms: int) -> None:
    """Attempts come 0.2, 0.6, 1.4, 3, 6.2, 12.6 s after the first loss; a cut lasts up to twice as long as it is."""
    assert next_attempt_ns(0, cut_ms * MS) == attempt_ms * MS
    assert next_attempt_ns(5 * MS, (cut_ms + 5) * MS) == (attempt_ms + 5) * MS


def test_the_back_off_is_bounded() -> None:
    """An hour of silence ends at most two minutes after the heal."""
    hour = 3600 * 1000 * MS
    assert hour <= next_attempt_ns(0, hour) < hour + 120_000 * MS


def test_a_held_message_comes_after_the_heal_and_in_order() -> None:
    """Also what is sent after the heal waits behind it; the first attempt after the heal brings all of it."""
    wires = Wires(on_cut="hold")

    async def script() -> None:
        async with wires.network.cut([LINK]) as cut:
            wires.send("n1", "n2", "0")
            await asyncio.sleep(0.1)
            wires.send("n1", "n2", "1")
            await asyncio.sleep(0.2)
            assert cut[LINK].dropped == 2, "they did not pass"
            assert wires.in_flight == 2, "and they are not lost"
        wires.send("n1", "n2", "2")
        await asyncio.sleep(0.299)
        assert wires.heard == []
        await asyncio.sleep(0.01)
        assert wires.numbers == [0, 1, 2]
        assert wires.in_flight == 0
        wires.send("n1", "n2", "3")

    wires.run(script)
    assert wires.numbers == [0, 1, 2, 3]
    assert wires.unreached == []


def test_redialling_gives_up_what_is_held() -> None:
    """The next message takes the new connection, and does not wait for the back-off of the old one."""
    wires = Wires(on_cut="hold")

    async def script() -> None:
        async with wires.network.cut([LINK]):
            wires.send("n1", "n2", "0")
            await asyncio.sleep(1)
        wires.network.redial(*LINK)
        assert wires.in_flight == 0
        wires.send("n1", "n2", "1")
        await asyncio.sleep(0.02)
        assert wires.numbers == [1]

    wires.run(script, then_s=5)
    assert wires.numbers == [1]
    assert wires.in_flight == 0


def test_an_attempt_of_a_connection_that_was_given_up_does_not_help_the_next() -> None:
    """What is held on the new one waits for its own back-off."""
    wires = Wires(on_cut="hold")

    async def script() -> None:
        async with wires.network.cut([LINK]):
            wires.send("n1", "n2", "0")
            await asyncio.sleep(1)
        wires.network.redial(*LINK)  # the old attempt would have been at 1.4 s
        async with wires.network.cut([LINK]):
            await asyncio.sleep(0.15)
            wires.send("n1", "n2", "1")  # at 1.15 s: attempts at 1.35, 1.75
            await asyncio.sleep(0.22)
        await asyncio.sleep(0.1)
        assert wires.heard == []
        await asyncio.sleep(0.4)
        assert wires.numbers == [1]

    wires.run(script)


def test_a_second_cut_prolongs_the_first() -> None:
    """An attempt that meets the second cut is lost like those before it."""
    wires = Wires(on_cut="hold")

    async def script() -> None:
        async with wires.network.cut([LINK]):
            wires.send("n1", "n2", "0")
            await asyncio.sleep(0.3)
        async with wires.network.cut([LINK]):
            await asyncio.sleep(0.5)  # over the attempt at 0.6 s
        await asyncio.sleep(0.55)
        assert wires.heard == []
        await asyncio.sleep(0.1)
        assert wires.numbers == [0], "at 1.4 s"

    wires.run(script)


def test_a_reset_cut_loses_what_is_under_way_and_lets_senders_know_of_the_rest() -> None:
    """Whoever dials meanwhile learns that it did not succeed, when the attempt has timed out."""
    wires = Wires(on_cut="reset")

    async def script() -> None:
        wires.send("n1", "n2", "under way")
        wires.send("n1", "n3", "elsewhere")
        async with wires.network.cut([LINK]):
            assert wires.network.in_flight["n1"] == 1
            wires.send("n1", "n2", "dialled")
            await asyncio.sleep(CONNECT_TIMEOUT_NS / 1e9 - 0.001)
            assert wires.unreached == []
            await asyncio.sleep(0.002)
            assert wires.unreached == ["dialled"]
        wires.send("n1", "n2", "after")

    wires.run(script)
    assert [message for _, _, message in wires.heard] == ["elsewhere", "after"]
    assert wires.in_flight == 0


def test_a_clog_that_ends_lets_go_at_once_whatever_cuts_do() -> None:
    """Nothing was lost on it, so nobody backs off; the back-off of an earlier cut is over and forgotten."""
    for on_cut in ("drop", "hold", "reset"):
        wires = Wires(on_cut=on_cut)

        async def script(wires: Wires = wires) -> None:
            async with wires.network.cut([LINK]):
                wires.send("n1", "n2", "0")
                await asyncio.sleep(3)
            await asyncio.sleep(10)
            wires.heard.clear()
            async with wires.network.disturb([LINK], Disturbance(clogged=True)) as done:
                await wires.send_each(5, every_ms=100)
                assert wires.heard == []
                assert (done[LINK].seen, done[LINK].held) == (5, 5)
            wires.send("n1", "n2", "5")
            await asyncio.sleep(0.02)
            assert wires.numbers == [0, 1, 2, 3, 4, 5]

        wires.run(script)
        assert wires.in_flight == 0


def test_what_a_clog_held_waits_for_the_cut_that_came_over_it() -> None:
    """And the other way round; the last of the two to end lets it go."""
    for on_cut in ("drop", "hold"):
        wires = Wires(on_cut=on_cut)

        async def script(wires: Wires = wires) -> None:
            async with wires.network.disturb([LINK], Disturbance(clogged=True)):
                wires.send("n1", "n2", "0")
                async with wires.network.cut([LINK]):
                    await asyncio.sleep(0.1)
                await asyncio.sleep(1)
                assert wires.heard == []
            await asyncio.sleep(0.02)
            assert wires.numbers == [0]
            clog = wires.network.disturb([LINK], Disturbance(clogged=True))
            await clog.__aenter__()
            wires.send("n1", "n2", "1")
            async with wires.network.cut([LINK]):
                await clog.__aexit__(None, None, None)
                await asyncio.sleep(1)
                assert wires.numbers == [0]
            await asyncio.sleep(0.02)
            assert wires.numbers == [0, 1]

        wires.run(script)
