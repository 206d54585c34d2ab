"""The commands of an operator: look at a living cluster, and change who belongs to it.

Exit codes: 0 done, 1 refused by the node, 64 for what cannot be asked for, 69 when nobody answers. This file knows
options and exit codes. Heavy modules are imported by the commands that need them, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

import click

from harness.spec import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.admin_asking import Order, Survey
    from node.client.admin import Admin

T = TypeVar("T")

AT = "127.0.0.1:7101"
EXIT_REFUSED = 1
EXIT_UNAVAILABLE = os.EX_UNAVAILABLE


class Asked(NamedTuple):
    """Whom to ask, how long to wait for an answer, and whether it is to be JSON."""

    at: str
    timeout_s: float
    as_json: bool


@click.group("admin")
def admin_command() -> None:
    """Look at a living cluster, and change who belongs to it: stage orders at any node, look at the plan, commit it."""


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all of them have, as one argument `asked`."""

    @wraps(command)
    def with_asked(at: str, timeout_s: float, as_json: bool, **others: Any) -> None:
        command(Asked(at, timeout_s, as_json), **others)

    timeout = click.FloatRange(0.001, 3600)
    options = (
        click.option("--at", default=AT, envvar="KEELHAUL_AT", show_default=True, show_envvar=True, help="HOST:PORT."),
        click.option("--timeout", "timeout_s", type=timeout, default=5.0, show_default=True, help="Seconds."),
        click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON."),
    )
    decorated: Callable[..., None] = with_asked
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def _place(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where a new node stands."""
    for name, about in (("--dc", "Its data centre."), ("--rack", "Its rack."), ("--host", "Its physical host.")):
        command = click.option(name, default="", help=about)(command)
    capacity = click.option(
        "--capacity", type=click.IntRange(1, 1024), default=1, help="Twice as much: twice the load."
    )
    return capacity(command)


def _committing(command: Callable[..., None]) -> Callable[..., None]:
    about = "Stage it, show the plan and commit it in one go, where nothing else is staged."
    return click.option("--commit", is_flag=True, help=about)(command)


# --- looking ---------------------------------------------------------------------------------------------------------


@admin_command.command("status")
@_asking
def status_command(asked: Asked) -> None:
    """Every member: state, share, seats, hints, and whether all of them know the same ring."""
    from harness import admin_tables

    width = _console().width
    _survey(asked, lambda survey: admin_tables.status(survey, width))


@admin_command.command("ring")
@_asking
def ring_command(asked: Asked) -> None:
    """The ring as one node knows it: members, moves that are due, and the changes that made it."""
    from harness import admin_tables

    report = _ask(asked, lambda admin: admin.ring(asked.at))
    _tell(asked, report, admin_tables.ring(report))


@admin_command.command("transfers")
@_asking
def transfers_command(asked: Asked) -> None:
    """Seats that pass from one node to another, as the givers tell it."""
    from harness import admin_tables

    _survey(asked, admin_tables.transfers)


@admin_command.command("hints")
@_asking
def hints_command(asked: Asked) -> None:
    """Hints by who holds them, and for whom."""
    from harness import admin_tables

    _survey(asked, admin_tables.hints)


@admin_command.command("anti-entropy")
@_asking
def anti_entropy_command(asked: Asked) -> None:
    """What anti-entropy found and repaired, and what background work is granted."""
    from harness import admin_tables

    _survey(asked, admin_tables.anti_entropy)


@admin_command.command("locate")
@click.argument("key")
@_asking
def locate_command(asked: Asked, key: str) -> None:
    """Where KEY lies on the ring, and who is responsible for it."""
    from harness import admin_tables
    from node.core.ring import position

    encoded = key.encode(errors="surrogateescape")

    async def both(admin: Admin) -> Any:
        return await admin.locate(asked.at, encoded), await admin.ring(asked.at)

    report, ring = _ask(asked, both)
    _tell(asked, report, admin_tables.located(key, position(encoded), report, ring.seats))


# --- ordering --------------------------------------------------------------------------------------------------------


@admin_command.command("join")
@click.argument("node")
@click.argument("address")
@_place
@_committing
@_asking
def join_command(asked: Asked, node: str, address: str, commit: bool, **place: Any) -> None:
    """Let NODE, which is dialled at ADDRESS, become a member."""
    from harness.admin_asking import Order

    _order(asked, Order("join", node, *_comer(node, address, place)), commit=commit)


@admin_command.command("leave")
@click.argument("node")
@_committing
@_asking
def leave_command(asked: Asked, node: str, commit: bool) -> None:
    """Let NODE, which is there, hand over all of its keys and be a member no more."""
    from harness.admin_asking import Order

    _order(asked, Order("leave", node), commit=commit)


@admin_command.command("replace")
@click.argument("old")
@click.argument("new")
@click.argument("address")
@_place
@_committing
@_asking
def replace_command(asked: Asked, old: str, new: str, address: str, commit: bool, **place: Any) -> None:
    """Let NEW, which is dialled at ADDRESS, take the place of OLD, which is dead."""
    from harness.admin_asking import Order

    _order(asked, Order("replace", old, *_comer(new, address, place)), commit=commit)


@admin_command.command("down")
@click.argument("node")
@_committing
@_asking
def down_command(asked: Asked, node: str, commit: bool) -> None:
    """Mark NODE as dead, so that nobody waits for the keys that it is to hand over; it stays a member."""
    from harness.admin_asking import Order

    _order(asked, Order("down", node), commit=commit)


@admin_command.command("plan")
@_asking
def plan_command(asked: Asked) -> None:
    """What the staged orders would do, and the token to commit exactly that."""
    from harness import admin_tables

    report = _ask(asked, lambda admin: admin.plan(asked.at))
    _tell(asked, report, admin_tables.plan(report))
    if report.orders and not asked.as_json:
        click.echo(f"commit it with  keelhaul admin commit --plan {report.token} --at {asked.at}")


@admin_command.command("commit")
@click.option("--plan", "token", help="The token of the plan that is meant.")
@_asking
def commit_command(asked: Asked, token: str | None) -> None:
    """Make the staged orders changes of the ring, if they still do what that plan said."""
    from harness import admin_tables

    if token is None:
        raise UsageError(
            "--plan is missing; `keelhaul admin plan` shows what would be done, and the token to commit it"
        )
    report = _ask(asked, lambda admin: admin.commit(asked.at, token))
    _tell(asked, report, admin_tables.done(report))


@admin_command.command("clear")
@_asking
def clear_command(asked: Asked) -> None:
    """Forget everything that is staged there."""
    _ask(asked, lambda admin: admin.unstage(asked.at))
    _tell(asked, {"orders": []}, ["nothing is staged"])


def _comer(node: str, address: str, place: dict[str, Any]) -> tuple[Any, str]:
    """Who comes, and where it is dialled."""
    from node.core.changes import Member
    from node.core.config import ConfigError
    from node.runtime.addresses import parsed

    try:
        parsed(address)
    except ConfigError as error:
        raise UsageError(str(error)) from error
    return Member(node, **place), address


def _order(asked: Asked, order: Order, *, commit: bool) -> None:
    """Stage an order, or carry it out in one go."""
    from harness import admin_tables
    from harness.admin_asking import carried_out

    if commit:
        plan, done = _ask(asked, lambda admin: carried_out(admin, asked.at, order))
        _tell(asked, {"plan": plan, "done": done}, [*admin_tables.plan(plan), *admin_tables.done(done)])
        return
    orders = _ask(asked, lambda admin: admin.stage(asked.at, *order))
    look = f"look at it with  keelhaul admin plan --at {asked.at}"
    _tell(asked, {"orders": orders}, [f"staged: {', '.join(orders)}", look])


# --- asking and telling ----------------------------------------------------------------------------------------------


def _survey(asked: Asked, drawn: Callable[[Survey], Iterable[RenderableType]]) -> None:
    from harness.admin_asking import surveyed

    survey = _ask(asked, lambda admin: surveyed(admin, asked.at))
    _tell(asked, survey, drawn(survey))


def _ask(asked: Asked, question: Callable[[Admin], Awaitable[T]]) -> T:
    """Ask; whatever goes wrong is one line and an exit code."""
    import asyncio

    from harness.admin_asking import operating
    from node.client.admin import RefusedError
    from node.client.client import OutcomeUnknownError, RequestFailedError
    from node.core.config import ConfigError

    async def answered() -> T:
        async with operating(asked.at, asked.timeout_s) as admin:
            return await question(admin)

    try:
        return asyncio.run(answered())
    except ConfigError as error:
        raise UsageError(f"--at: {error}") from error
    except RefusedError as error:
        _fail(error.text, EXIT_REFUSED)
    except RequestFailedError as error:
        _fail(error.text, EXIT_UNAVAILABLE)
    except OutcomeUnknownError as error:
        _fail(f"{error.text}; it may have been done: look at `keelhaul admin ring`", EXIT_UNAVAILABLE)


def _tell(asked: Asked, report: Any, drawn: Iterable[RenderableType]) -> None:
    if asked.as_json:
        import msgspec

        from harness.admin_asking import named

        click.echo(msgspec.json.format(msgspec.json.encode(named(report))).decode())
        return
    console = _console()
    for part in drawn:
        console.print(part, soft_wrap=isinstance(part, str))


def _console() -> Any:
    from reports.terminal import console_for

    return console_for(sys.stdout)


def _fail(text: str, code: int) -> NoReturn:
    click.echo(f"keelhaul: {text}", err=True)
    sys.exit(code)
