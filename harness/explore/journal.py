"""Keep what an exploration has found out, so that killing it loses nothing: a file of results, and one of bad seeds.

An exploration lies in a directory of its own, named after what was asked for and the code that was run: the same
command goes on where it was ended, and other code begins anew. Seeds that were not valid are remembered beside it for
all code, and tried first the next time (`seeds.jsonl`), those that fail fast before the others.

This file knows files and lines. It does not know how a seed is run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import msgspec

from checkers.verdict import Answer
from harness.explore.seeds import Asked, SeedResult
from harness.spec import UsageError

ASKED = "explore.json"
RESULTS = "results.jsonl"
SEEDS = "seeds.jsonl"

PACKAGES = ("node", "nemesis", "checkers", "harness")
BAD_MAX = 1000
"""How many bad seeds of one question are remembered; the oldest ones go first."""


class BadSeed(msgspec.Struct, frozen=True):
    """A seed that was not valid once: of which question, what it showed, and what it cost in processor seconds."""

    asked: Asked
    seed: int
    kinds: tuple[str, ...]
    cpu_s: float


@cache
def code_digest() -> str:
    """A digest of all the code that a simulated run depends on, 12 hexadecimal digits."""
    digest, root = hashlib.blake2b(digest_size=6), Path(__file__).parents[2]
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _variant_digest(asked: Asked) -> bytes:
    """The text of a node with a planted bug, which lies anywhere."""
    import importlib.util  # noqa: PLC0415 - for those who plant bugs

    variant = asked.options.get("variant")
    found = importlib.util.find_spec(str(variant)) if variant else None
    return Path(found.origin).read_bytes() if found is not None and found.origin else b""


class Journal:
    """The results of one exploration, in `directory`; only what is new is appended."""

    def __init__(self, root: Path, asked: Asked, part: str = "") -> None:
        identity = msgspec.json.encode(asked, order="sorted") + code_digest().encode() + _variant_digest(asked)
        name = hashlib.blake2b(identity, digest_size=4).hexdigest()
        self.directory = root / "explore" / f"{asked.scenario}-{name}"
        self._asked = asked
        self._corpus = root / SEEDS
        self.file = self.directory / (f"results-{part}.jsonl" if part else RESULTS)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--runs {root}: {error.strerror}; give a directory that can be written to") from error
        (self.directory / ASKED).write_bytes(msgspec.json.format(msgspec.json.encode(asked)) + b"\n")

    def results(self) -> dict[int, SeedResult]:
        """What was found out before, by seed; a torn last line is cut off."""
        if not self.file.exists():
            return {}
        whole = _whole_lines(self.file)
        return {result.seed: result for result in whole}

    def add(self, results: Iterable[SeedResult]) -> None:
        """Append results, and remember the seeds among them that were not valid."""
        with self.file.open("ab") as file:
            for result in results:
                file.write(msgspec.json.encode(result) + b"\n")
        bad = [result for result in results if result.answer is not Answer.VALID]
        if bad:
            self._remember(bad)

    def bad_seeds(self) -> list[int]:
        """The seeds of this question that were not valid before, those that are quick to run first."""
        known = [bad for bad in _bad_seeds(self._corpus) if bad.asked == self._asked]
        return list(dict.fromkeys(bad.seed for bad in sorted(known, key=lambda bad: (bad.cpu_s, bad.seed))))

    def _remember(self, results: Iterable[SeedResult]) -> None:
        known = {(bad.seed, bad.kinds) for bad in _bad_seeds(self._corpus) if bad.asked == self._asked}
        with self._corpus.open("ab") as file:
            for result in results:
                bad = BadSeed(self._asked, result.seed, tuple(result.kinds), result.cpu_s)
                if (bad.seed, bad.kinds) not in known and len(known) < BAD_MAX:
                    file.write(msgspec.json.encode(bad) + b"\n")


def _bad_seeds(corpus: Path) -> Iterator[BadSeed]:
    if corpus.exists():
        for line in corpus.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line, type=BadSeed)
            except msgspec.DecodeError:
                continue  # a torn line, or one of an older format: it can be found again


def _whole_lines(path: Path) -> list[SeedResult]:
    """The results of a file; a last line that was torn by a kill is taken off the file, damage elsewhere is told."""
    data = path.read_bytes()
    whole, newline, torn = data.rpartition(b"\n")
    if torn:
        path.write_bytes(whole + newline)
    return list(read(whole, path))


def read(data: bytes, path: Path) -> Iterator[SeedResult]:
    """Results out of the lines of a file; raises `UsageError` for a line that is none."""
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            yield msgspec.json.decode(line, type=SeedResult)
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}:{number} is no result of a seed: {error}") from error
