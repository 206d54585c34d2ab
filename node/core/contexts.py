"""Seal the context that a client carries from a read to a write, and open it again.

To a client a context is opaque bytes (Dynamo, 4.1). Sealed to its key with the cluster's secret, it cannot be forged,
cut, or used for another key: a context that claims too much erases siblings, which is the worst that can happen here.
A context that does not open is refused; it is never taken for "no context", nor for "everything".
"""

from __future__ import annotations

import hmac

import msgspec

from node.core.clocks import Clock

_FORMAT = b"\x01"
_SEAL_BYTES = 16

_decoder = msgspec.msgpack.Decoder(Clock)


class BadContextError(Exception):
    """A context that this cluster did not issue for this key."""


def seal(secret: bytes, key: bytes, clock: Clock) -> bytes:
    """Make a context of a clock; the empty clock is the empty context."""
    if not clock.entries:
        return b""
    body = _FORMAT + msgspec.msgpack.encode(clock)
    return _mac(secret, key, body) + body


def unseal(secret: bytes, key: bytes, context: bytes) -> Clock:
    """Open a context, or raise `BadContextError` saying what is wrong with it."""
    if not context:
        return Clock()
    mac, body = context[:_SEAL_BYTES], context[_SEAL_BYTES:]
    if not hmac.compare_digest(mac, _mac(secret, key, body)):
        raise BadContextError("the context is damaged, or was issued for another key or by another cluster")
    if body[:1] != _FORMAT:
        raise BadContextError(f"the context has format {body[0]}; this node reads format {_FORMAT[0]}")
    try:
        return _decoder.decode(body[1:])
    except msgspec.DecodeError as error:
        raise BadContextError(f"the context does not decode: {error}") from error


def _mac(secret: bytes, key: bytes, body: bytes) -> bytes:
    # In one call: an object of `hmac.new` costs five times as much.
    return hmac.digest(secret, len(key).to_bytes(4, "big") + key + body, "sha256")[:_SEAL_BYTES]
