"""Draw how the versions of one key follow from each other, for people who must believe a finding.

The graph is networkx's, imported only when there is something to draw, and only as large as what is drawn. This file
knows values, and which covers which. It does not know which of them must be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from checkers.causality import Causality
from checkers.evidence import cut_to, listed, shown
from checkers.history import Operation, Outcome
from checkers.replicas import Snapshot

if TYPE_CHECKING:
    import networkx

_NEIGHBOURS_MAX = 3
_WORDS = {Outcome.OK: "acked", Outcome.FAILED: "failed", Outcome.UNKNOWN: "unknown"}


def version_graph(causality: Causality, key: str, values: Sequence[str]) -> networkx.DiGraph[str]:
    """Build the graph of these values: an edge leads from a value to each that it covers, directly or not.

    Costs one walk of the key's puts a value; edges that follow from others are left out where the graph has no cycle
    (it can only have one where a value was written twice).
    """
    import networkx  # noqa: PLC0415 - a tenth of a second that only a finding is worth

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(values)
    for value in values:
        covered = causality.covered_by(key, (value,))
        graph.add_edges_from((value, other) for other in values if other in covered and other != value)
    if networkx.is_directed_acyclic_graph(graph):
        return networkx.transitive_reduction(graph)
    return graph


def neighbourhood(causality: Causality, snapshot: Snapshot, key: str, value: str) -> tuple[str, ...]:
    """Choose what to draw around a value: a few that it covers, a few that cover it, and a few that are still held."""
    covered = [other for put in causality.puts_of(key, value) for other in causality.covered_at_once(put)]
    covering = [
        other
        for other, puts in causality.written(key).items()
        if any(value in causality.covered_at_once(put) for put in puts)
    ]
    held = list(snapshot.values(key))
    chosen = (*covered[-_NEIGHBOURS_MAX:], value, *covering[:_NEIGHBOURS_MAX], *held[:_NEIGHBOURS_MAX])
    return tuple(dict.fromkeys(chosen))


def drawing(
    causality: Causality, snapshot: Snapshot, key: str, values: Sequence[str], lost: Sequence[str] = ()
) -> tuple[str, ...]:
    """Draw these values, what is covered before what covers it, each with its put and where it is now."""
    import networkx  # noqa: PLC0415 - as above

    graph = version_graph(causality, key, values)
    age = {value: (_written_at(causality, key, value), value) for value in values}
    if networkx.is_directed_acyclic_graph(graph):
        order = list(networkx.lexicographical_topological_sort(graph.reverse(copy=False), key=age.__getitem__))
    else:
        order = sorted(values, key=age.__getitem__)
    placed = snapshot.values(key)
    width = max((len(shown(value)) for value in order), default=0)
    lines = []
    for value in order:
        covers = listed((shown(other) for other in order if graph.has_edge(value, other)), at_most=3)
        mark = "LOST" if value in lost else _whereabouts(placed.get(value, []))
        label = f"{shown(value):<{width}}  {_authors(causality.puts_of(key, value))}"
        lines.append(f"  {label}, {f'covers {covers}, ' if covers else ''}{mark}")
    return cut_to(9, [f"versions of {shown(key)}, the oldest first:", *lines])


def _written_at(causality: Causality, key: str, value: str) -> int:
    return min((put.invoked.at for put in causality.puts_of(key, value)), default=-1)


def _authors(puts: Sequence[Operation]) -> str:
    return listed((f"{put.id} {_WORDS[put.outcome]}" for put in puts), at_most=2) or "written by nobody"


def _whereabouts(nodes: Sequence[str]) -> str:
    return f"on {' '.join(dict.fromkeys(nodes))}" if nodes else "nowhere now"
