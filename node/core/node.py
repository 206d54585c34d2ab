"""A Dynamo node: facts in, commands out.

`handle` is the only way in and its result the only way out, so that a node is the same thing to a simulator, to a
process and to a test. Which conversation a fact belongs to is decided here; what is said in it is written in the
conversation's own file. A node has neither time nor chance but what it is given: the time comes with each fact,
delays are asked of the host, and every random draw comes from the generator handed in at birth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import TypeVar

from msgspec.structs import replace

from node.core import contexts, debug
from node.core.admin import administer
from node.core.admin_messages import AdminRequest
from node.core.admission import Admission
from node.core.anti_entropy import anti_entropy, rebuild
from node.core.arrivals import Arrivals
from node.core.calls import Calls, Switchboard
from node.core.candidates import Candidates
from node.core.changes import History, Life
from node.core.clocks import Clock
from node.core.config import KEY_BYTES_MAX, ClusterConfig
from node.core.conversations import Conversations, Kind, Timers
from node.core.detector import Detector
from node.core.exchanges import Exchanges
from node.core.facts import (
    CancelTimer,
    ClientAsked,
    Command,
    Committed,
    DrainAsked,
    Fact,
    Leave,
    PeerArrived,
    PeerSaid,
    PeerUnreached,
    Persist,
    Redial,
    Reply,
    Resign,
    Send,
    SetTimer,
    TimerFired,
)
from node.core.gets import get
from node.core.gossip import gossip
from node.core.handoff import hand_off
from node.core.hearing import REQUESTS, Hearing
from node.core.membership import Membership
from node.core.messages import (
    SHUTTING_DOWN,
    DumpQuery,
    Get,
    PeerMessage,
    Put,
    Refused,
    Request,
    Response,
    StatusQuery,
)
from node.core.probing import probe
from node.core.puts import put
from node.core.release import Release
from node.core.replica import Replica
from node.core.ring import Place
from node.core.seats import Seats
from node.core.store import Store
from node.core.trees import Trees
from node.core.versions import Versions

R = TypeVar("R", Get, Put)


class Node:
    """One node of the cluster; the class attributes are the parts that a variant of it may replace.

    `durable` says whether what the store has committed outlives the process; every answer says so in turn. `seeds` are
    peers to begin with and their addresses, host:port or empty; `address` is where this node is dialled.
    """

    replica_type = Replica
    release_type = Release
    membership_type = Membership
    trees_type = Trees
    seats_type = Seats
    hearing_type = Hearing

    def __init__(
        self,
        node_id: str,
        config: ClusterConfig,
        store: Store,
        rng: Random,
        *,
        durable: bool = True,
        seeds: Mapping[str, str] = MappingProxyType({}),
        address: str = "",
    ) -> None:
        self.id = node_id
        self.config = config
        self.durable = durable
        self.rng = rng
        self.peer_timeout_ns = config.peer_timeout_ms * 1_000_000
        self._secret = config.secret.encode()
        self.release = self.release_type()
        self.replica = self.replica_type(node_id, store, rng, self.release.stage, self._changed)
        self.detector = Detector()
        self.timers = self._new_timers()
        limits = (config.background_p99_ms, config.background_wait_ms, config.slices_max)
        self.background = Admission(self.timers, *limits)
        self.timers.late = lambda wait_ns: self.background.waited(wait_ns, self.timers.now_ns)
        everybody = {**dict.fromkeys(config.members, ""), **seeds}
        life = Life(node_id, "", 0, address)
        self.membership = self.membership_type(config, everybody, self.replica.keep_history, self.release.meet, life)
        self.ring = self.membership.ring
        self.trees = self.trees_type(self.ring.ends)
        self.exchanges = Exchanges()
        self.seats = self.seats_type(self)
        self.hearing = self.hearing_type(self)
        self.arrivals = Arrivals(self)
        self._persisted: deque[tuple[int, int]] = deque()
        self.conversations = Conversations(self.timers, self.release.when_durable)
        self.switchboard = Switchboard(self, self.timers, self.detector, self.peer_timeout_ns, rng.getrandbits(48))
        self._handing_off: dict[str, None] = {}
        self._probed: dict[str, None] = {}
        self._draining = False
        self._left = False

    def _new_timers(self) -> Timers:
        pass_by = self.release.pass_by
        return Timers(
            lambda timer, delay_ns: pass_by(SetTimer(timer, delay_ns)), lambda timer: pass_by(CancelTimer(timer))
        )

    # --- in and out ---

    def start(self, now_ns: int) -> list[Command]:
        """Open the records and begin; to be called once, before the first fact."""
        self.timers.now_ns = now_ns
        refusal = self.replica.open(self.config.cluster)
        if refusal is not None:
            return [Resign(refusal)]
        address = self.membership.life.address
        self.membership.begin(
            Life(self.id, self.replica.incarnation, self.replica.life, address), self.replica.history()
        )
        self._follow_the_ring()
        for endless in (gossip(self), rebuild(self), anti_entropy(self)):
            self.conversations.begin(Kind.BACKGROUND, endless)
        return self._finish()

    def handle(self, fact: Fact, now_ns: int) -> list[Command]:
        """Take one fact, at the host's monotonic time `now_ns`, and return what is to be done, in order."""
        self.timers.now_ns = now_ns
        # `type(…) is`, in the order of how many there are: a message's class makes isinstance and match slow.
        if type(fact) is PeerSaid and not self._left:
            self.hearing.heard(fact.source, fact.message, fact.ring)
        elif type(fact) is Committed:
            while self._persisted and self._persisted[0][0] <= fact.barrier:
                self.background.stored(now_ns - self._persisted.popleft()[1], now_ns)
            self.release.committed(fact.barrier)
        elif self._left:
            pass
        elif type(fact) is TimerFired:
            self.timers.fired(fact.timer)
        elif type(fact) is ClientAsked:
            self._asked(fact.asker, fact.request)
        elif type(fact) is PeerUnreached:
            if isinstance(fact.message, REQUESTS):
                self.switchboard.unsent(fact.peer, fact.message.call)
        elif type(fact) is PeerArrived:
            self.arrivals.arrived(fact.life, contested=fact.contested)
        elif type(fact) is DrainAsked:
            self._draining = True
        return self._finish()

    def _finish(self) -> list[Command]:
        if self.replica.hints and not self._handing_off.keys() >= self.replica.hints.keys():
            self._hand_off()
        if self._draining and not self._left and not self.conversations.open[Kind.REQUEST]:
            self._left = True
            self.release.put(Leave())
        commands = self.release.take()
        if commands and type(commands[-1]) is Persist:
            self._persisted.append((commands[-1].barrier, self.timers.now_ns))
        return commands

    def _hand_off(self) -> None:
        """See to it that for each target with hints somebody is at it."""
        for target in list(self.replica.hints):
            if target not in self._handing_off:
                self._handing_off[target] = None
                self.conversations.begin(Kind.HANDOFF, hand_off(self, target))

    # --- what others say ---

    def _asked(self, asker: int, request: Request | StatusQuery | DumpQuery | AdminRequest) -> None:
        if type(request) is StatusQuery:
            self.release.put(Reply(asker, debug.status(self)))
        elif type(request) is DumpQuery:
            self.release.put(Reply(asker, debug.dump(self, request)))
        elif type(request) is not Get and type(request) is not Put:
            administer(self, request, lambda response: self.release.put(Reply(asker, response)))
        else:
            self._serve(request, lambda response: self.release.put(Reply(asker, response)))

    def _serve(self, request: Request, respond: Callable[[Response], None]) -> None:
        refusal = self.refusal(request)
        if refusal is not None:
            code, text = refusal
            respond(Refused(request.request, code, text, definite=True))
        elif type(request) is Get:
            self.conversations.begin(Kind.REQUEST, get(self, self.bounded(request), respond))
        else:
            self.conversations.begin(Kind.REQUEST, put(self, self.bounded(request), respond))

    def bounded(self, request: R) -> R:
        """The request, with no more time than the cluster gives: nobody keeps a node busy for as long as he likes."""
        most_ns = self.config.request_timeout_ms * 1_000_000
        return request if request.remaining_ns <= most_ns else replace(request, remaining_ns=most_ns)

    def refusal(self, request: Request) -> tuple[str, str] | None:
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

    # --- the ring ---

    def learn(self, history: History) -> None:
        """Take what somebody else knows of the ring."""
        if self.membership.learn(history):
            self._follow_the_ring()

    def _follow_the_ring(self) -> None:
        """See to what a new ring asks of this node."""
        self.ring = self.membership.ring
        self.trees.laid_out(self.ring.ends)
        back = self.membership.up()
        if back is not None:
            self.learn(back)
        self.seats.see_to_moves()

    def _changed(self, key: bytes, versions: Versions | None) -> None:
        """A key's own record has changed: so does its tree, and what is to be given away."""
        self.trees.update(key, versions)
        self.seats.changed(key)

    # --- what conversations need ---

    def shared(self) -> list[tuple[int, str]]:
        """The end of each partition that this node sits in, with each other node that does."""
        return self.seats.shared()

    def send(self, peer: str, message: PeerMessage) -> None:
        """Send a message to a peer."""
        self.release.put(Send(peer, message, self.ring.digest))

    def calls(self, time_ns: int) -> Calls:
        """A set of calls that share a deadline."""
        return self.switchboard.open(time_ns)

    def candidates(self, place: Place, primaries: tuple[str, ...], coordinator: str | None = None) -> Candidates:
        """Whom to ask about a key of this partition."""
        return Candidates(primaries, place.preference, self.detector.is_up, coordinator)

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
        """A suspected peer has answered, or is no longer dealt with: the next time that it is, it gets a chance."""
        del self._probed[peer]
        self.detector.heard(peer)

    def deals_with(self, peer: str) -> bool:
        """Whether there may be anything to say to a peer."""
        return self.ring.is_member(peer) or peer in self.ring.keeping or peer in self.replica.hints

    def seal(self, key: bytes, clock: Clock) -> bytes:
        """Make a context for a client."""
        return contexts.seal(self._secret, key, clock)

    def unseal(self, key: bytes, context: bytes) -> Clock:
        """Open a client's context; raises `BadContextError`."""
        return contexts.unseal(self._secret, key, context)
