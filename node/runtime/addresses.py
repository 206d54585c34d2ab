"""Addresses as people write them: host:port, with an IPv6 host in brackets.

This file knows how an address is written. It does not know whether anybody answers there.
"""

from __future__ import annotations

from node.core.config import ConfigError

Address = tuple[str, int]

PORT_MAX = 65535
ANYWHERE = ("", "0.0.0.0", "::")
"""Hosts that can be listened on, and that nobody can dial."""


def parsed(text: str) -> Address:
    """Read an address that can be dialled; raises `ConfigError` in one line."""
    host, port = listened(text)
    if host in ANYWHERE or port == 0:
        raise ConfigError(f"{text!r} cannot be dialled: give host:port, such as 127.0.0.1:7101")
    return host, port


def listened(text: str) -> Address:
    """Read an address to listen on: its port may be 0, its host one that means all; raises `ConfigError`."""
    host, separator, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if bracketed else host
    good = name and name.isprintable() and not set(name) & set(" []/,=") and (":" in name) == bracketed
    if not (separator and good and port.isascii() and port.isdigit() and int(port[:6]) <= PORT_MAX):
        raise ConfigError(f"{text!r} is no address: give host:port, such as 127.0.0.1:7101 or [::1]:7101")
    return name, int(port)


def shown(address: Address) -> str:
    """Write an address as `parsed` reads it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
