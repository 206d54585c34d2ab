"""What one node keeps: its own replicas, and hints for nodes that could not be reached.

A hint lies in a space of its own, under the node it is meant for (Dynamo, 4.6). Every change goes through `merge` or
`write`. This file knows records and where they lie; it does not know who sends them, nor when they become durable.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from node.core.changes import History
from node.core.clocks import Actor, Clock, Dot
from node.core.store import Space, Store
from node.core.versions import NOTHING, Versions, merge, write

FORMAT = 1
"""The version of stored records; a record of another version is refused at the first read."""

RECORDS_REMEMBERED, REMEMBERED_BYTES_MAX = 512, 8192
"""How many records are kept decoded, beside the bytes that they were decoded from, and how large one may be."""

_OWNER = b"owner"
_LIFE = b"life"
_EPOCH = b"epoch"
_HISTORY = b"history"
_PAGE = 256


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A key's versions on this node, and the epoch drawn when the record was created."""

    format: int
    epoch: int
    versions: Versions


class Replica:
    """The records of one node in a store.

    Every start draws a new incarnation. What was minted and not committed may have been seen, the disk may be empty, or
    an older copy of it, or a copy that somebody else runs on as well: no dot may be minted again in any of these.

    `changed` is told of every change of a key's own record, and that it is gone when the versions are None.
    """

    def __init__(
        self,
        node: str,
        store: Store,
        rng: Random,
        staged: Callable[[], None],
        changed: Callable[[bytes, Versions | None], None],
    ) -> None:
        self._node = node
        self._store = store
        self._staged = staged
        self._changed = changed
        self._rng = rng
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Record).decode
        self._decoded: dict[tuple[Space, bytes], tuple[bytes, Record]] = {}
        self._epoch = 0
        self.incarnation = ""
        self.life = 0
        self.hints: dict[str, dict[bytes, None]] = {}

    def open(self, cluster: str) -> str | None:
        """Begin a life: read what a start needs, and draw an incarnation.

        Returns why this disk may not be used, in a sentence, where it is another node's, or of another cluster.
        """
        owner = f"{self._node} of cluster {cluster}"
        kept = (self._store.get(Space.META, _OWNER) or owner.encode()).decode()
        if kept != owner:
            return f"its data are those of {kept}, and this is {owner}"
        self.life = int(self._store.get(Space.META, _LIFE) or b"0") + 1
        self._epoch = int(self._store.get(Space.META, _EPOCH) or b"0")
        self.incarnation = self.new_incarnation()
        self._stage(Space.META, _OWNER, owner.encode())
        self._stage(Space.META, _LIFE, str(self.life).encode())
        self.find_hints()
        return None

    def history(self) -> History:
        """What was known of the ring when it was last kept."""
        kept = self._store.get(Space.META, _HISTORY)
        return History() if kept is None else msgspec.msgpack.decode(kept, type=History)

    def keep_history(self, history: History) -> None:
        """Keep what is known of the ring."""
        self._stage(Space.META, _HISTORY, msgspec.msgpack.encode(history))

    def new_incarnation(self) -> str:
        """Draw a name for this life of the disk."""
        return f"{self._rng.getrandbits(40):010x}"

    def new_epoch(self) -> int:
        """Draw the next key epoch from the node's counter, which is committed with the record that uses it."""
        self._epoch += 1
        self._stage(Space.META, _EPOCH, str(self._epoch).encode())
        return self._epoch

    def find_hints(self) -> None:
        """Index the hints that were kept across the restart."""
        after = b""
        while page := self._store.scan(Space.HINTS, after, _PAGE):
            for name, _ in page:
                target, _, key = name.partition(b"\0")
                self.hints.setdefault(target.decode(), {})[key] = None
            after = page[-1][0]

    def versions(self, key: bytes) -> Versions:
        """Everything this node knows of a key, as a replica and as a holder of hints."""
        known = self.replicated(key)
        for target, keys in self.hints.items():
            if key in keys:
                known = self.merged(known, self.hinted(target, key))
        return known

    def replicated(self, key: bytes) -> Versions:
        """What this node holds of a key as one of its replicas."""
        return self._versions_at(Space.DATA, key)

    def hinted(self, target: str, key: bytes) -> Versions:
        """What this node holds of a key for another node."""
        return self._versions_at(Space.HINTS, _hint_name(target, key))

    def merged(self, one: Versions, two: Versions) -> Versions:
        """Unite two sets of versions (Dynamo, 4.4)."""
        return merge(one, two)

    def merge(self, key: bytes, versions: Versions, hint_for: str | None = None) -> None:
        """Merge versions into the record; the one primitive at the receiving end, idempotent."""
        space, name = self._place(key, hint_for)
        record = self._read(space, name)
        if record is None:
            self._save(space, name, Record(FORMAT, self.new_epoch(), versions))
        else:
            united = self.merged(record.versions, versions)
            mine = Actor(self._node, self.incarnation, record.epoch)
            ahead = versions.clock.last(mine) > record.versions.clock.last(mine)
            if united != record.versions:
                epoch = self.new_epoch() if ahead else record.epoch
                self._save(space, name, Record(FORMAT, epoch, united))
        self._index(key, hint_for)

    def write(self, key: bytes, context: Clock, value: bytes, hint_for: str | None = None) -> tuple[Dot, Versions]:
        """Mint a dot and add a version that replaces what the context covers; returns the record's new versions."""
        space, name = self._place(key, hint_for)
        record = self._read(space, name) or Record(FORMAT, self.new_epoch(), NOTHING)
        actor = Actor(self._node, self.incarnation, record.epoch)
        if context.last(actor) > record.versions.clock.last(actor):
            actor = Actor(self._node, self.incarnation, self.new_epoch())
        dot = Dot(actor, record.versions.clock.last(actor) + 1)
        versions = write(record.versions, context, dot, value)
        self._save(space, name, Record(FORMAT, actor.epoch, versions))
        self._index(key, hint_for)
        return dot, versions

    def forget_hint(self, target: str, key: bytes, delivered: Versions) -> bool:
        """Delete a hint, unless it has changed since the version that was delivered."""
        if self.hinted(target, key) != delivered:
            return False
        self._stage(Space.HINTS, _hint_name(target, key), None)
        del self.hints[target][key]
        if not self.hints[target]:
            del self.hints[target]
        return True

    def drop(self, key: bytes) -> None:
        """Forget a key that is no longer this node's to keep."""
        self._stage(Space.DATA, key, None)
        self._changed(key, None)

    def page(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, Versions]]:
        """A page of records, in order of their names in the store."""
        return [(name, self._record(space, name, raw).versions) for name, raw in self._store.scan(space, after, limit)]

    def _place(self, key: bytes, hint_for: str | None) -> tuple[Space, bytes]:
        return (Space.DATA, key) if hint_for is None else (Space.HINTS, _hint_name(hint_for, key))

    def _index(self, key: bytes, hint_for: str | None) -> None:
        if hint_for is not None:
            self.hints.setdefault(hint_for, {})[key] = None

    def _versions_at(self, space: Space, name: bytes) -> Versions:
        record = self._read(space, name)
        return NOTHING if record is None else record.versions

    def _read(self, space: Space, name: bytes) -> Record | None:
        raw = self._store.get(space, name)
        return None if raw is None else self._record(space, name, raw)

    def _record(self, space: Space, name: bytes, raw: bytes) -> Record:
        """The record that these bytes are; what they were decoded to last time, if they are still the same bytes."""
        remembered = self._decoded.get((space, name))
        if remembered is not None and remembered[0] == raw:
            return remembered[1]
        record = self._decode(raw)
        assert record.format == FORMAT, f"{name!r} has record format {record.format}; this node reads {FORMAT}"
        self._remember(space, name, raw, record)
        return record

    def _remember(self, space: Space, name: bytes, raw: bytes, record: Record) -> None:
        if len(self._decoded) >= RECORDS_REMEMBERED:
            self._decoded.clear()
        if len(raw) <= REMEMBERED_BYTES_MAX:
            self._decoded[space, name] = raw, record

    def _save(self, space: Space, name: bytes, record: Record) -> None:
        raw = self._encode(record)
        self._remember(space, name, raw, record)
        self._stage(space, name, raw)
        if space is Space.DATA:
            self._changed(name, record.versions)

    def _stage(self, space: Space, name: bytes, value: bytes | None) -> None:
        self._staged()
        self._store.stage(space, name, value)


def _hint_name(target: str, key: bytes) -> bytes:
    return target.encode() + b"\0" + key
