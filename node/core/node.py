"""A Dynamo node: facts in, commands out.

`handle` is the only way in and its result the only way out, so that a node is the same thing to a simulator, to a
process and to a test. Which conversation a fact belongs to is decided here; what is said in it is written in the
conversation's own file. A node has neither time nor chance but what it is given: the time comes with each fact,
delays are asked of the host, and every random draw comes from the generator handed in at birth.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from msgspec.structs import replace

from node.core import contexts, debug
from node.core.calls import Calls, Switchboard, TakenUp
from node.core.candidates import Candidates
from node.core.clocks import Clock
from node.core.config import ClusterConfig
from node.core.conversations import Conversations, Kind, Timers
from node.core.detector import Detector
from node.core.facts import (
    CancelTimer,
    ClientAsked,
    Command,
    Committed,
    DrainAsked,
    Fact,
    Leave,
    PeerSaid,
    PeerUnreached,
    Redial,
    Reply,
    Send,
    SetTimer,
    TimerFired,
)
from node.core.gets import get
from node.core.handoff import hand_off
from node.core.messages import (
    SHUTTING_DOWN,
    Declined,
    DumpQuery,
    Fetch,
    Fetched,
    Forward,
    Forwarded,
    Get,
    PeerMessage,
    Ping,
    Pong,
    Put,
    Refused,
    Replicate,
    Request,
    Response,
    StatusQuery,
    Stored,
    Written,
)
from node.core.probing import probe
from node.core.puts import coordinate, put
from node.core.release import Release
from node.core.replica import Replica
from node.core.ring import Ring
from node.core.store import Store

KEY_BYTES_MAX = 4096

_REQUESTS = (Fetch, Replicate, Forward, Ping)

R = TypeVar("R", Get, Put)


class Node:
    """One node of the cluster; the class attributes are the parts that a variant of it may replace.

    `durable` says whether what the store has committed outlives the process; every answer says so in turn.
    """

    replica_type = Replica
    release_type = Release

    def __init__(self, node_id: str, config: ClusterConfig, store: Store, rng: Random, *, durable: bool = True) -> None:
        assert node_id in config.members, f"{node_id} is none of the members"
        self.id = node_id
        self.config = config
        self.durable = durable
        self.ring = Ring(config.members, config.partitions)
        self.peer_timeout_ns = config.peer_timeout_ms * 1_000_000
        self._secret = config.secret.encode()
        self.release = self.release_type()
        self.replica = self.replica_type(node_id, store, rng, self.release.stage)
        self.detector = Detector()
        pass_by = self.release.pass_by
        self.timers = Timers(
            lambda timer, delay_ns: pass_by(SetTimer(timer, delay_ns)), lambda timer: pass_by(CancelTimer(timer))
        )
        self.conversations = Conversations(self.timers, self.release.when_durable)
        self.switchboard = Switchboard(self, self.timers, self.detector, self.peer_timeout_ns, rng.getrandbits(48))
        self._taken_up = TakenUp()
        self._handing_off: dict[str, None] = {}
        self._probed: dict[str, None] = {}
        self._draining = False
        self._left = False

    # --- in and out ---

    def start(self, now_ns: int) -> list[Command]:
        """Open the records; to be called once, before the first fact."""
        self.timers.now_ns = now_ns
        self.replica.open()
        return self._finish()

    def handle(self, fact: Fact, now_ns: int) -> list[Command]:
        """Take one fact, at the host's monotonic time `now_ns`, and return what is to be done, in order."""
        self.timers.now_ns = now_ns
        # `type(…) is`, in the order of how many there are: a message's class makes isinstance and match slow.
        if type(fact) is PeerSaid and not self._left:
            self._peer_said(fact.source, fact.message)
        elif type(fact) is Committed:
            self.release.committed(fact.barrier)
        elif self._left:
            pass
        elif type(fact) is TimerFired:
            self.timers.fired(fact.timer)
        elif type(fact) is ClientAsked:
            self._asked(fact.asker, fact.request)
        elif type(fact) is PeerUnreached:
            if isinstance(fact.message, _REQUESTS):
                self.switchboard.unsent(fact.peer, fact.message.call)
        elif type(fact) is DrainAsked:
            self._draining = True
        return self._finish()

    def _finish(self) -> list[Command]:
        if self.replica.hints and not self._handing_off.keys() >= self.replica.hints.keys():
            self._hand_off()
        if self._draining and not self._left and not self.conversations.open[Kind.REQUEST]:
            self._left = True
            self.replica.mark_clean()
            self.release.put(Leave())
        return self.release.take()

    def _hand_off(self) -> None:
        """See to it that for each target with hints somebody is at it."""
        for target in list(self.replica.hints):
            if target not in self._handing_off:
                self._handing_off[target] = None
                self.conversations.begin(Kind.HANDOFF, hand_off(self, target))

    # --- what others say ---

    def _asked(self, asker: int, request: Request | StatusQuery | DumpQuery) -> None:
        if type(request) is StatusQuery:
            self.release.put(Reply(asker, debug.status(self)))
        elif type(request) is DumpQuery:
            self.release.put(Reply(asker, debug.dump(self, request)))
        else:
            self._serve(request, lambda response: self.release.put(Reply(asker, response)))

    def _serve(self, request: Request, respond: Callable[[Response], None]) -> None:
        refusal = self._refusal(request)
        if refusal is not None:
            code, text = refusal
            respond(Refused(request.request, code, text, definite=True))
        elif type(request) is Get:
            self.conversations.begin(Kind.REQUEST, get(self, self._bounded(request), respond))
        else:
            self.conversations.begin(Kind.REQUEST, put(self, self._bounded(request), respond))

    def _bounded(self, request: R) -> R:
        """The request, with no more time than the cluster gives: nobody keeps a node busy for as long as he likes."""
        most_ns = self.config.request_timeout_ms * 1_000_000
        return request if request.remaining_ns <= most_ns else replace(request, remaining_ns=most_ns)

    def _refusal(self, request: Request) -> tuple[str, str] | None:
        """Why a request is not served at all, as a code and a sentence."""
        if self._draining:
            return SHUTTING_DOWN, f"{self.id} is shutting down"
        if request.remaining_ns <= 0:
            return "expired", "the request's time had run out before it was begun"
        if not 0 < len(request.key) <= KEY_BYTES_MAX:
            return "bad-request", f"the key has {len(request.key)} bytes; it can have 1 to {KEY_BYTES_MAX}"
        name, quorum = ("r", request.r) if type(request) is Get else ("w", request.w)
        if quorum is not None and not 1 <= quorum <= self.config.n:
            return "bad-request", f"{name} is {quorum}; with n = {self.config.n} it can be 1 to {self.config.n}"
        if type(request) is Put and len(request.value) > self.config.object_bytes_max:
            most = self.config.object_bytes_max
            return "too-large", f"the object has {len(request.value)} bytes; this cluster takes up to {most}"
        return None

    def _peer_said(self, source: str, message: PeerMessage) -> None:
        if type(message) is Fetch:
            if not self._expired(source, message.call, message.remaining_ns):
                self.send(source, Fetched(message.call, self.replica.versions(message.key), self.durable))
        elif type(message) is Replicate:
            if not self._expired(source, message.call, message.remaining_ns):
                self.replica.merge(message.key, message.versions, message.hint_for)
                self.send(source, Stored(message.call, self.durable))
        elif type(message) is Forward:
            self._forwarded(source, message.call, message.put)
        elif type(message) is Ping:
            self.send(source, Pong(message.call))
        else:
            self.switchboard.answered(source, message)

    def _forwarded(self, source: str, call: int, request: Put) -> None:
        def respond(response: Written | Refused) -> None:
            self.send(source, Forwarded(call, response))

        if not self._taken_up.is_new(source, call):
            return
        refusal = self._refusal(request)
        if refusal is not None:
            code, text = refusal
            respond(Refused(request.request, code, text, definite=True))
        else:
            self.conversations.begin(Kind.REQUEST, coordinate(self, self._bounded(request), respond))

    def _expired(self, source: str, call: int, remaining_ns: int) -> bool:
        if remaining_ns > 0:
            return False
        self.send(source, Declined(call, "the request's time had run out"))
        return True

    # --- what conversations need ---

    def send(self, peer: str, message: PeerMessage) -> None:
        """Send a message to a peer."""
        self.release.put(Send(peer, message))

    def calls(self, time_ns: int) -> Calls:
        """A set of calls that share a deadline."""
        return self.switchboard.open(time_ns)

    def candidates(self, key: bytes, coordinator: str | None = None) -> Candidates:
        """Whom to ask about a key."""
        return Candidates(self.ring.preference_list(key), self.config.n, self.detector.is_up, coordinator)

    def suspect(self, peer: str) -> None:
        """Treat a peer as down, and begin to probe it, unless a probe from an earlier suspicion is still at it."""
        if self.detector.missed(peer) and peer not in self._probed:
            self._probed[peer] = None
            self.conversations.begin(Kind.PROBE, probe(self, peer))

    def when_released(self, callback: Callable[[], None]) -> None:
        """Call back when what was sent so far has left this node."""
        self.release.when_durable(callback)

    def redial(self, peer: str) -> None:
        """Have the connection to a peer replaced."""
        self.release.put(Redial(peer))

    def handed_off(self, target: str) -> None:
        """All hints for a target have been delivered."""
        del self._handing_off[target]

    def probed(self, peer: str) -> None:
        """A suspected peer has answered."""
        del self._probed[peer]

    def seal(self, key: bytes, clock: Clock) -> bytes:
        """Make a context for a client."""
        return contexts.seal(self._secret, key, clock)

    def unseal(self, key: bytes, context: bytes) -> Clock:
        """Open a client's context; raises `BadContextError`."""
        return contexts.unseal(self._secret, key, context)
