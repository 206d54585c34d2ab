"""A case with something left out is still one that can be played."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.contracts import Step
from harness.runs import schedule_of
from harness.script import LOAD, Script, Timed
from harness.shrink import case as smaller
from harness.shrink.case import Case
from harness.spec import RunSpec
from harness.workloads import cart, register
from nemesis.powers import Plan
from nemesis.schedule import Injection

SPEC = RunSpec(scenario="crash-partition", world="sim", seed=1, faults=("kill", "partition-halves"), nodes=5)


def _step(op: str, f: str, context_of: str | None = None, key: str = "k0", edit: str | None = None) -> Step:
    return Step(op=op, client=op.split(".", maxsplit=1)[0], node="n5", f=f, key=key, context_of=context_of, edit=edit)


def _case(*steps: Step, schedule: tuple[Injection, ...] = ()) -> Case:
    load = (Step(op="load.0", client=LOAD, node="n1", f="put", key="k0", value="load.0"),)
    return Case(SPEC, schedule, Script(load, tuple(Timed(at * 10**9, step) for at, step in enumerate(steps))))


READ_TWICE = _case(_step("c1.1", "get"), _step("c1.2", "get"), _step("c1.3", "put", "c1.2"), _step("c2.1", "put"))


def test_a_write_whose_read_is_gone_carries_the_context_of_the_one_before() -> None:
    """Its client has seen that, on the same key."""
    left = smaller.with_operations(READ_TWICE, ["c1.1", "c1.3", "c2.1"])
    assert [(step.op, step.context_of) for step in left.steps] == [("c1.1", None), ("c1.3", "c1.1"), ("c2.1", None)]
    assert smaller.told_changes(READ_TWICE, left) == ["c1.3 carried the context of c1.2; now it carries that of c1.1"]


def test_a_write_that_has_seen_nothing_any_more_goes_too() -> None:
    """A blind write is another write, and is tried as such."""
    left = smaller.with_operations(READ_TWICE, ["c1.3", "c2.1"])
    assert left.operations == ("c2.1",)
    blind = smaller.blind(READ_TWICE, "c1.3")
    assert smaller.with_operations(blind, ["c1.3"]).operations == ("c1.3",)
    assert smaller.told_changes(READ_TWICE, blind) == ["c1.3 carried the context of c1.2; now it carries no context"]


def test_an_edit_needs_a_read() -> None:
    """What it writes is made of what a read returned, so it is not re-pointed to a write."""
    case = _case(_step("c1.1", "put"), _step("c1.2", "get"), _step("c1.3", "put", "c1.2", edit="+x"))
    assert smaller.with_operations(case, ["c1.1", "c1.3"]).operations == ("c1.1",)


@given(st.integers(0, 1000), st.sampled_from(["register", "cart"]), st.data())
def test_any_part_of_a_workload_can_be_played(seed: int, workload: str, data: st.DataObject) -> None:
    """No operation names one that is not there before it, whatever is left out."""
    from itertools import islice
    from random import Random

    draw = {"register": register, "cart": cart}[workload].operations
    steps = list(islice(draw(Random(seed), "c1", SPEC.node_ids, 3), 30))
    case = _case(*steps)
    kept = data.draw(st.sets(st.sampled_from(case.operations)))
    left = smaller.with_operations(case, kept)
    left.script.checked(SPEC.node_ids)
    assert set(left.operations) <= kept
    assert smaller.with_operations(case, case.operations) == case


def test_fewer_nodes_leave_a_case_that_can_be_played() -> None:
    """What went to the last node goes to another, and what a fault did to it is left out."""
    plan = Plan(links=(("n1", "n5"), ("n1", "n2")), sides=(("n1",), ("n2", "n5")))
    cut = Injection(id=1, name="partition-one-way", at_ns=0, for_ns=10**9, plan=plan)
    fewer = smaller.with_fewer_nodes(_case(*READ_TWICE.steps[1:], schedule=(cut,)))
    assert fewer is not None
    assert fewer.spec.nodes == 4
    fewer.script.checked(fewer.spec.node_ids)
    assert fewer.schedule[0].plan == Plan(links=(("n1", "n2"),), sides=(("n1",), ("n2",)))


def test_a_fault_that_is_all_about_the_last_node_keeps_it() -> None:
    """As does a quorum that needs it."""
    kill = Injection(id=1, name="kill", at_ns=0, for_ns=10**9, plan=Plan(nodes=("n5",)))
    assert smaller.with_fewer_nodes(_case(schedule=(kill,))) is None
    needed = replace(READ_TWICE, spec=replace(SPEC, nodes=3))
    assert smaller.with_fewer_nodes(needed) is None


def test_idle_time_is_left_out() -> None:
    """Everything behind a gap comes sooner; a fault that spans it gets shorter."""
    cut = Injection(id=1, name="kill", at_ns=0, for_ns=9 * 10**9, plan=Plan(nodes=("n5",)))
    case = _case(_step("c1.1", "get"), _step("c1.2", "get"), schedule=(cut,))
    (at_ns, long_ns), *_ = smaller.gaps(case)
    assert (at_ns, long_ns) == (9 * 10**9, 8 * 10**9)
    sooner = smaller.earlier(case, at_ns, 7 * 10**9)
    assert sooner.schedule[0].until_ns == 2 * 10**9
    assert [timed.at_ns for timed in sooner.script.steps] == [0, 10**9]


def test_the_end_comes_soon_after_the_last_thing() -> None:
    """And the spec says how many keys and clients there are."""
    trimmed = smaller.trimmed(READ_TWICE).spec
    assert (trimmed.time_limit_s, trimmed.keys, trimmed.concurrency) == (3.5, 1, 2)


def test_faults_left_out_are_out_of_the_spec_as_well() -> None:
    """Otherwise the run would be unknown: a fault that was enabled and never struck."""
    schedule = schedule_of(SPEC)
    kept = [injection for injection in schedule if injection.name == "kill"]
    assert 0 < len(kept) < len(schedule)
    assert smaller.with_faults(_case(schedule=schedule), kept).spec.faults == ("kill",)
