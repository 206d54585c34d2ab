"""A property test of your own: whatever clients do, and whatever befalls the nodes meanwhile, nothing promised is lost.

    pytest examples/property_test.py

Each example is a whole simulated cluster. What fails is made smaller, down to the faults and operations that it takes.
"""

from __future__ import annotations

from hypothesis import given, settings

from checkers.verdict import Answer
from harness.contracts import Step
from harness.runs import judged, simulate
from harness.script import Script, Timed
from harness.spec import RunSpec
from harness.story import Plot
from harness.strategies import fault_schedules, workloads
from nemesis.schedule import Schedule

SPEC = RunSpec(scenario="property", world="sim", seed=1, nodes=4, time_limit_s=5.0)
FAULTS = ("partition-halves", "partition-isolate", "kill", "restart")
EVERY_NS = 100_000_000


@given(
    schedule=fault_schedules(nodes=SPEC.node_ids, duration_s=SPEC.time_limit_s, faults=FAULTS, max_faults=3),
    steps=workloads(nodes=SPEC.node_ids, keys=2, clients=3, max_operations=40),
)
@settings(max_examples=100, deadline=None)
def test_the_cluster_keeps_its_promises(schedule: Schedule, steps: tuple[Step, ...]) -> None:
    """Too little to prove anything is no failure here: it is `vacuity` that would say unknown."""
    script = Script(load=(), steps=tuple(Timed(number * EVERY_NS, step) for number, step in enumerate(steps)))
    plot = Plot(SPEC, schedule, script)
    verdicts = judged(plot, simulate(plot).history).verdicts
    assert [verdict.reason for verdict in verdicts if verdict.answer is Answer.INVALID] == []
