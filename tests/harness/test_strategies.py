"""What the strategies draw is valid, and what fails shrinks to something that a person can read."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import find, given, settings

from harness.contracts import Step
from harness.strategies import REST_NS, cluster_configs, fault_schedules, workloads
from nemesis.catalog import goes, is_beyond, is_staged, loses_disk, names, spares_of
from nemesis.schedule import Schedule, collide, decode, encode
from node.core.config import ClusterConfig

NODES = ("n1", "n2", "n3", "n4", "n5")
S = 1_000_000_000

smallest = settings(derandomize=True, database=None, deadline=None, max_examples=2000)


@given(fault_schedules(nodes=NODES, duration_s=12.5))
@settings(deadline=None, max_examples=200)
def test_a_schedule_is_one_that_the_harness_could_have_drawn(schedule: Schedule) -> None:
    """In order and numbered, healed in time, without collisions, with one disk at risk, and data throughout."""
    assert [injection.id for injection in schedule] == list(range(1, len(schedule) + 1))
    assert list(schedule) == sorted(schedule, key=lambda injection: injection.at_ns)
    assert all(0 <= injection.at_ns < injection.until_ns <= 12.5 * S for injection in schedule)
    assert not any(collide(one, other, REST_NS) for one, other in combinations(schedule, 2))
    assert len({injection.plan.nodes for injection in schedule if loses_disk(injection.name)}) <= 1
    assert decode(encode(schedule)) == schedule
    for injection in schedule:
        plan = injection.plan
        named = [*plan.nodes, *(node for link in (*plan.links, *plan.paths) for node in link)]
        assert named
        assert all(node in NODES for node in named)


@given(fault_schedules(nodes=("a", "b", "c"), faults=("kill", "partition-isolate"), max_faults=2))
@settings(deadline=None)
def test_a_schedule_has_what_was_asked_for(schedule: Schedule) -> None:
    """No other fault, and no more of them."""
    assert len(schedule) <= 2
    assert all(injection.name in ("kill", "partition-isolate") for injection in schedule)


@pytest.mark.parametrize("fault", ["kill", "wipe", "kill-all", "partition-halves", "partition-isolate"])
def test_a_schedule_shrinks_to_one_short_fault_at_the_first_nodes(fault: str) -> None:
    """Half a second from the very beginning, at whom the fault's own plan puts first."""
    found = find(fault_schedules(nodes=NODES, faults=[fault]), bool, settings=smallest)
    (injection,) = found
    assert (injection.at_ns, injection.for_ns) == (0, S // 2)
    plan = injection.plan
    victims = plan.sides[0] if plan.sides else plan.nodes
    assert victims == NODES[: len(victims)]


def test_what_is_not_needed_falls_away() -> None:
    """A property that only a long cut breaks is shown one cut, as long as it has to be."""

    def long_cut(schedule: Schedule) -> bool:
        return any(injection.plan.links and injection.for_ns >= 3 * S for injection in schedule)

    faults = ("kill", "partition-halves", "pause")
    (injection,) = find(fault_schedules(nodes=NODES, faults=faults), long_cut, settings=smallest)
    assert (injection.at_ns, injection.for_ns) == (0, 3 * S)


def test_two_faults_that_must_meet_stay_and_no_third() -> None:
    """A kill of one certain node during a cut."""

    def meet(schedule: Schedule) -> bool:
        kills = [each for each in schedule if each.name == "kill" and each.plan.nodes == ("n3",)]
        cuts = [each for each in schedule if each.name == "partition-isolate"]
        return any(kill.at_ns < cut.until_ns and cut.at_ns < kill.until_ns for kill in kills for cut in cuts)

    faults = ("restart", "kill", "partition-halves", "partition-isolate")
    found = find(fault_schedules(nodes=NODES, faults=faults, max_faults=6), meet, settings=smallest)
    assert [(each.at_ns, each.for_ns) for each in found] == [(0, S // 2)] * 2


@pytest.mark.parametrize("fault", [name for name in names() if not spares_of(name)])
def test_every_fault_can_be_drawn(fault: str) -> None:
    """A fault that is a file is enough; here too there is no list. And alone it comes down to one.

    Who lets nodes in cannot: here are those that a cluster has from the beginning.
    """
    assert len(find(fault_schedules(nodes=NODES, faults=[fault]), bool, settings=smallest)) == 1


def test_unasked_all_faults_are_drawn_that_somebody_claims_to_survive() -> None:
    """Those that go beyond have to be asked for."""
    drawn: set[str] = set()

    @given(fault_schedules(nodes=NODES, max_faults=8))
    @settings(smallest, max_examples=400)
    def draw(schedule: Schedule) -> None:
        drawn.update(injection.name for injection in schedule)

    draw()
    assert drawn == {
        name for name in names() if not (is_beyond(name) or is_staged(name) or goes(name) or spares_of(name))
    }


def test_who_lets_nodes_in_is_refused() -> None:
    """In a line that says what is missing."""
    with pytest.raises(ValueError, match="faults: join lets nodes in, and a schedule of these nodes has none to come"):
        fault_schedules(nodes=NODES, faults=["join"])


@given(workloads(nodes=NODES, keys=2, clients=3, max_operations=30))
def test_operations_are_a_workload(steps: tuple[Step, ...]) -> None:
    """Names and values are unique, and a context is that of an earlier operation of the same client on the same key."""
    before: dict[str, Step] = {}
    for step in steps:
        assert step.op not in before
        assert step.node in NODES
        assert step.value == (step.op if step.f == "put" else None)
        if step.context_of is not None:
            assert step.f == "put"
            assert (before[step.context_of].client, before[step.context_of].key) == (step.client, step.key)
        before[step.op] = step
    assert len(before) <= 30
    assert {step.key for step in steps} <= {"k0", "k1"}
    assert {step.client for step in steps} <= {"c1", "c2", "c3"}


def test_a_workload_shrinks_to_what_breaks_the_property() -> None:
    """A put over what its client had read is two operations, and nothing beside them."""

    def read_then_put(steps: tuple[Step, ...]) -> bool:
        named = {step.op: step for step in steps}
        return any(step.context_of is not None and named[step.context_of].f == "get" for step in steps)

    assert find(workloads(nodes=NODES), read_then_put, settings=smallest) == (
        Step(op="c1.1", client="c1", node="n1", f="get", key="k0"),
        Step(op="c1.2", client="c1", node="n1", f="put", key="k0", value="c1.2", context_of="c1.1"),
    )


@given(cluster_configs(max_members=7))
def test_a_configuration_is_valid(config: ClusterConfig) -> None:
    """It checks itself."""
    assert config.checked() == config
    assert len(config.members) <= 7


@given(cluster_configs(overlapping=True))
def test_overlapping_quorums_overlap(config: ClusterConfig) -> None:
    """R + W > N."""
    assert config.r + config.w > config.n


def test_a_configuration_shrinks_to_the_smallest_cluster() -> None:
    """Of those that break the property."""
    config = find(cluster_configs(), lambda config: config.r + config.w <= config.n, settings=smallest)
    assert (config.members, config.n, config.r, config.w, config.partitions) == (("n1", "n2"), 2, 1, 1, 2)


@pytest.mark.parametrize(
    ("strategy", "arguments", "says"),
    [
        (fault_schedules, {"nodes": ()}, "nodes is (); give the names of at least one node, each of them once"),
        (fault_schedules, {"nodes": ("a", "a")}, "nodes is ('a', 'a'); give the names of at least one node, each of"),
        (fault_schedules, {"nodes": "abc"}, "nodes is 'abc'; give the names of at least one node"),
        (fault_schedules, {"nodes": NODES, "duration_s": 0.4}, "duration_s is 0.4; a fault takes at least 0.5 s"),
        (fault_schedules, {"nodes": NODES, "max_faults": -1}, "max_faults is -1; give 0 or more"),
        (fault_schedules, {"nodes": NODES, "faults": []}, "faults is empty; give the name of one"),
        (fault_schedules, {"nodes": NODES, "faults": ["flood"]}, "faults: no 'flood' in nemesis.faults; there is "),
        (fault_schedules, {"nodes": ("a",), "faults": ["partition-halves"]}, "faults: partition-halves needs at least"),
        (workloads, {"nodes": ()}, "nodes is ();"),
        (workloads, {"nodes": NODES, "keys": 0}, "keys is 0; give 1 or more"),
        (workloads, {"nodes": NODES, "clients": 0}, "clients is 0; give 1 or more"),
        (workloads, {"nodes": NODES, "max_operations": -1}, "max_operations is -1; give 0 or more"),
        (cluster_configs, {"max_members": 0}, "max_members is 0; it can be 1 to 64"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    strategy: Callable[..., object], arguments: dict[str, Any], says: str
) -> None:
    """In one line, when the strategy is made."""
    with pytest.raises(ValueError, match=f"^{re.escape(says)}") as error:
        strategy(**arguments)
    assert "\n" not in str(error.value)


def test_the_harness_itself_does_without_hypothesis() -> None:
    """Whoever installs it to run scenarios need not have it."""
    code = "import sys, harness.cli, harness.running, harness.plugins as p; p.names('system'); p.names('world')"
    code += "; assert 'hypothesis' not in sys.modules, 'imported'"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
