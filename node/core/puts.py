"""The write conversation (Dynamo, 4.5 and 4.6): version, write here, replicate to N, answer at W; and then see it
through.

A put is coordinated by a node of the key's top N, else by the first that is up. The conversation does not end with
the answer: it ends when every primary has confirmed, or a live node holds a durable hint for it. That holds for puts
that failed or timed out too: they may have happened, so they must end up everywhere, or nowhere that they can be
seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from node.core.calls import CORRECTIONS, Answer
from node.core.candidates import Assignment
from node.core.contexts import BadContextError
from node.core.conversations import Durable
from node.core.messages import SHUTTING_DOWN, Ack, Differs, Forward, Forwarded, Put, Refused, Replicate, Stored, Written
from node.core.quorum import Quorum, Settled

if TYPE_CHECKING:
    from node.core.node import Node
    from node.core.ring import Place
    from node.core.versions import Versions

Respond = Callable[[Written | Refused], None]


async def put(node: Node, request: Put, respond: Respond) -> None:
    """Coordinate the put here if this node may; otherwise let the first of the top N that is up do it (one hop).

    The other one gets less time than there is, so that its answer, also a refusal, still arrives in time here. A put
    that was sent and not answered may have happened, so nobody else is asked; one that certainly had no effect, because
    it was not sent or the other one is leaving, goes to the next. One that knew another ring is asked again, when both
    know the same.
    """
    tried: dict[str, None] = {}
    corrected: Counter[str] = Counter()
    deadline_ns = node.timers.now_ns + request.remaining_ns
    while (coordinator := _coordinator(node, request.key, tried)) != node.id:
        if coordinator is None:
            text = f"no node that keeps the key could be asked to coordinate by {node.id}"
            respond(Refused(request.request, "unavailable", text, definite=True))
            return
        answer = await _forward(node, coordinator, request)
        if answer is not None and isinstance(answer.message, Differs) and corrected[coordinator] < CORRECTIONS:
            corrected[coordinator] += 1
        else:
            tried[coordinator] = None
        if answer is None or (answer.sent and not isinstance(answer.message, Forwarded | Differs)):
            text = f"{coordinator}, asked by {node.id} to coordinate, did not answer in time"
            respond(Refused(request.request, "timeout", text, definite=False))
            return
        if isinstance(answer.message, Forwarded) and not _is_leaving(answer.message.response):
            respond(answer.message.response)
            return
        request = replace(request, remaining_ns=deadline_ns - node.timers.now_ns)
        if request.remaining_ns <= 0:
            text = f"{', '.join(tried)} could not be asked to coordinate, and the request's time has run out"
            respond(Refused(request.request, "expired", text, definite=True))
            return
    await coordinate(node, request, respond)


async def _forward(node: Node, coordinator: str, request: Put) -> Answer | None:
    forwarded = replace(request, remaining_ns=request.remaining_ns * 4 // 5)
    calls = node.calls(request.remaining_ns)
    calls.ask(coordinator, lambda call: Forward(call, forwarded), patience_ns=request.remaining_ns)
    answer = await calls.next()
    calls.close()
    return answer


def _is_leaving(response: Written | Refused) -> bool:
    return isinstance(response, Refused) and response.code == SHUTTING_DOWN


def _coordinator(node: Node, key: bytes, tried: dict[str, None]) -> str | None:
    """This node if it is one of the top N; else the first of the preference list that may be up and was not tried."""
    place = node.ring.at(key)
    if node.id in place.seats:
        return node.id
    usable = (name for name in place.preference if name == node.id or (node.detector.is_up(name) and name not in tried))
    return next(usable, None)


async def coordinate(node: Node, request: Put, respond: Respond) -> None:
    """Coordinate one put to its very end."""
    try:
        context = node.unseal(request.key, request.context)
    except BadContextError as error:
        respond(Refused(request.request, "bad-context", str(error), definite=True))
        return
    writing = _Writing(node, request, respond)
    own, *others = writing.candidates.first()
    dot, writing.versions = node.replica.write(request.key, context, request.value, own.hint_for)
    writing.reply = lambda acks: Written(
        request.request,
        str(dot),
        node.seal(request.key, context.including(dot)),
        node.id,
        tuple(acks),
        node.ring.digest,
    )
    writing.confirmed(own, node.durable)
    for assignment in others:
        writing.ask(assignment)
    writing.answer(writing.calls.open)

    while writing.homeless and (answer := await writing.calls.next()) is not None:
        writing.heed(answer)
    writing.answer(still_open=0)
    writing.calls.close()

    for primary in writing.homeless:
        node.replica.merge(request.key, writing.versions, hint_for=primary)
    await Durable()


class _Writing:
    """Where a version has arrived, and which primaries have neither confirmed nor got a hint: the `homeless`.

    While a seat moves its giver and its taker are both primaries, and the quorum is needed with the one as with the
    other. When seats pass on meanwhile, those who sit there now must confirm as well.
    """

    def __init__(self, node: Node, request: Put, respond: Respond) -> None:
        self._node = node
        self._request = request
        self._respond: Respond | None = respond
        self._asked: dict[str, Assignment] = {}
        self._corrected: Counter[str] = Counter()
        self._place = place = node.ring.at(request.key)
        self.calls = node.calls(request.remaining_ns)
        self.candidates = node.candidates(place, place.keepers, coordinator=node.id)
        self.quorum = Quorum(request.w or node.config.w, _sides(place))
        self.homeless = dict.fromkeys(place.keepers)
        self.acks: list[Ack] = []
        self.reply: Callable[[list[Ack]], Written]
        self.versions: Versions

    def ask(self, assignment: Assignment) -> None:
        """Send the versions to a primary, or to a node that keeps them for one."""
        self._asked[assignment.node] = assignment
        key, versions, remaining_ns = self._request.key, self.versions, self.calls.remaining_ns
        self.calls.ask(assignment.node, lambda call: Replicate(call, key, versions, assignment.hint_for, remaining_ns))

    def heed(self, answer: Answer) -> None:
        """Count a confirmation; ask another node instead of one that gave none."""
        assignment = self._asked[answer.peer]
        self._follow()
        if isinstance(answer.message, Stored):
            self.confirmed(assignment, answer.message.durable)
        elif isinstance(answer.message, Differs) and self._corrected[answer.peer] < CORRECTIONS:
            self._corrected[answer.peer] += 1
            self.ask(assignment)
        elif instead := self.candidates.instead_of(assignment):
            self.ask(instead)
        self.answer(self.calls.open)

    def confirmed(self, assignment: Assignment, durable: bool) -> None:
        """One more node has it, as durably as that node keeps anything."""
        self.acks.append(Ack(assignment.node, assignment.hint_for, durable))
        self.quorum.succeed(assignment.node, assignment.primary)
        self.homeless.pop(assignment.primary, None)

    def _follow(self) -> None:
        """Where the key's seats are not what they were: let those who have come confirm too, and nobody who has
        gone.
        """
        place = self._node.ring.at(self._request.key)
        if (place.seats, place.move) == (self._place.seats, self._place.move):
            return
        known, self._place = self._place.keepers, place
        self.quorum.sides = _sides(place)
        self.homeless = {primary: None for primary in self.homeless if primary in place.keepers}
        for primary in place.keepers:
            if primary == self._node.id and primary not in known:
                self._node.replica.merge(self._request.key, self.versions)
                self.confirmed(Assignment(primary), self._node.durable)
            elif primary not in known:
                self.homeless[primary] = None
                self.ask(Assignment(primary))

    def answer(self, still_open: int) -> None:
        """Answer the client once, as soon as the quorum is settled."""
        settled = self.quorum.settled(still_open)
        if self._respond is None or settled is Settled.PENDING:
            return
        respond, self._respond = self._respond, None
        if settled is Settled.REACHED:
            respond(self.reply(self.acks))
        else:
            holders = ", ".join(ack.node for ack in self.acks)
            text = f"{len(self.acks)} of W = {self.quorum.needed} replicas confirmed to {self._node.id}: {holders}"
            respond(Refused(self._request.request, "unavailable", text, definite=False))


def _sides(place: Place) -> tuple[tuple[str, ...], ...]:
    """Who sits at the key now, and who will when the seat that moves has passed on."""
    return (place.seats,) if place.move is None else (place.seats, place.after)
