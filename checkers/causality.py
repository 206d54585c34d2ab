"""Who covers whom: what each put had seen of its key, as far as a client can know.

A put *covers* a value when it carried the context of a read that returned the value, or of the reply to the put that
wrote it, and whatever those had covered before (Almeida et al., Dotted Version Vectors; Dynamo, 4.4). It is built from
what clients sent and were told, never from the server's clocks: a clock that claims too much is the very bug looked
for. This file does not know replicas, nor what must be kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from checkers.history import History, Operation, Outcome

GET = "get"
PUT = "put"


class Causality:
    """The puts of a history by what they wrote, and what each of them covers.

    Building it takes one pass over the operations. Nothing is closed transitively ahead of time: each question walks
    the part of the key's puts that it concerns, each edge once.
    """

    def __init__(self, history: History) -> None:
        self._operations = history.operation
        self._puts: dict[str, dict[str, list[Operation]]] = {}
        for operation in history.operations:
            if operation.invoked.f == PUT and operation.invoked.value is not None:
                of_key = self._puts.setdefault(operation.invoked.key, {})
                of_key.setdefault(operation.invoked.value, []).append(operation)

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that some client asked to write, in the order of first invocation."""
        return tuple(self._puts)

    def written(self, key: str) -> dict[str, list[Operation]]:
        """The values that clients asked to write to the key, each with its puts, in the order of invocation."""
        return self._puts.get(key, {})

    def puts_of(self, key: str, value: str) -> list[Operation]:
        """The puts that wrote this value; more than one where clients do not write unique values."""
        return self._puts.get(key, {}).get(value, [])

    def context(self, put: Operation) -> Operation | None:
        """The operation whose context a put carried; a context of another key says nothing about this one."""
        named = self._operations.get(put.invoked.context_of or "")
        return named if named is not None and named.invoked.key == put.invoked.key else None

    def covered_at_once(self, put: Operation) -> tuple[str, ...]:
        """Name the values that the put's own context named, without what those cover."""
        context = self.context(put)
        return _named_by(context) if context is not None else ()

    def covered_by(self, key: str, values: Iterable[str]) -> set[str]:
        """Collect every value that the puts of these values cover, transitively.

        Linear in the key's puts and the versions of the reads they used: every operation's context is opened once.
        A value written twice covers what either of its puts covers, which errs toward raising no alarm.
        """
        covered: set[str] = set()
        opened: set[str] = set()
        pending = [put for value in values for put in self.puts_of(key, value)]
        while pending:
            context = self.context(pending.pop())
            if context is None or context.id in opened:
                continue
            opened.add(context.id)
            fresh = [value for value in _named_by(context) if value not in covered]
            covered.update(fresh)
            pending.extend(put for value in fresh for put in self.puts_of(key, value))
        return covered


def _named_by(context: Operation) -> tuple[str, ...]:
    """Name what a context covers by itself: what the get returned, or what the put wrote."""
    if context.invoked.f == PUT:
        return (context.invoked.value,) if context.invoked.value is not None else ()
    return tuple(version.value for version in context.versions)


def is_acknowledged(operation: Operation) -> bool:
    """Whether the client was told that it took effect."""
    return operation.outcome is Outcome.OK


def is_refused(operation: Operation) -> bool:
    """Whether the client was told that it certainly never took effect."""
    return operation.outcome is Outcome.FAILED


def not_causal(history: History) -> str | None:
    """Say why causality cannot be told from this history, or nothing when it can: one pass over the operations."""
    operations = history.operations
    strange = next((op for op in operations if op.invoked.f not in (GET, PUT)), None)
    if strange:
        return f"{strange.id} is a {strange.invoked.f}, and only gets and puts are understood here"
    dangling = next((op for op in operations if (op.invoked.context_of or op.id) not in history.operation), None)
    if dangling:
        return f"{dangling.id} carried the context of {dangling.invoked.context_of}, which the history does not have"
    return None
