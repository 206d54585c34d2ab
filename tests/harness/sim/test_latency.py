"""Delays are log-normal, with a bounded tail, and one generator draws one sequence of them."""

from __future__ import annotations

import math
from random import Random
from statistics import mean, median, pstdev

import pytest

from harness.sim.latency import Latency


@pytest.mark.parametrize(("median_us", "sigma"), [(350, 0.6), (900, 0.9), (10_000, 1.2), (100, 0.2)])
def test_the_distribution_is_log_normal(median_us: float, sigma: float) -> None:
    """Half are below the median, and their logarithms have that spread; the far tail is cut off."""
    rng = Random("latency")
    drawn = [Latency(median_us, sigma).draw_ns(rng) for _ in range(20_000)]
    logs = [math.log(ns) for ns in drawn]
    assert median(drawn) == pytest.approx(median_us * 1000, rel=0.03)
    assert mean(logs) == pytest.approx(math.log(median_us * 1000), abs=0.03)
    assert pstdev(logs) == pytest.approx(sigma, rel=0.03)
    assert max(drawn) < median_us * 1000 * math.exp(4 * sigma)


def test_without_spread_every_delay_is_the_median() -> None:
    """So that a test can say when something arrives."""
    rng = Random("latency")
    assert {Latency(250, 0).draw_ns(rng) for _ in range(100)} == {250_000}


def test_one_generator_is_one_sequence() -> None:
    """And a draw takes one number from it, whatever the distribution."""
    one, other = Random("same"), Random("same")
    assert [Latency().draw_ns(one) for _ in range(50)] == [Latency().draw_ns(other) for _ in range(50)]
    Latency(1, 0).draw_ns(one), Latency(9, 2).draw_ns(other)
    assert one.random() == other.random()
