"""Bad networks: messages come late, twice, out of order or not at all, while every link still stands."""

from __future__ import annotations

from harness.scenarios import Scenario

SCENARIOS = {
    "delay": Scenario("most messages are late", ("delay",)),
    "loss": Scenario("some messages are lost for good", ("loss",)),
    "duplicate": Scenario("some messages arrive twice", ("duplicate",)),
    "reorder": Scenario("some messages are overtaken by later ones", ("reorder",)),
    "clog": Scenario("links hold back what they are given, each for a time of its own", ("clog",)),
    "connection-reset": Scenario("connections are reset again and again", ("connection-reset",)),
    "partition-flapping": Scenario("a cut opens and closes again and again", ("partition-flapping",)),
    "delay-partition": Scenario("two halves, and late messages within them", ("delay", "partition-halves")),
    "loss-kill": Scenario("a node dies while messages are lost", ("kill", "loss")),
}
