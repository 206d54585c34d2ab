"""The options that an operator's commands share: whom to ask, where a new node stands, and to do it in one go.

This file knows options. It does not know what is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import click

AT = "127.0.0.1:7101"


class Asked(NamedTuple):
    """Whom to ask, how long to wait for an answer, and whether it is to be JSON."""

    at: str
    timeout_s: float
    as_json: bool


def asking(command: Callable[..., None]) -> Callable[..., None]:
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


def place(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where a new node stands."""
    for name, about in (("--dc", "Its data centre."), ("--rack", "Its rack."), ("--host", "Its physical host.")):
        command = click.option(name, default="", help=about)(command)
    capacity = click.option(
        "--capacity", type=click.IntRange(1, 1024), default=1, help="Twice as much: twice the load."
    )
    return capacity(command)


def committing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option that makes an order of one go."""
    about = "Stage it, show the plan and commit it in one go, where nothing else is staged."
    return click.option("--commit", is_flag=True, help=about)(command)
