"""Clocks that are wrong: set off, too fast or too slow, or never the same."""

from __future__ import annotations

from harness.scenarios import Scenario

SCENARIOS = {
    "clock-jump": Scenario("some wall clocks are set off by up to an hour", ("clock-jump",)),
    "clock-drift": Scenario("some clocks run up to a tenth too fast or too slow", ("clock-drift",)),
    "clock-strobe": Scenario("one wall clock flips between two times", ("clock-strobe",)),
    "clock-drift-partition": Scenario(
        "clocks drift while the network is cut in halves", ("clock-drift", "partition-halves")
    ),
}
