"""The commands of an operator: look at a living cluster, change who belongs to it, bring its data out and in again.

Exit codes: 0 done, 1 refused by the node, 64 for what cannot be asked for, 69 when nobody answers, 74 for a file that
cannot be read or written. This file knows options and exit codes. Heavy modules are imported by the commands that need
them, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from harness.admin_options import Asked, asking, committing, place
from harness.spec import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.admin_asking import Order, Survey
    from node.client.admin import Admin

T = TypeVar("T")

EXIT_REFUSED = 1
EXIT_UNAVAILABLE = os.EX_UNAVAILABLE
EXIT_FILE = os.EX_IOERR


@click.group("admin")
def admin_command() -> None:
    """Look at a living cluster, and change who belongs to it: stage orders at any node, look at the plan, commit it."""


# --- looking ---------------------------------------------------------------------------------------------------------


@admin_command.command("status")
@asking
def status_command(asked: Asked) -> None:
    """Every member: state, share, seats, hints, and whether all of them know the same ring."""
    from harness import admin_tables

    width = _console().width
    _survey(asked, lambda survey: admin_tables.status(survey, width))


@admin_command.command("ring")
@asking
def ring_command(asked: Asked) -> None:
    """The ring as one node knows it: members, moves that are due, and the changes that made it."""
    from harness import admin_tables

    report = _ask(asked, lambda admin: admin.ring(asked.at))
    _tell(asked, report, admin_tables.ring(report))


@admin_command.command("transfers")
@asking
def transfers_command(asked: Asked) -> None:
    """Seats that pass from one node to another, as the givers tell it."""
    from harness import admin_tables

    _survey(asked, admin_tables.transfers)


@admin_command.command("hints")
@asking
def hints_command(asked: Asked) -> None:
    """Hints by who holds them, and for whom."""
    from harness import admin_tables

    _survey(asked, admin_tables.hints)


@admin_command.command("anti-entropy")
@asking
def anti_entropy_command(asked: Asked) -> None:
    """What anti-entropy found and repaired, and what background work is granted."""
    from harness import admin_tables

    _survey(asked, admin_tables.anti_entropy)


@admin_command.command("locate")
@click.argument("key")
@asking
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
@place
@committing
@asking
def join_command(asked: Asked, node: str, address: str, commit: bool, **stands: Any) -> None:
    """Let NODE, which is dialled at ADDRESS, become a member."""
    from harness.admin_asking import Order

    _order(asked, Order("join", node, *_comer(node, address, stands)), commit=commit)


@admin_command.command("leave")
@click.argument("node")
@committing
@asking
def leave_command(asked: Asked, node: str, commit: bool) -> None:
    """Let NODE, which is there, hand over all of its keys and be a member no more."""
    from harness.admin_asking import Order

    _order(asked, Order("leave", node), commit=commit)


@admin_command.command("replace")
@click.argument("old")
@click.argument("new")
@click.argument("address")
@place
@committing
@asking
def replace_command(asked: Asked, old: str, new: str, address: str, commit: bool, **stands: Any) -> None:
    """Let NEW, which is dialled at ADDRESS, take the place of OLD, which is dead."""
    from harness.admin_asking import Order

    _order(asked, Order("replace", old, *_comer(new, address, stands)), commit=commit)


@admin_command.command("down")
@click.argument("node")
@committing
@asking
def down_command(asked: Asked, node: str, commit: bool) -> None:
    """Mark NODE as dead, so that nobody waits for the keys that it is to hand over; it stays a member."""
    from harness.admin_asking import Order

    _order(asked, Order("down", node), commit=commit)


@admin_command.command("plan")
@asking
def plan_command(asked: Asked) -> None:
    """What the staged orders would do, and the token to commit exactly that."""
    from harness import admin_tables

    report = _ask(asked, lambda admin: admin.plan(asked.at))
    _tell(asked, report, admin_tables.plan(report))
    if report.orders and not asked.as_json:
        click.echo(f"commit it with  keelhaul admin commit --plan {report.token} --at {asked.at}")


@admin_command.command("commit")
@click.option("--plan", "token", help="The token of the plan that is meant.")
@asking
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
@asking
def clear_command(asked: Asked) -> None:
    """Forget everything that is staged there."""
    _ask(asked, lambda admin: admin.unstage(asked.at))
    _tell(asked, {"orders": []}, ["nothing is staged"])


# --- archives --------------------------------------------------------------------------------------------------------


@admin_command.command("archive")
@click.argument("partition", type=int, required=False)
@click.option("--of", "key", help="The partition of this key.")
@click.option("--all", "everything", is_flag=True, help="All partitions, into a directory.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file, or the directory with --all.")
@asking
def archive_command(asked: Asked, partition: int | None, key: str | None, everything: bool, out: Path) -> None:
    """Bring PARTITION into a file, as one of its nodes keeps it; it is named by its end, as `ring --json` has it."""
    from harness import admin_archiving, admin_tables

    if [partition is not None, key is not None, everything].count(True) != 1:
        raise UsageError("archive: give one of PARTITION, --of KEY and --all")

    async def archived(admin: Admin) -> list[admin_archiving.Saved]:
        if everything:
            return await admin_archiving.archive_all(admin, asked.at, out)
        where = await admin_archiving.source(admin, asked.at)
        if partition is not None:
            seats = admin_archiving.partition(where.ring, partition)
        else:
            seats = (await admin.locate(asked.at, (key or "").encode(errors="surrogateescape"))).seats
        return [await admin_archiving.archive(admin, where, seats, out)]

    saved = _ask(asked, archived)
    _tell(asked, tuple(saved), admin_tables.archived(saved))


@admin_command.command("restore")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@asking
def restore_command(asked: Asked, files: tuple[Path, ...]) -> None:
    """Bring the keys of archives back to all who keep them now, unless any FILE is damaged; what is newer stays."""
    from harness import admin_archiving, admin_tables
    from harness.admin_archives import ArchiveError, checked

    try:
        archives = [checked(file) for file in files]
    except ArchiveError as error:
        _fail(str(error), EXIT_FILE)
    brought = _ask(asked, lambda admin: admin_archiving.restore(admin, asked.at, archives))
    _tell(asked, brought, admin_tables.restored(brought))


# --- orders ----------------------------------------------------------------------------------------------------------


def _comer(node: str, address: str, stands: dict[str, Any]) -> tuple[Any, str]:
    """Who comes, and where it is dialled."""
    from node.core.changes import Member
    from node.core.config import ConfigError
    from node.runtime.addresses import parsed

    try:
        parsed(address)
    except ConfigError as error:
        raise UsageError(str(error)) from error
    return Member(node, **stands), address


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

    from harness.admin_archives import ArchiveError
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
    except ArchiveError as error:
        _fail(str(error), EXIT_FILE)
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
