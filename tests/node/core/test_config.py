"""A configuration that cannot work is refused in one line that says what would have been right."""

from __future__ import annotations

from typing import Any

import pytest

from node.core.config import ClusterConfig, ConfigError

GOOD: dict[str, Any] = {"members": ("a", "b", "c"), "secret": "s"}


def test_the_defaults_are_the_papers() -> None:
    """(N, R, W) = (3, 2, 2), “the common configuration used by several instances of Dynamo” (Dynamo, 6)."""
    config = ClusterConfig(**GOOD).checked()
    assert (config.n, config.r, config.w) == (3, 2, 2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"members": ()}, "at least one node, each of them once"),
        ({"members": ("a", "a", "b")}, "each of them once"),
        ({"members": ("a", "b\0", "c")}, "has no NUL"),
        ({"members": ("a", "", "c")}, "is not empty"),
        ({"n": 4}, "n is 4; with 3 members it can be 1 to 3"),
        ({"n": 0}, "n is 0"),
        ({"r": 0}, "r is 0; with n = 3 it can be 1 to 3"),
        ({"w": 4}, "w is 4; with n = 3 it can be 1 to 3"),
        ({"partitions": 2}, "partitions is 2; with 3 members it can be 3 to 4096"),
        ({"partitions": 65537}, "partitions is 65537; with 3 members it can be 3 to 4096"),
        ({"hint_retry_ms": 0}, "hint_retry_ms is 0; it can be 1 to 3600000"),
        ({"request_timeout_ms": 3_600_001}, "request_timeout_ms is 3600001; it can be 1 to 3600000"),
        ({"peer_timeout_ms": 10**30}, "peer_timeout_ms is 1000000000000000000000000000000; it can be 1 to 3600000"),
        ({"object_bytes_max": 0}, "object_bytes_max is 0; it can be 1 to 4194304"),
        ({"object_bytes_max": 4_194_305}, "object_bytes_max is 4194305; it can be 1 to 4194304"),
        ({"secret": ""}, "secret is empty"),
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any], says: str) -> None:
    """It names the setting, its value, and the bound, in one line."""
    with pytest.raises(ConfigError, match=says) as error:
        ClusterConfig(**GOOD | wrong).checked()
    assert "\n" not in str(error.value)
