"""Partitions: the network is cut in some shape while clients read and write on every side."""

from __future__ import annotations

from harness.scenarios import Scenario

SCENARIOS = {
    "partition-halves": Scenario("two halves that do not hear each other", ("partition-halves",)),
    "partition-isolate": Scenario("one node alone", ("partition-isolate",)),
    "partition-majorities-ring": Scenario(
        "every node sees a majority, no two the same one", ("partition-majorities-ring",)
    ),
    "partition-bridge": Scenario("two halves, and one node that sees both", ("partition-bridge",)),
    "partition-one-way": Scenario("what some nodes send is lost, what they are sent arrives", ("partition-one-way",)),
}
