"""Keep what an exploration has found out, so that killing it loses nothing: a file of results, and one of bad seeds.

An exploration lies in a directory of its own, named after what was asked for and the code that was run: the same
command goes on where it was ended, and other code begins anew. Seeds that were not valid are remembered beside it for
all code, and tried first the next time (`seeds.jsonl`), those that fail fast before the others.

This file knows files and lines. It does not know how a seed is run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from checkers.verdict import Answer
from harness.explore.seeds import Asked, Question, SeedResult
from harness.spec import UsageError

RESULTS = "results.jsonl"
SEEDS = "seeds.jsonl"

PACKAGES = ("node", "nemesis", "checkers", "harness")
BAD_MAX = 1000
"""How many bad seeds of one question are remembered; a question with more has a worse problem."""


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


class Again(msgspec.Struct, frozen=True):
    """What came of running a seed again: how it `differed`, or nothing."""

    seed: int
    differed: str | None


class Journal:
    """The results of one exploration, in `directory`; only what is new is appended. One process at a time."""

    def __init__(self, root: Path, asked: Asked, part: str = "") -> None:
        identity = msgspec.json.encode(asked, order="sorted") + code_digest().encode() + _variant_digest(asked)
        self.code = hashlib.blake2b(identity, digest_size=4).hexdigest()
        self.directory = root / "explore" / f"{asked.scenario}-{self.code}"
        self._asked = asked
        self._corpus = root / SEEDS
        self.file = self.directory / (f"results-{part}.jsonl" if part else RESULTS)
        self._again = self.file.with_name(self.file.name.replace("results", "again"))
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise UsageError(f"--runs {root}: {error.strerror}; give a directory that can be written to") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise UsageError(f"{self.file}: another process explores just this; wait, or take --shard") from error

    def close(self) -> None:
        """Let others explore the same."""
        os.close(self._lock)

    def ask(self, first: int, count: int, shard: int, shards: int) -> None:
        """Note down which seeds are wanted, so that whoever merges knows what is missing."""
        question = Question(asked=self._asked, code=self.code, first=first, count=count, shard=shard, shards=shards)
        if question not in self._answers()[0]:
            self._append(self.file, question)

    def results(self) -> dict[int, SeedResult]:
        """What was found out before, by seed; a torn last line is cut off."""
        return {result.seed: result for result in self._answers()[1]}

    def _answers(self) -> Answers:
        _cut_torn(self.file)
        return read(self.file.read_bytes(), self.file)

    def add(self, results: Sequence[SeedResult]) -> None:
        """Append results, and remember the seeds among them that were not valid."""
        self._append(self.file, *results)
        bad = [result for result in results if result.answer is not Answer.VALID]
        if bad:
            self._remember(bad)

    def repeated(self) -> dict[int, str | None]:
        """The seeds that were run again, and how each differed."""
        lines = self._again.read_bytes().splitlines() if self._again.exists() else []
        return {again.seed: again.differed for again in map(_again, lines) if again is not None}

    def add_repeated(self, seed: int, differed: str | None) -> None:
        """Append what came of running a seed again."""
        self._append(self._again, Again(seed, differed))

    def bad_seeds(self) -> list[int]:
        """The seeds of this question that were not valid before, those that are quick to run first."""
        known = [bad for bad in _bad_seeds(self._corpus) if bad.asked == self._asked]
        return list(dict.fromkeys(bad.seed for bad in sorted(known, key=lambda bad: (bad.cpu_s, bad.seed))))

    def _remember(self, results: Iterable[SeedResult]) -> None:
        known = {(bad.seed, bad.kinds): None for bad in _bad_seeds(self._corpus) if bad.asked == self._asked}
        for result in results:
            bad = BadSeed(self._asked, result.seed, tuple(result.kinds), result.cpu_s)
            if (bad.seed, bad.kinds) not in known and len(known) < BAD_MAX:
                known[bad.seed, bad.kinds] = None
                self._append(self._corpus, bad)

    def _append(self, path: Path, *entries: object) -> None:
        """Append lines; one that somebody left torn stays a line of its own."""
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        try:
            with path.open("a+b") as file:
                if file.tell() and _last_byte(file) != b"\n":
                    lines = b"\n" + lines
                file.write(lines)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; it takes what is found out") from error


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    last: bytes = file.read(1)
    return last


def _bad_seeds(corpus: Path) -> Iterator[BadSeed]:
    for line in corpus.read_bytes().splitlines() if corpus.is_file() else ():
        try:
            yield msgspec.json.decode(line, type=BadSeed)
        except msgspec.DecodeError:
            continue  # a torn line, or one of an older format


def _again(line: bytes) -> Again | None:
    try:
        return msgspec.json.decode(line, type=Again)
    except msgspec.DecodeError:
        return None  # torn: it is run again once more


def _cut_torn(path: Path) -> None:
    """Take a last line that was torn by a kill off the file; nothing else of it is touched."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)


Answers = tuple[list[Question], list[SeedResult]]


def read(data: bytes, path: Path) -> Answers:
    """Questions and results out of the lines of a file; raises `UsageError` for a line that is neither."""
    questions: list[Question] = []
    results: list[SeedResult] = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            entry = msgspec.json.decode(line, type=Question | SeedResult)
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}:{number} is no result of a seed: {error}; take the line out") from error
        questions += [entry] if isinstance(entry, Question) else []
        results += [entry] if isinstance(entry, SeedResult) else []
    return questions, results
