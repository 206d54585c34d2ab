"""Crashes: nodes die, lose their disks, or leave and come back, alone and while the network is cut."""

from __future__ import annotations

from harness.scenarios import Scenario

SCENARIOS = {
    "calm": Scenario("no fault at all: what the harness says of a healthy cluster"),
    "crash-kill": Scenario("one node is killed and started again", ("kill",)),
    "crash-kill-all": Scenario("all nodes are killed at once and started again", ("kill-all",)),
    "crash-restart": Scenario("one node is stopped in good order and started again", ("restart",)),
    "crash-wipe": Scenario("one node is killed and comes back with an empty disk", ("wipe",)),
    "crash-partition": Scenario("a node is killed while the network is cut in halves", ("kill", "partition-halves")),
}
