"""Write a small history the way one would tell it: who put what, who read what, who holds what at the end.

Time moves on by 10 ms with every record. This file knows how to record; it does not know what may be concluded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkers.history import (
    Ack,
    Completed,
    Dumped,
    FaultChanged,
    Held,
    History,
    Invoked,
    NodeChanged,
    Outcome,
    PhaseBegan,
    Place,
    Record,
    RingTold,
    RunEnded,
    RunStarted,
    Sent,
    Settled,
    Version,
)

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN
STEP_NS = 10_000_000
NODES = ("n1", "n2", "n3")


class Story:
    """A history in the making. A value's dot is `dot-VALUE` unless said otherwise."""

    def __init__(
        self,
        nodes: tuple[str, ...] = NODES,
        faults: tuple[str, ...] = (),
        *,
        drawn: bool = False,
        spares: tuple[str, ...] = (),
    ) -> None:
        self.now = 0
        self.nodes = nodes
        self._operations = 0
        self.records: list[Record] = [
            RunStarted(
                scenario="a-story", system="keelhaul", world="sim", workload="siblings", seed=7, nodes=nodes,
                n=3, r=2, w=2, faults=faults, drawn=drawn, spares=spares,
            )
        ]  # fmt: skip

    def _tick(self) -> int:
        self.now += STEP_NS
        return self.now

    def branch(self) -> Story:
        """The same story so far, to be told with another end."""
        other = Story(self.nodes)
        other.records, other.now, other._operations = list(self.records), self.now, self._operations
        return other

    def wait(self, seconds: float) -> Story:
        """Let time pass."""
        self.now += int(seconds * 1e9)
        return self

    def phase(self, name: str) -> Story:
        """Enter a phase."""
        self.records.append(PhaseBegan(at=self._tick(), name=name))
        return self

    def put(
        self,
        value: str,
        *,
        key: str = "k",
        after: str | None = None,
        outcome: Outcome = OK,
        node: str = "n1",
        dot: str | None = None,
        answered: bool = True,
        acks: tuple[Ack, ...] = (Ack(node="n1"), Ack(node="n2")),
        ring: str | None = None,
    ) -> str:
        """Put a value, with the context of the operation `after`; answer the operation's id."""
        op = self._invoke("put", key, node, value=value, context_of=after)
        if answered:
            named = dot or f"dot-{value}"
            ok = outcome is OK
            self.records.append(
                Completed(
                    at=self._tick(), op=op, outcome=outcome, dot=named if ok else None, acks=acks if ok else (),
                    coordinator=node if ok else None, ring=ring if ok else None,
                )
            )  # fmt: skip
        return op

    def get(
        self, *values: str, key: str = "k", node: str = "n1", outcome: Outcome = OK, acks: tuple[Ack, ...] = ()
    ) -> str:
        """Get these values (each `VALUE` or `DOT=VALUE`); answer the operation's id."""
        op = self._invoke("get", key, node)
        self.records.append(Completed(at=self._tick(), op=op, outcome=outcome, versions=versions(*values), acks=acks))
        return op

    def _invoke(self, f: str, key: str, node: str, *, value: str | None = None, context_of: str | None = None) -> str:
        self._operations += 1
        op = f"c1.{self._operations}"
        self.records.append(
            Invoked(
                at=self._tick(), op=op, client="c1", node=node, f=f, key=key, value=value, context_of=context_of,
            )
        )  # fmt: skip
        return op

    def fault(self, id_: int, name: str, event: str, **more: Any) -> Story:
        """Record what happened to a fault."""
        self.records.append(FaultChanged(at=self._tick(), id=id_, name=name, event=event, **more))
        return self

    def node(self, node: str, event: str) -> Story:
        """Record what happened to a node."""
        self.records.append(NodeChanged(at=self._tick(), node=node, event=event))
        return self

    def dump(self, held: Mapping[str, Mapping[str, tuple[str, ...]]], round_name: str = "final") -> Story:
        """Dump a round: by node, then by key (`KEY`, or `KEY>NODE` for a hint), the values. Primaries are n1 n2 n3."""
        for node, keys in held.items():
            records = tuple(_held(name, values) for name, values in keys.items())
            self.records.append(Dumped(at=self._tick(), round=round_name, node=node, held=records))
        return self

    def everywhere(self, *values: str, key: str = "k", round_name: str = "final") -> Story:
        """Dump a round in which all nodes hold the same of one key."""
        return self.dump({node: {key: values} for node in self.nodes}, round_name)

    def settled(self, state: str = "quiet", round_name: str = "final", waited: float = 1.5) -> Story:
        """Record how the wait for quiet ended."""
        work = {"n1": {"hints": 2}} if state != "quiet" else {}
        waited_ns = int(waited * 1e9)
        settled = Settled(at=self._tick(), round=round_name, state=state, waited_ns=waited_ns, work=work)
        self.records.append(settled)
        return self

    def ring(
        self,
        states: Mapping[str, str] | None = None,
        *,
        by: tuple[str, ...] = (),
        seats: tuple[tuple[str, ...], ...] = (NODES,),
        places: Mapping[str, Place] | None = None,
        transfers: tuple[Sent, ...] = (),
        round_name: str = "final",
        **more: Any,
    ) -> Story:
        """Let nodes tell of the ring: all of them, or some, each the same; transfers are the first one's."""
        known = dict(states) if states is not None else dict.fromkeys(self.nodes, "valid")
        where = dict(places) if places is not None else {node: Place(machine=node) for node in known}
        for place, node in enumerate(by or tuple(known)):
            said = {"ring": "r1", "moves": 0, **more}
            self.records.append(
                RingTold(
                    at=self._tick(), round=round_name, node=node, n=3, states=known, places=where, seats=seats,
                    transfers=() if place else transfers, **said,
                )
            )  # fmt: skip
        return self

    def told(self) -> History:
        """The history as far as it was told, without an end."""
        return History(self.records)

    def ended(self, interrupted: str | None = None) -> History:
        """The history with its end."""
        return History([*self.records, RunEnded(at=self._tick(), interrupted=interrupted)])


def versions(*values: str) -> tuple[Version, ...]:
    """Name versions as `VALUE` or `DOT=VALUE`."""
    pairs = [value.split("=") if "=" in value else (f"dot-{value}", value) for value in values]
    return tuple(Version(dot=dot, value=value) for dot, value in pairs)


def _held(name: str, values: tuple[str, ...]) -> Held:
    key, _, target = name.partition(">")
    return Held(key=key, primaries=NODES, versions=versions(*values), hint_for=target or None)
