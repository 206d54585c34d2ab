"""Nodes that are alive and do not answer in time: frozen, or slow."""

from __future__ import annotations

from harness.scenarios import Scenario

SCENARIOS = {
    "pause-one": Scenario("one node is frozen, and goes on without knowing", ("pause",)),
    "slow": Scenario("one node is short of processor time", ("slow",)),
    "pause-partition": Scenario("a node is frozen while the network is cut in halves", ("pause", "partition-halves")),
    "pause-slow": Scenario("one node is frozen and another one slow, or it is the same", ("pause", "slow")),
}
