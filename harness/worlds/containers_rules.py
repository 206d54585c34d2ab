"""Real partitions: packets of one node dropped by the kernel at another, inside the namespace of that node's holder.

A directed link is cut where it ends, by the address where it begins. All rules of a node stand in one chain of our
own, which is rewritten as a whole in one transaction; the same `exec` reads the counters before it, because rewriting
resets them, and what is in force after it, because a request proves nothing.

This file knows rules, their counters and addresses. It does not know which process runs behind an address, and it
never touches the host's rules.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from nemesis.cures import each, to_the_end
from nemesis.powers import Cut, Link, PowerError, Traffic

CHAIN = "KEELHAUL"
EMPTY = f"*filter\n:{CHAIN} - [0:0]\nCOMMIT\n"
BEGIN = f"*filter\n:{CHAIN} - [0:0]\n-A INPUT -j {CHAIN}\nCOMMIT\n"
"""Makes the chain. Once for a namespace: a second time would add a second jump."""

APART = "# rewritten"
RESTORE = 'printf %s "$1" | iptables-restore --noflush -w 5'
REWRITE = f"set -e; iptables-save -c -t filter; {RESTORE}; echo '{APART}'; iptables-save -t filter"

Execute = Callable[[str, str, str], Awaitable[str]]
"""Run a shell script in a node's holder, with one argument, and return what it printed; raises `PowerError`."""

_counted = re.compile(rf"^\[(\d+):\d+\] -A {CHAIN} -s ([\d.]+)(?:/32)? -j DROP$", re.MULTILINE)
_standing = re.compile(rf"^-A {CHAIN} -s ([\d.]+)(?:/32)? -j DROP$", re.MULTILINE)


def chain(sources: Iterable[str]) -> str:
    """The whole chain that drops what comes from these addresses, as `iptables-restore` reads it."""
    rules = "".join(f"-A {CHAIN} -s {source} -j DROP\n" for source in sources)
    return f"*filter\n:{CHAIN} - [0:0]\n{rules}COMMIT\n"


def counters(saved: str) -> dict[str, int]:
    """How many packets each rule has dropped, by source address, from `iptables-save -c`."""
    return {source: int(packets) for packets, source in _counted.findall(saved)}


def in_force(saved: str) -> list[str]:
    """Which addresses are dropped, in the order of the rules, from `iptables-save`."""
    return _standing.findall(saved)


class Cuts:
    """The power to cut links, in any number of cuts at a time, as long as no two of them share a link."""

    def __init__(self, addresses: Mapping[str, str], execute: Execute) -> None:
        self.nodes = tuple(addresses)
        self._addresses = dict(addresses)
        self._execute = execute
        self._wanted: dict[str, dict[str, Traffic]] = {node: {} for node in addresses}
        self._in_force: dict[str, dict[str, Traffic]] = {node: {} for node in addresses}
        self._turns: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def cut(self, links: Sequence[Link]) -> AsyncIterator[Cut]:
        """Drop these links' packets. A rule sees only what it drops, so both numbers of a link are the same.

        The entry ends when every rule was seen in force; when one cannot be had, or it is cancelled, none stays.
        """
        traffic = {link: Traffic() for link in links}
        targets = tuple(dict.fromkeys(target for _, target in traffic))
        self._want(traffic)
        try:
            await to_the_end(each(targets, self._rewrite))
            yield traffic
        finally:
            for source, target in traffic:
                del self._wanted[target][self._addresses[source]]
            await to_the_end(each(targets, self._rewrite))

    def _want(self, traffic: Mapping[Link, Traffic]) -> None:
        taken = [link for link in traffic if self._addresses[link[0]] in self._wanted[link[1]]]
        if taken:
            raise PowerError(f"cut already: {', '.join(f'{source}>{target}' for source, target in taken)}")
        for (source, target), count in traffic.items():
            self._wanted[target][self._addresses[source]] = count

    async def _rewrite(self, node: str) -> None:
        """Bring a node's rules to what is wanted now, after taking over what the old ones counted."""
        async with self._turns.setdefault(node, asyncio.Lock()):
            wanted = dict(self._wanted[node])
            said = await self._execute(node, REWRITE, chain(wanted))
            before, _, after = said.partition(APART)
            self._count(self._in_force[node] | wanted, counters(before))
            self._in_force[node] = wanted
            if sorted(in_force(after)) != sorted(wanted):
                raise PowerError(f"{node}: wanted packets from {_list(wanted)} dropped; {_list(in_force(after))} are")

    def _count(self, rules: Mapping[str, Traffic], counted: Mapping[str, int]) -> None:
        for source, packets in counted.items():
            if source in rules:
                rules[source].seen += packets
                rules[source].dropped += packets


def _list(addresses: Iterable[str]) -> str:
    return ", ".join(sorted(addresses)) or "nobody"
