"""Making reviews ready for the model: when it is their turn on a CPU, ahead of it for a GPU.

On a CPU, all cores belong to the model's products, and a second thread would only take its share of
them. A GPU takes reviews faster than one core makes them ready, so processes do that, each with a
tokenizer and a lexical model of its own.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from drugmon import signals
from drugmon.data.reviews import Texts
from drugmon.errors import DrugmonError
from drugmon.models.classifiers.lexical import LexicalModel
from drugmon.models.tokens.flat import FlatItems
from drugmon.models.tokens.prepared import Prepared

if TYPE_CHECKING:
    from drugmon.models.classifiers.classifier import Tokenizer

MOST_WORKERS: Final = 8
FEW_CORES: Final = 2
"""With so few, the other one goes to the thread that launches the GPU's work."""

# In a worker process: what it was started with.
_preparer: Preparer


@dataclass(frozen=True)
class Ready:
    """Reviews as the model reads them, and what the lexical model says of them.

    `lexical` per target float32 (n, 3), None where the adapter has no lexical model. Pickles
    compactly, as it travels from process to process.
    """

    prepared: Prepared
    lexical: Mapping[str, npt.NDArray[np.float32]] | None

    def __reduce__(self) -> tuple[object, ...]:
        return _ready, (FlatItems.of(self.prepared.items), self.prepared.places, self.lexical)


@dataclass(frozen=True)
class Preparer:
    """What makes reviews ready: the lexical model reads the same tokens as the model."""

    tokenizer: Tokenizer
    lexical: LexicalModel | None

    def prepare(self, reviews: Sequence[Texts]) -> Ready:
        """Tokenise, lay out, and ask the lexical model."""
        prepared = self.tokenizer.prepare(reviews)
        lexical = self.lexical.log_probs(prepared.tokens) if self.lexical else None
        return Ready(replace(prepared, tokens=()), lexical)


@dataclass(frozen=True)
class Job:
    """Reviews to be scored together; `ready` waits for them to be ready, or makes them so."""

    reviews: Sequence[Texts]
    ready: Callable[[], Ready]


class Feed:
    """Gives the model its reviews.

    Args:
        preparer: what makes them ready; has to pickle where there are several workers.
        workers: 0 to make them ready in the calling thread when they are asked for; 1 for a thread,
            more for so many processes that begin as soon as they are submitted.
    """

    def __init__(self, preparer: Preparer, workers: int) -> None:
        self._preparer, self._workers = preparer, workers
        self._pool: Executor | None = None

    def now(self, reviews: Sequence[Texts]) -> Job:
        """Reviews that are made ready when they are asked for."""
        return Job(reviews, partial(self._preparer.prepare, reviews))

    def submit(self, reviews: Sequence[Texts]) -> Job:
        """Reviews that may be made ready from now on.

        Raises:
            DrugmonError: here or where they are asked for: a worker was killed.
        """
        if not self._workers:
            return self.now(reviews)
        self._pool = self._pool or self._start()
        work = self._preparer.prepare if self._workers == 1 else _prepare
        # Processes are started as work comes.
        with _told_of_dead_workers(), signals.spawning():
            future = self._pool.submit(work, reviews)

        def ready() -> Ready:
            with _told_of_dead_workers():
                return future.result()

        return Job(reviews, ready)

    def close(self) -> None:
        """End the workers; what they have not begun is left."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _start(self) -> Executor:
        if self._workers == 1:
            return ThreadPoolExecutor(1, thread_name_prefix="drugmon-feed")
        # Not forked: locks that other threads hold would stay locked, and CUDA does not survive it.
        spawn = get_context("spawn")
        return ProcessPoolExecutor(self._workers, spawn, _begin, (self._preparer,))


def workers_for_gpu() -> int:
    """How many workers keep a GPU fed with the cores that this process may use."""
    cores = len(os.sched_getaffinity(0))
    return 1 if cores <= FEW_CORES else min(MOST_WORKERS, cores - 1)


def _ready(
    items: FlatItems,
    places: Mapping[str, npt.NDArray[np.int64]],
    lexical: Mapping[str, npt.NDArray[np.float32]] | None,
) -> Ready:
    return Ready(Prepared(items.items(), places, ()), lexical)


@contextlib.contextmanager
def _told_of_dead_workers() -> Iterator[None]:
    try:
        yield
    except BrokenExecutor:
        signals.check()  # a SIGTERM to the whole group ended the workers too
        raise DrugmonError(
            "a process that tokenises reviews was ended from outside, as when memory runs out; "
            "run the same command again: it goes on where this one was"
        ) from None


def _begin(preparer: Preparer) -> None:
    """Set up a worker process."""
    global _preparer
    _preparer = preparer
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the other cores have workers of their own
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Leave no orphan where the parent is killed: its end of the queue of work is open here too."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _prepare(reviews: Sequence[Texts]) -> Ready:
    return _preparer.prepare(reviews)
