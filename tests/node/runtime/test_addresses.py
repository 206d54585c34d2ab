"""Addresses: what is written is read back, and what is no address is refused in one line."""

from __future__ import annotations

import pytest

from node.core.config import ConfigError
from node.runtime.addresses import listened, parsed, shown


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7101", ("127.0.0.1", 7101)),
        ("n1.example:65535", ("n1.example", 65535)),
        ("[::1]:7101", ("::1", 7101)),
    ],
)
def test_an_address_comes_back_as_it_was(text: str, address: tuple[str, int]) -> None:
    """Names, IPv4 and IPv6."""
    assert parsed(text) == address
    assert shown(address) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "7101", "host", "host:", ":7101", "host:port", "host:-1", "host:65536", "host:7101 ", "::1:7101"),
        *("[h]:1", "[]:7101", "h:٣", "a,b:1", "http://h:1", "h\n:1", "h:" + "1" * 5000),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """In one line, with an example."""
    with pytest.raises(ConfigError) as refused:
        listened(text)
    assert str(refused.value) == f"{text!r} is no address: give host:port, such as 127.0.0.1:7101 or [::1]:7101"


@pytest.mark.parametrize("text", ["127.0.0.1:0", "0.0.0.0:7101", "[::]:7101"])
def test_what_can_be_listened_on_need_not_be_diallable(text: str) -> None:
    """Any port, all interfaces."""
    assert shown(listened(text)) == text
    with pytest.raises(ConfigError) as refused:
        parsed(text)
    assert str(refused.value) == f"{text!r} cannot be dialled: give host:port, such as 127.0.0.1:7101"
