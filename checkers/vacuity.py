"""A run that proves nothing is not valid: say unknown when too little happened to mean anything.

A test in which every operation failed, or whose partition never cut anything, passes every other check. What a world
counted is held against what it says that it cut, and so is what the clients were told (`checkers.cut_leaks`). This file
knows whether faults took effect and operations succeeded. It does not know whether the store is correct, and never says
invalid. One pass over the history, and one over the operations within each cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from checkers.causality import GET, PUT, is_acknowledged
from checkers.cut_leaks import cut_leaks
from checkers.episodes import Episode, episodes
from checkers.evidence import counted, listed, shown
from checkers.history import History
from checkers.replicas import final_round
from checkers.verdict import FINDINGS_MAX, Answer, Finding, Verdict

_NAME = "vacuity"
_SUCCEEDED_MIN = 10
_SHARE_MIN = 0.05


def check(history: History) -> Verdict:
    """Judge whether the run meant anything: its faults were delivered, and enough operations succeeded."""
    found = episodes(history)
    about_faults = [*_undelivered(history, found), *_idle_cuts(found), *cut_leaks(history, found)]
    findings = [*about_faults, *_too_little(history), *_incomplete(history)]
    succeeded = Counter(operation.invoked.f for operation in history.operations if is_acknowledged(operation))
    delivered = sum(episode.delivered for episode in found)
    figures = {
        "faults": len(found),
        "delivered": delivered,
        "operations": len(history.operations),
        "succeeded": dict(sorted(succeeded.items())),
        "ended": history.ended is not None and history.ended.interrupted is None,
    }
    if findings:
        reason = "; ".join(finding.summary for finding in findings[:3])
        reason += f"; and {len(findings) - 3} more" if len(findings) > 3 else ""
    else:
        reason = (
            f"{counted(sum(succeeded.values()), 'operation')} succeeded, {delivered} of {len(found)} faults delivered"
        )
    return Verdict(
        checker=_NAME,
        answer=Answer.UNKNOWN if findings else Answer.VALID,
        reason=reason,
        findings=tuple(findings[:FINDINGS_MAX]),
        found=len(findings),
        figures=figures,
    )


def _undelivered(history: History, found: tuple[Episode, ...]) -> Iterator[Finding]:
    """Find faults that were enabled and never took effect, by name: one of a kind that did is enough."""
    if history.run.drawn and any(episode.delivered for episode in found):
        return  # what bit nothing is as good as switched off; whoever explores many seeds looks for what never bites
    for name in dict.fromkeys((*history.run.faults, *(episode.name for episode in found))):
        same = [episode for episode in found if episode.name == name]
        started = [episode for episode in same if episode.started_at is not None]
        if any(episode.delivered for episode in started):
            continue
        if started:
            summary = f"{name} was injected {counted(len(started), 'time')} and never seen to take effect"
            yield Finding(kind="never-delivered", summary=summary)
        else:
            asked = f"was requested {counted(len(same), 'time')}, and" if same else "was enabled, but"
            failed = " (it could not be injected)" if any(episode.failed for episode in same) else ""
            yield Finding(kind="never-started", summary=f"{name} {asked} never started{failed}")


def _idle_cuts(found: tuple[Episode, ...]) -> Iterator[Finding]:
    """Find cut links over which traffic came by and none was dropped: the cut was asked for, and was not there."""
    for episode in found:
        leaking = [link for link, (seen, dropped) in episode.traffic.items() if seen > 0 and not dropped]
        if episode.is_cut and leaking:
            summary = f"cut {episode.id} ({episode.name}) dropped nothing on {listed(map(shown, leaking), at_most=4)}"
            lines = tuple(f"{shown(link)}: {episode.traffic[link][0]} came by, none dropped" for link in leaking[:10])
            yield Finding(kind="cut-nothing", summary=summary, evidence=lines)


def _too_little(history: History) -> Iterator[Finding]:
    """Find too little success: ten puts, ten gets and a twentieth of everything is a low bar that dead stores miss.

    A run whose operations were given is as large as somebody wanted it.
    """
    if history.run.scripted and any(is_acknowledged(operation) for operation in history.operations):
        return
    operations = history.operations
    succeeded = [operation for operation in operations if is_acknowledged(operation)]
    for f in (PUT, GET):
        number = sum(operation.invoked.f == f for operation in succeeded)
        if number < _SUCCEEDED_MIN:
            summary = f"only {counted(number, f)} succeeded, fewer than {_SUCCEEDED_MIN}"
            yield Finding(kind="too-little", summary=summary)
    if operations and len(succeeded) < _SHARE_MIN * len(operations):
        summary = (
            f"only {len(succeeded)} of {counted(len(operations), 'operation')} succeeded, less than {_SHARE_MIN:.0%}"
        )
        yield Finding(kind="too-little", summary=summary)


def _incomplete(history: History) -> Iterator[Finding]:
    if final_round(history) is None:
        yield Finding(kind="no-dump", summary="no replica was dumped at the end")
    if history.ended is None:
        yield Finding(kind="interrupted", summary="the history has no end: the run was killed")
    elif history.ended.interrupted is not None:
        yield Finding(kind="interrupted", summary=f"the run was interrupted: {history.ended.interrupted}")
