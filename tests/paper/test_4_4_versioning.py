"""Section 4.4, data versioning: the paper's Figure 3 and what it says around it."""

from __future__ import annotations

from node.core.clocks import Actor, Clock, Dot
from node.core.versions import NOTHING, Versions, merge, write

SX, SY, SZ = (Actor(name, "1", 1) for name in ("Sx", "Sy", "Sz"))


def _values(versions: Versions) -> list[bytes]:
    return sorted(sibling.value for sibling in versions.siblings)


def _figure_3() -> tuple[Versions, Versions, Versions, Versions]:
    """The versions D1 to D4 as their coordinators hold them.

    “A client writes a new object. The node (say Sx) that handles the write for this key increases its sequence number
    and uses it to create the data's vector clock. The system now has the object D1 and its associated clock [(Sx, 1)].
    The client updates the object. Assume the same node handles this request as well. The system now also has object D2
    and its associated clock [(Sx, 2)]. [...] the same client updates the object again and a different server (say Sy)
    handles the request [...] D3 and its associated clock [(Sx, 2), (Sy, 1)]. Next assume a different client reads D2
    and then tries to update it, and another node (say Sz) does the write [...] D4 [...] [(Sx, 2), (Sz, 1)].”
    """
    d1 = write(NOTHING, Clock(), Dot(SX, 1), b"D1")
    d2 = write(d1, d1.clock, Dot(SX, 2), b"D2")
    d3 = write(d2, d2.clock, Dot(SY, 1), b"D3")
    d4 = write(d2, d2.clock, Dot(SZ, 1), b"D4")
    return d1, d2, d3, d4


def test_d35_figure_3_the_clocks() -> None:
    """Each version's clock is the one in the figure: our clocks are the paper's where there are no gaps."""
    clocks = [{(seen.actor.node, seen.upto) for seen in d.clock.entries} for d in _figure_3()]
    assert clocks == [{("Sx", 1)}, {("Sx", 2)}, {("Sx", 2), ("Sy", 1)}, {("Sx", 2), ("Sz", 1)}]
    assert not any(seen.beyond for d in _figure_3() for seen in d.clock.entries)


def test_d35_figure_3_ancestors_are_forgotten() -> None:
    """“D2 descends from D1 and therefore over-writes D1”; “a node that is aware of D1 or D2 could determine, upon
    receiving D4 and its clock, that D1 and D2 are overwritten by the new data and can be garbage collected.”
    """
    d1, d2, _, d4 = _figure_3()
    assert _values(merge(d1, d2)) == [b"D2"]
    assert _values(merge(d1, d4)) == _values(merge(d2, d4)) == [b"D4"]


def test_d35_figure_3_concurrent_versions_are_kept() -> None:
    """“A node that is aware of D3 and receives D4 will find that there is no causal relation between them. [...] Both
    versions of the data must be kept and presented to a client (upon a read) for semantic reconciliation.”
    """
    _, _, d3, d4 = _figure_3()
    assert not d3.clock.descends_from(d4.clock)
    assert not d4.clock.descends_from(d3.clock)
    assert _values(merge(d3, d4)) == [b"D3", b"D4"]


def test_d35_figure_3_the_reconciled_version_dominates_all() -> None:
    """“Some client reads both D3 and D4 (the context will reflect that both values were found by the read). The read's
    context is a summary of the clocks of D3 and D4, namely [(Sx, 2), (Sy, 1), (Sz, 1)]. If the client performs the
    reconciliation and node Sx coordinates the write, Sx will update its sequence number in the clock. The new data D5
    will have the following clock: [(Sx, 3), (Sy, 1), (Sz, 1)].”
    """
    everything = _figure_3()
    _, _, d3, d4 = everything
    read = merge(d3, d4)
    assert {(seen.actor.node, seen.upto) for seen in read.clock.entries} == {("Sx", 2), ("Sy", 1), ("Sz", 1)}

    d5 = write(read, read.clock, Dot(SX, 3), b"D5")

    assert {(seen.actor.node, seen.upto) for seen in d5.clock.entries} == {("Sx", 3), ("Sy", 1), ("Sz", 1)}
    for older in everything:
        assert _values(merge(older, d5)) == [b"D5"]
        assert d5.clock.descends_from(older.clock)
        assert not older.clock.descends_from(d5.clock)


def test_d31_versions_coexist_until_somebody_has_seen_them() -> None:
    """“Dynamo treats the result of each modification as a new and immutable version of the data. It allows for multiple
    versions of an object to be present in the system at the same time.”
    """
    versions = NOTHING
    for number, actor in enumerate((SX, SY, SZ)):
        versions = write(versions, Clock(), Dot(actor, 1), b"%d" % number)
    assert _values(versions) == [b"0", b"1", b"2"]


def test_d33_an_added_item_is_never_lost_and_a_deleted_one_may_resurface() -> None:
    """“An “add to cart” operation is never lost. However, deleted items can resurface.” Carts merge by union."""
    cart = write(NOTHING, Clock(), Dot(SX, 1), b"book")
    added = write(cart, cart.clock, Dot(SY, 1), b"book,lamp")
    removed = write(cart, cart.clock, Dot(SZ, 1), b"")

    siblings = merge(added, removed).siblings
    merged = {item for sibling in siblings for item in sibling.value.split(b",") if item}

    assert merged == {b"book", b"lamp"}
