"""Run seeds somewhere: in processes of this machine, or on a Dask cluster.

Chunks of seeds go out, lists of results come back, in any order. No worker knows of another, and none keeps anything
between two seeds. This file knows processes and clusters. It does not know which seeds are wanted, or why.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from itertools import islice
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any, Protocol, TypeVar

from multiprocessing_logging import MultiProcessingHandler

from harness.contracts import WorldError
from harness.explore.seeds import Asked, SeedResult, run_seed, trace_of
from harness.interrupts import uninterrupted

T = TypeVar("T")

Chunk = tuple[int, ...]

AHEAD = 2
"""How many chunks are handed out for each worker, so that none waits for its next."""

log = logging.getLogger(__name__)


class Workers(Protocol):
    """Something that runs chunks of seeds."""

    def run(self, chunks: Iterable[Chunk]) -> Iterator[list[SeedResult]]:
        """Run all chunks; each list of results comes as soon as it is there."""

    def again(self, seed: int) -> Future[SeedResult]:
        """Run one seed in a process that has run none of the chunks, under another hash seed."""

    def trace(self, seed: int) -> Future[list[str]]:
        """Every event of one seed, as that other process sees it."""


def run_chunk(asked: Asked, chunk: Chunk) -> list[SeedResult]:
    """Run seeds one after the other; what a worker does."""
    results = []
    for seed in chunk:
        result = run_seed(asked, seed)
        log.info("seed %d: %s, %d events, %.3f s", seed, result.answer.value, result.events, result.cpu_s)
        results.append(result)
    return results


class Elsewhere:
    """One process on this machine, for what is run again."""

    def __init__(self, asked: Asked, pool: ProcessPoolExecutor) -> None:
        self._asked = asked
        self._other = pool

    def again(self, seed: int) -> Future[SeedResult]:
        """Run one seed there."""
        return submit(self._other, run_seed, self._asked, seed)

    def trace(self, seed: int) -> Future[list[str]]:
        """Every event of one seed there."""
        return submit(self._other, trace_of, self._asked, seed)


class LocalWorkers(Elsewhere):
    """A pool of processes on this machine, and one process more for seeds that are run again."""

    def __init__(self, asked: Asked, jobs: int, pool: ProcessPoolExecutor, other: ProcessPoolExecutor) -> None:
        super().__init__(asked, other)
        self._jobs = jobs
        self._pool = pool

    def run(self, chunks: Iterable[Chunk]) -> Iterator[list[SeedResult]]:
        """Run all chunks."""
        waiting = iter(chunks)
        under_way = dict.fromkeys(self._submitted(islice(waiting, self._jobs * AHEAD)))
        try:
            while under_way:
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in [future for future in under_way if future in done]:
                    del under_way[future]
                    under_way.update(dict.fromkeys(self._submitted(islice(waiting, 1))))
                    yield future.result()
        finally:
            for future in under_way:
                future.cancel()

    def _submitted(self, chunks: Iterable[Chunk]) -> list[Future[list[SeedResult]]]:
        return [submit(self._pool, run_chunk, self._asked, chunk) for chunk in chunks]


class DaskWorkers(Elsewhere):
    """A Dask cluster, which must have this very code."""

    def __init__(self, asked: Asked, client: Any, other: ProcessPoolExecutor) -> None:
        super().__init__(asked, other)
        self._client = client

    def run(self, chunks: Iterable[Chunk]) -> Iterator[list[SeedResult]]:
        """Run all chunks."""
        from distributed import as_completed  # noqa: PLC0415 - an extra

        waiting, threads = iter(chunks), sum(self._client.nthreads().values())
        under_way = as_completed(self._submitted(islice(waiting, max(1, threads) * AHEAD)))
        for future in under_way:
            for more in self._submitted(islice(waiting, 1)):
                under_way.add(more)
            yield future.result()

    def _submitted(self, chunks: Iterable[Chunk]) -> list[Any]:
        return [self._client.submit(run_chunk, self._asked, chunk, pure=False) for chunk in chunks]


def submit(pool: ProcessPoolExecutor, work: Callable[..., T], *arguments: Any) -> Future[T]:
    """Hand work out; the pool may start a process for it, which a Ctrl-C at the terminal must not reach."""
    with uninterrupted():
        return pool.submit(work, *arguments)


@contextmanager
def local(asked: Asked, jobs: int, log_file: Path) -> Iterator[LocalWorkers]:
    """Processes of this machine, with a log that all of them write to."""
    with ExitStack() as stack:
        queue = stack.enter_context(_merged_log(log_file))
        pool = stack.enter_context(_pool(jobs, "0", queue))
        other = stack.enter_context(_pool(1, "4711", queue))
        yield LocalWorkers(asked, jobs, pool, other)


@contextmanager
def dask(asked: Asked, address: str, log_file: Path) -> Iterator[DaskWorkers]:
    """The workers of a Dask scheduler at this address; raises `WorldError` when there is none."""
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise WorldError("--dask needs the extra: pip install 'keelhaul[dask]'") from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise WorldError(f"--dask {address}: no scheduler answers there ({error})") from error
    with client, _merged_log(log_file) as queue, _pool(1, "4711", queue) as other:
        yield DaskWorkers(asked, client, other)


@contextmanager
def _merged_log(path: Path) -> Iterator[Any]:
    """A file that takes the log of every worker."""
    multiprocessing.set_start_method("spawn", force=True)  # the library's queues belong to the default one
    file = logging.FileHandler(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)-8s %(message)s"))
    handler: Any = MultiProcessingHandler("workers", sub_handler=file)
    try:
        yield handler.queue
    except BaseException:
        handler._is_closed = True  # the queue of a worker that was killed may be locked for good
        raise
    else:
        handler.close()
        file.close()


@contextmanager
def _pool(jobs: int, hash_seed: str, queue: Any) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes under this hash seed."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = hash_seed
    with ExitStack() as stack:
        try:
            pool = stack.enter_context(worker_pool(jobs, queue))
            for future in [submit(pool, os.getpid) for _ in range(jobs)]:
                future.result()
        finally:
            del os.environ["PYTHONHASHSEED"]
            os.environ.update({} if before is None else {"PYTHONHASHSEED": before})
        yield pool


@contextmanager
def worker_pool(jobs: int, queue: Any = None) -> Iterator[ProcessPoolExecutor]:
    """A pool of spawned processes. They end when their parent does, however it ends, and at once when what they are
    for is given up.
    """
    before = [process.pid for process in multiprocessing.active_children()]
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=begin_worker, initargs=(queue, sys.path))
    try:
        yield pool
    except BaseException:
        for process in multiprocessing.active_children():
            if process.pid not in before:
                process.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    else:
        pool.shutdown(wait=True, cancel_futures=True)


def begin_worker(queue: Any, path: list[str]) -> None:
    """Make a fresh process a worker; its log goes into the queue, if there is one."""
    from node.runtime.process import die_with_parent  # noqa: PLC0415 - in the child only

    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the exploration, in good order
    sys.path[:] = path
    sys.stdout = sys.stderr  # what a node prints is no result
    if queue is not None:
        logging.getLogger().addHandler(QueueHandler(queue))
        logging.getLogger().setLevel(logging.INFO)
