"""A Dynamo node: facts in, commands out.

`handle` is the only way in and its result the only way out, so that a node is the same thing to a simulator, to a
process and to a test. Which conversation a fact belongs to is decided here; what is said in it is written in the
conversation's own file. A node has neither time nor chance but what it is given: the time comes with each fact,
delays are asked of the host, and every random draw comes from the generator handed in at birth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from msgspec.structs import replace

from node.core import contexts, debug
from node.core.admin import administer
from node.core.admin_messages import AdminRequest
from node.core.admission import Admission
from node.core.anti_entropy import anti_entropy, rebuild
from node.core.calls import Calls, Switchboard, TakenUp
from node.core.candidates import Candidates
from node.core.changes import History, Life, Move
from node.core.clocks import Clock
from node.core.config import ClusterConfig
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
    Meet,
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
from node.core.gossip import gossip, hear
from node.core.handoff import hand_off
from node.core.membership import Membership
from node.core.messages import (
    SHUTTING_DOWN,
    Accepted,
    Batch,
    Declined,
    Differs,
    DumpQuery,
    Fetch,
    Fetched,
    Forward,
    Forwarded,
    Get,
    Gossip,
    Offer,
    PeerMessage,
    Ping,
    Pong,
    Put,
    Refused,
    Replicate,
    Request,
    Response,
    RootsQuery,
    StatusQuery,
    Stored,
    TreeQuery,
    Written,
)
from node.core.probing import probe
from node.core.puts import coordinate, put
from node.core.release import Release
from node.core.replica import Replica
from node.core.ring import Place, ring_of
from node.core.store import Store
from node.core.transfers import Giving, move_seats, works
from node.core.tree_queries import answer
from node.core.trees import Trees
from node.core.versions import Versions

KEY_BYTES_MAX = 4096

_REQUESTS = (Fetch, Replicate, Forward, Ping, Offer, Batch, RootsQuery, TreeQuery)

_UNDER_ONE_RING = frozenset((Fetch, Replicate, Forward, Offer, Batch, RootsQuery, TreeQuery))
"""What is done only when both know the same ring; everything else is done under any."""

R = TypeVar("R", Get, Put)


class Node:
    """One node of the cluster; the class attributes are the parts that a variant of it may replace.

    `durable` says whether what the store has committed outlives the process; every answer says so in turn.
    """

    replica_type = Replica
    release_type = Release

    def __init__(
        self,
        node_id: str,
        config: ClusterConfig,
        store: Store,
        rng: Random,
        *,
        durable: bool = True,
        seeds: Sequence[str] = (),
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
        pass_by = self.release.pass_by
        self.timers = Timers(
            lambda timer, delay_ns: pass_by(SetTimer(timer, delay_ns)), lambda timer: pass_by(CancelTimer(timer))
        )
        self.background = Admission(
            self.timers, config.background_p99_ms, config.background_wait_ms, slices_max=config.slices_max
        )
        self.timers.late = lambda wait_ns: self.background.waited(wait_ns, self.timers.now_ns)
        self.membership = Membership(
            config,
            tuple(dict.fromkeys((*config.members, *seeds))),
            self.replica.keep_history,
            self.release.meet,
            Life(node_id, "", 0, address),
            ring_of(config, History()),
        )
        self.ring = self.membership.ring
        self.trees = Trees(self.ring.ends)
        self.exchanges = Exchanges()
        self.giving: dict[int, Giving] = {}
        self.given: list[Giving] = []
        self._moving = False
        self._persisted: dict[int, int] = {}
        self.conversations = Conversations(self.timers, self.release.when_durable)
        self.switchboard = Switchboard(self, self.timers, self.detector, self.peer_timeout_ns, rng.getrandbits(48))
        self._taken_up = TakenUp()
        self._handing_off: dict[str, None] = {}
        self._probed: dict[str, None] = {}
        self._draining = False
        self._left = False

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
            self._peer_said(fact.source, fact.message, fact.ring)
        elif type(fact) is Committed:
            self.background.stored(now_ns - self._persisted.pop(fact.barrier), now_ns)
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
            self.release.put(Leave())
        commands = self.release.take()
        if commands and type(commands[-1]) is Persist:
            self._persisted[commands[-1].barrier] = self.timers.now_ns
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

    def _peer_said(self, source: str, message: PeerMessage, ring: str) -> None:
        if type(message) in _UNDER_ONE_RING and ring != self.ring.digest:
            self.send(source, Differs(message.call, self.ring.history))
        elif type(message) is Fetch:
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
        elif type(message) is Gossip:
            hear(self, source, message, ring)
        elif type(message) is Differs:
            self._agree(source, message)
        elif isinstance(message, _REQUESTS):
            self._background_request(source, message)
        else:
            self.switchboard.answered(source, message)

    def _background_request(self, source: str, message: Offer | Batch | RootsQuery | TreeQuery) -> None:
        if type(message) is Offer:
            due = self.ring.due(message.move) and message.move.taker == self.id
            declined = Declined(message.call, f"that seat is not to pass to {self.id}")
            self.send(source, Accepted(message.call) if due else declined)
        elif type(message) is Batch:
            for entry in message.entries:
                self.replica.merge(entry.key, entry.versions)
            self.send(source, Stored(message.call, self.durable))
        else:
            self.send(source, answer(self.trees, message))

    def _agree(self, source: str, message: Differs) -> None:
        """Know what the other one knows, and let it know what it did not, before it is asked again."""
        self.learn(message.history)
        if self.ring.digest != message.history.digest:
            self.send(source, Gossip(self.membership.life, self.ring.history))
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
        self.see_to_moves()

    def see_to_moves(self) -> None:
        """See to it that somebody is at the seats that this node has to move."""
        if not self._moving and works(self):
            self._moving = True
            self.conversations.begin(Kind.BACKGROUND, move_seats(self))

    def moved_seats(self) -> None:
        """There is nothing left to move."""
        self._moving = False

    def pass_on(self, giving: Giving) -> bool:
        """A seat that was given away has been taken, with all that was kept here."""
        if not self.ring.due(giving.move) or giving.left:
            return False
        giving.state = "done"
        self.given.append(giving)
        self.learn(self.membership.switched(giving.move))
        return True

    def take_over(self, move: Move) -> bool:
        """A seat has been taken whose node is gone."""
        if self.ring.due(move):
            self.learn(self.membership.switched(move))
            return True
        return False

    def shared(self) -> list[tuple[int, str]]:
        """The end of each partition that this node sits in, with each other node that does."""
        return [
            (place.end, peer)
            for place in self.ring.places
            if self.id in place.seats
            for peer in place.seats
            if peer != self.id
        ]

    def _changed(self, key: bytes, versions: Versions | None) -> None:
        """A key's own record has changed: so does its tree, and what is to be given away."""
        self.trees.update(key, versions)
        if self.giving:
            giving = self.giving.get(self.ring.at(key).end)
            if giving is not None:
                giving.left[key] = None

    # --- what conversations need ---

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
