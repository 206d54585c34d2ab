"""Disks that are slow, full, broken, rotten or lying. What happens within files needs the engine `log`."""

from __future__ import annotations

from harness.scenarios import Scenario

SCENARIOS = {
    "disk-slow": Scenario("syncs of one node take many times as long", ("disk-slow",)),
    "disk-failing": Scenario("a sync of one node fails, and the node must not go on", ("disk-failing",)),
    "disk-full": Scenario("one node has no space left", ("disk-full",)),
    "disk-rot": Scenario("a bit flips on the disk of a node that is down", ("disk-rot",)),
    "disk-lying": Scenario("a disk says that it has synced when it has not", ("disk-lying",)),
    "disk-slow-kill": Scenario("a node dies while another one's disk is slow", ("kill", "disk-slow")),
}
