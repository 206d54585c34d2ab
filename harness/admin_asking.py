"""What an operator's commands ask, and of whom: one node for the ring, every member for what it says of itself.

This file knows questions, and orders that are carried out in one go. It does not know options, nor how answers are
shown.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from node.client.admin import Admin, RefusedError
from node.client.client import RequestError
from node.client.tcp import dial_at
from node.core.admin_messages import Done, MemberReport, NodeReport, Plan, RingReport
from node.core.changes import Member
from node.runtime.addresses import parsed

LEFT = "left"


class Order(NamedTuple):
    """What is to be done: to `node`, by which `member`, who is dialled at `address`, where somebody comes."""

    operation: str
    node: str
    member: Member | None = None
    address: str = ""


class Survey(NamedTuple):
    """The ring as one node knows it, what its members say of themselves, and why the others are silent."""

    ring: RingReport
    nodes: dict[str, NodeReport]
    silent: dict[str, str]

    @property
    def members(self) -> list[MemberReport]:
        """Everybody who has a part in the ring, now or after all moves."""
        return [each for each in self.ring.members if each.state != LEFT]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [each.member.node for each in self.members]


@asynccontextmanager
async def operating(at: str, timeout_s: float) -> AsyncIterator[Admin]:
    """An operator who can ask the node at host:port, and all others; raises `ConfigError` when that is no address."""
    parsed(at)
    admin = Admin(dial_at, f"operator-{os.getpid()}", round(timeout_s * 1000))
    try:
        yield admin
    finally:
        await admin.close()


async def surveyed(admin: Admin, at: str) -> Survey:
    """Ask a node for the ring, then everybody in it; of those that have left only who is still there counts."""
    survey = Survey(await admin.ring(at), {}, {})

    async def ask(each: MemberReport) -> None:
        name = each.member.node
        address = at if name == survey.ring.node else each.address
        try:
            survey.nodes[name] = await _of_itself(admin, name, address)
        except RequestError as error:
            if each.state != LEFT:
                survey.silent[name] = error.text if address else f"{survey.ring.node} does not know where it is"

    await asyncio.gather(*(ask(each) for each in survey.ring.members))
    for answers in (survey.nodes, survey.silent):
        _sort(answers)
    return survey


async def _of_itself(admin: Admin, name: str, address: str) -> NodeReport:
    """What a node says of itself; raises `RequestError` when it is not the one that answers."""
    report = await admin.node(address)
    if report.life.node != name:
        raise RefusedError("another", f"the node at {address} is {report.life.node}")
    return report


def _sort(answers: dict[str, Any]) -> None:
    """Bring the answers into the order of the nodes' names: they came in as they came."""
    for name in sorted(answers):
        answers[name] = answers.pop(name)


async def carried_out(admin: Admin, at: str, order: Order) -> tuple[Plan, Done]:
    """Stage an order, look at the plan, and commit it; when anything is refused, nothing of it stays staged.

    Raises `RefusedError`, also when something else is staged there: whose it is, and what it is for, nobody knows.
    """
    _alone((await admin.plan(at)).orders, 0)
    _alone(await admin.stage(at, *order), 1)
    plan = await admin.plan(at)
    _alone(plan.orders, 1)
    try:
        return plan, await admin.commit(at, plan.token)
    except RefusedError:
        await admin.unstage(at)
        raise


def _alone(orders: tuple[str, ...], count: int) -> None:
    if len(orders) > count:
        told = ", ".join(orders)
        raise RefusedError("staged", f"other orders are staged there: {told}; commit the plan, or clear it first")


def named(value: Any) -> Any:
    """A report as JSON has it: structs as objects, with the names of their fields."""
    if isinstance(value, msgspec.Struct):
        return {field: named(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: named(each) for key, each in value.items()}
    if isinstance(value, tuple):
        each_named = [named(each) for each in value]
        return dict(zip(value._fields, each_named, strict=True)) if hasattr(value, "_fields") else each_named
    return value
