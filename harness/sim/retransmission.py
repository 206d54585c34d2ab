"""When TCP sends again what nobody has acknowledged: a cut lasts longer for a connection than it does for the nemesis.

This file knows the back-off (RFC 6298, with Linux's bounds). It does not know what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator

RETRANSMIT_NS = 200_000_000
RETRANSMIT_NS_MAX = 120_000_000_000
"""TCP's first time-out for an unacknowledged segment on Linux, doubled after each attempt, and its bound."""


def next_attempt_ns(since_ns: int, now_ns: int) -> int:
    """When TCP next sends what it has tried to send since then: attempts 0.2 s, 0.6 s, 1.4 s, 3 s … later."""
    return next(attempt for attempt in _attempts(since_ns) if attempt >= now_ns)


def _attempts(since_ns: int) -> Iterator[int]:
    wait_ns = RETRANSMIT_NS
    while True:
        since_ns += wait_ns
        yield since_ns
        wait_ns = min(2 * wait_ns, RETRANSMIT_NS_MAX)
