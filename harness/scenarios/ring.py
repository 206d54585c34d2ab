"""A ring that lives: who comes, who goes, who is replaced, and what becomes of hints and replicas meanwhile.

Each is one of the stories that the makers of Riak, Cassandra, Scylla and Voldemort learnt the hard way; S and a number
are the catalogue's. Victims `a`, `b`, … are drawn, `new1` is the first node that comes.
"""

from __future__ import annotations

from typing import Any

from harness.scenarios import Scenario
from nemesis.timeline import Beat

BY_HANDOFF: dict[str, Any] = {"settings": {"anti_entropy_ms": 0}}
"""Nothing but hints, transfers and reads brings a replica up to date."""

SCENARIOS = {
    "hinted_handoff_after_restart": Scenario(
        "S01: all who hold hints for a dead node are started again, and only then is it",
        timeline=(
            Beat(1, 10, "kill", "a"),
            Beat(3, 1.5, "kill", "b"),
            Beat(5, 1.5, "restart", "c"),
            Beat(7, 1.5, "kill", "d"),
        ),
        fields={"nodes": 4, **BY_HANDOFF},
    ),
    "hint_window_exceeded": Scenario(
        "S02: a node is away for most of the run, and its neighbours flap while they hold hints for it",
        timeline=(
            Beat(1, 15, "kill", "a"),
            Beat(3, 1.5, "kill", "b"),
            Beat(5, 5, "partition-flapping"),
            Beat(11, 1.5, "kill", "b"),
        ),
    ),
    "hint_holder_dies": Scenario(
        "S03: who holds hints loses its disk before it can deliver them, and anti-entropy has to do it",
        timeline=(Beat(1, 8, "kill", "a"), Beat(5, 2, "wipe", "b")),
    ),
    "hints_survive_decommission": Scenario(
        "S04: who holds hints leaves the ring, and takes them to somebody else first",
        timeline=(Beat(1, 9, "kill", "a"), Beat(4, 8, "leave", "b")),
        fields=BY_HANDOFF,
    ),
    "hints_lost_on_replace": Scenario(
        "S05: a node is replaced while others hold hints for it, and the new one gets them",
        timeline=(Beat(1, 9, "replace", "a new1", {"wait_ms": 3000.0}),),
        fields={"spares": 1},
    ),
    "slop_out_of_order": Scenario(
        "S06: hints are delivered out of order, and their target dies in the middle of it",
        timeline=(
            Beat(1, 4, "kill", "a"),
            Beat(4.5, 7, "reorder"),
            Beat(6, 2, "kill", "a"),
            Beat(9, 1, "kill", "a"),
        ),
        fields=BY_HANDOFF,
    ),
    "host_swap_during_handoff": Scenario(
        "S07: the target of hints comes back again and again, each time behind connections that are new",
        timeline=(
            Beat(1, 4, "kill", "a"),
            Beat(4.8, 3, "connection-reset"),
            Beat(5.3, 1, "restart", "a"),
            Beat(8, 1, "kill", "a"),
        ),
        fields=BY_HANDOFF,
    ),
    "duplicate_actor_ids": Scenario(
        "S12: a disk is put back as it was some seconds before, and its node must not name anything twice",
        timeline=(Beat(2, 4, "disk-rollback", "a"), Beat(13, 4, "disk-rollback", "a")),
    ),
    "partition_data_loss": Scenario(
        "S33: a node loses all that it kept, and gets every key of its partitions back",
        timeline=(Beat(4, 1, "wipe", "a"),),
        fields={"keys": 200, "rate": 200.0},
    ),
    "aae_no_perpetual_repair": Scenario(
        "S34: where nothing is missing anti-entropy moves nothing",
        fields={"keys": 100, "time_limit_s": 10.0},
    ),
    "aae_node_down": Scenario(
        "S35: exchanges with a node that is away end, and begin again when it is back",
        timeline=(Beat(2, 12, "kill", "a"),),
        fields={"settings": {"anti_entropy_ms": 500}},
    ),
    "join_under_load": Scenario(
        "S36: a node joins while clients read and write",
        timeline=(Beat(3, 8, "join", "new1"),),
        fields={"spares": 1, "keys": 200, "rate": 200.0},
    ),
    "leave_rejoin_under_load": Scenario(
        "S37: two nodes leave and come back while clients read and write",
        timeline=(Beat(2, 5, "rejoin", "a"), Beat(4, 6, "rejoin", "b")),
        fields={"keys": 100, "rate": 200.0},
    ),
    "crash_during_transfer": Scenario(
        "S38: who takes seats over and who gives them away die in the middle of it, again and again",
        timeline=(
            Beat(2, 12, "join", "new1"),
            Beat(2.2, 0.5, "kill", "new1"),
            Beat(2.4, 1, "kill", "a"),
            Beat(3.5, 1, "kill", "new1"),
            Beat(3.7, 1, "kill", "b"),
        ),
        fields={"spares": 1, "keys": 400, "rate": 200.0},
    ),
    "simultaneous_join": Scenario(
        "S39: two nodes join at the same moment, ordered at two different members",
        timeline=(Beat(3, 8, "join", "new1", {"at": 0}), Beat(3, 8, "join", "new2", {"at": 2})),
        fields={"spares": 2},
    ),
    "wiped_node_cannot_rejoin": Scenario(
        "S40: a node comes back under its name with an empty disk, and is not taken for what it was",
        timeline=(Beat(2, 3, "wipe", "a"), Beat(8, 1, "wipe", "a")),
    ),
    "replace_alive_node_refused": Scenario(
        "S41: to replace a node that lives is refused",
        timeline=(Beat(3, 4, "replace-alive", "a new1"),),
        fields={"spares": 1},
    ),
    "staged_plan_commit": Scenario(
        "S42: only what the last plan has shown is committed, and all of it at once",
        timeline=(Beat(3, 6, "staged-orders", "new1 new2"),),
        fields={"spares": 2},
    ),
    "down_node_blocks_transition": Scenario(
        "S43: a join waits for a dead member until it is marked down, and that one comes back",
        timeline=(Beat(2, 12, "down", "a", {"wait_ms": 6000.0}), Beat(3, 8, "join", "new1")),
        fields={"spares": 1},
    ),
    "seeds_unreachable": Scenario(
        "S44: one node is let in, and another one started again, while neither can reach anybody",
        timeline=(
            Beat(1, 6, "partition-isolate", "new1"),
            Beat(2, 10, "join", "new1"),
            Beat(8, 6, "partition-isolate", "a"),
            Beat(9, 2, "kill", "a"),
        ),
        fields={"spares": 1},
    ),
    "stale_ring_client": Scenario(
        "S45: clients go on asking the nodes that they always asked, those that left among them",
        timeline=(Beat(2, 6, "join", "new1"), Beat(4, 8, "leave", "a"), Beat(10, 5, "join", "new2")),
        fields={"spares": 2},
    ),
    "stale_coordinator_fenced": Scenario(
        "S46: a frozen owner is ordered out of the ring, and goes on as if nothing had happened",
        timeline=(Beat(2, 8, "pause", "a"), Beat(4, 5, "evict", "a")),
    ),
    "remove_dead_node": Scenario(
        "a member dies for good and is ordered out, and the others make up for its replicas",
        timeline=(Beat(2, 8, "remove", "a"),),
    ),
    "ring_under_load": Scenario(
        "two nodes join, one dies and is removed, one dies and is replaced, all while clients are at work",
        timeline=(
            Beat(2, 6, "join", "new1"),
            Beat(9, 6, "join", "new2"),
            Beat(16, 7, "remove", "a"),
            Beat(24, 8, "replace", "b new3"),
        ),
        fields={"spares": 3, "keys": 200, "time_limit_s": 34.0},
    ),
    "dc_outage": Scenario(
        "S50: one data centre of two is cut off, and then it goes down and comes back",
        timeline=(Beat(2, 4, "partition-halves", "dc2"), Beat(9, 4, "kill-all", "dc2")),
        fields={"nodes": 6, "dcs": 2},
    ),
    "location_diversity": Scenario(
        "S51: whoever joins, leaves or is replaced, every partition is kept in three racks",
        timeline=(
            Beat(2, 4, "join", "new1"),
            Beat(4, 5, "leave", "a"),
            Beat(9, 6, "replace", "b new2"),
        ),
        fields={"nodes": 6, "racks": 3, "spares": 3},
    ),
    "background_vs_foreground": Scenario(
        "S53: a node gets all it kept from the others while clients are at work and their disks are slow",
        timeline=(Beat(3, 1, "wipe", "a"), Beat(5, 10, "disk-slow", "b")),
        fields={"keys": 400, "rate": 300.0, "settings": {"background_p99_ms": 10}},
    ),
}
