"""Nothing leaves the node before everything that it could have read is durable; and what leaves, leaves in order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.facts import CancelTimer, Command, Leave, Meet, Persist, Redial, Reply, Send, SetTimer
from node.core.messages import Gossip, Ping, Refused
from node.core.release import Release


def _call(command: Send) -> int:
    """The number of a message that is a call."""
    assert not isinstance(command.message, Gossip)
    return command.message.call


SEND = Send("peer", Ping(1))
REPLY = Reply(1, Refused("a request", "code", "text", definite=True))


def test_without_anything_staged_everything_leaves_at_once() -> None:
    """In the order in which it was put."""
    release = Release()
    for command in (SEND, REPLY, Leave()):
        release.put(command)
    assert release.take() == [SEND, REPLY, Leave()]


@pytest.mark.parametrize("command", [SEND, REPLY, Leave()], ids=["send", "reply", "leave"])
def test_what_leaves_the_node_waits_for_what_was_staged_before_it(command: Command) -> None:
    """A message, an answer or the node itself: none of them before the barrier is committed."""
    release = Release()
    release.stage()
    release.put(command)
    assert release.take() == [Persist(1)]
    assert release.held == 1

    release.committed(1)
    assert release.take() == [command]


@pytest.mark.parametrize("command", [SetTimer(1, 5), CancelTimer(1), Redial("peer"), Meet("peer", "host:1")])
def test_what_stays_inside_does_not_wait(command: Command) -> None:
    """Timers and addresses tell nobody anything."""
    release = Release()
    release.stage()
    release.put(command)
    assert release.take() == [command, Persist(1)]


def test_a_reply_waits_for_what_another_conversation_staged() -> None:
    """The order of release is the node's: a read that found a staged version hands it out only when a crash can no
    longer take it back.
    """
    release = Release()
    release.stage()
    release.take()

    release.put(REPLY)
    assert release.take() == []

    release.committed(1)
    assert release.take() == [REPLY]


def test_one_step_asks_for_one_barrier() -> None:
    """However much was staged in it; and a step that staged nothing asks for none."""
    release = Release()
    release.stage()
    release.stage()
    assert release.take() == [Persist(1)]
    assert release.take() == []

    release.stage()
    assert release.take() == [Persist(2)]


def test_one_commit_may_cover_several_barriers() -> None:
    """Group commit: what waits for an earlier barrier leaves with a later one, still in order."""
    release = Release()
    for number in (1, 2):
        release.stage()
        release.put(Send("peer", Ping(number)))
        release.take()

    release.committed(2)

    assert release.take() == [Send("peer", Ping(1)), Send("peer", Ping(2))]
    assert release.commits == 1


@pytest.mark.parametrize("barrier", [0, 2])
def test_a_barrier_that_was_not_asked_for_is_the_hosts_bug(barrier: int) -> None:
    """Before the first one, or beyond the last."""
    release = Release()
    release.stage()
    release.take()
    with pytest.raises(AssertionError, match="was not asked for"):
        release.committed(barrier)


def test_when_durable_calls_back_at_once_or_with_the_barrier() -> None:
    """Whoever waits is called once; what it stages then belongs to the next barrier."""
    release, log = Release(), []
    release.when_durable(lambda: log.append("nothing staged"))
    assert log == ["nothing staged"]

    release.stage()

    def durable() -> None:
        log.append("durable")
        release.stage()

    release.when_durable(durable)
    release.take()
    assert log == ["nothing staged"]

    release.committed(1)
    assert log == ["nothing staged", "durable"]
    assert release.take() == [Persist(2)]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["stage", "send", "timer", "take", "commit", "commit oldest"]), max_size=40))
def test_release(script: list[str]) -> None:
    """Whatever the steps: a message leaves as soon as all that was staged before it is durable and not earlier, in
    order, exactly once; and a step asks for a barrier exactly when it staged something.
    """
    release = Release()
    staged = covered = durable = sent = left = 0
    needs: list[int] = []
    barriers: list[tuple[int, int]] = []
    for verb in [*script, "take", "commit", "take"]:
        if verb == "stage":
            release.stage()
            staged += 1
        elif verb == "send":
            sent += 1
            needs.append(staged)
            release.put(Send("peer", Ping(sent)))
        elif verb == "timer":
            release.put(SetTimer(1, 5))
        elif verb.startswith("commit") and barriers:
            last = 0 if verb == "commit oldest" else len(barriers) - 1
            barrier, durable = barriers[last]
            del barriers[: last + 1]
            release.committed(barrier)
        elif verb == "take":
            commands = release.take()
            gone = [_call(command) for command in commands if isinstance(command, Send)]
            asked = [command.barrier for command in commands if isinstance(command, Persist)]
            assert gone == list(range(left + 1, left + 1 + len(gone)))
            left += len(gone)
            assert all(need <= durable for need in needs[:left]), "something left too early"
            assert left == len(needs) or needs[left] > durable, "something is held for no reason"
            assert len(asked) == (staged > covered)
            barriers += [(barrier, staged) for barrier in asked]
            covered = staged
    assert left == sent
    assert release.held == 0
