"""Delays are log-normal, with a bounded tail, and what is drawn for a time is drawn whatever was drawn before."""

from __future__ import annotations

import math
from statistics import mean, median, pstdev

import pytest

from harness.sim.latency import Chance, Latency

MS = 1 << 20


@pytest.mark.parametrize(("median_us", "sigma"), [(350, 0.6), (900, 0.9), (10_000, 1.2), (100, 0.2)])
def test_the_distribution_is_log_normal(median_us: float, sigma: float) -> None:
    """Half are below the median, and their logarithms have that spread; the far tail is cut off."""
    chance, latency = Chance("latency"), Latency(median_us, sigma)
    drawn = [latency.draw_ns(chance.at(number * MS)) for number in range(20_000)]
    logs = [math.log(ns) for ns in drawn]
    assert median(drawn) == pytest.approx(median_us * 1000, rel=0.03)
    assert mean(logs) == pytest.approx(math.log(median_us * 1000), abs=0.03)
    assert pstdev(logs) == pytest.approx(sigma, rel=0.03)
    assert max(drawn) < median_us * 1000 * math.exp(4 * sigma)


def test_without_spread_every_delay_is_the_median() -> None:
    """So that a test can say when something arrives."""
    chance = Chance("latency")
    assert {Latency(250, 0).draw_ns(chance.at(number * MS)) for number in range(100)} == {250_000}


def test_chance_is_even_and_knows_no_order() -> None:
    """Ten thousand milliseconds fill a hundred drawers evenly, forwards and backwards alike; salts differ."""
    chance = Chance("even")
    forwards = [chance.at(number * MS) for number in range(10_000)]
    backwards = [chance.at(number * MS) for number in reversed(range(10_000))]
    assert forwards == backwards[::-1]
    drawers = [sum(low / 100 <= number < (low + 1) / 100 for number in forwards) for low in range(100)]
    assert 50 < min(drawers) <= max(drawers) < 150
    salted = [chance.at(number * MS, 1) for number in range(10_000)]
    other = [Chance("odd").at(number * MS) for number in range(10_000)]
    for stream in (salted, other):
        together = mean((a - 0.5) * (b - 0.5) for a, b in zip(forwards, stream, strict=True)) * 12
        assert abs(together) < 0.05


def test_within_a_millisecond_it_is_the_same() -> None:
    """Nothing that is left out of a run moves what is drawn for the rest of it."""
    chance = Chance("same")
    assert chance.at(5 * MS) == chance.at(6 * MS - 1) != chance.at(6 * MS)
