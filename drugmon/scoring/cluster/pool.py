"""Handing pieces to workers: whoever is free gets the next one, what is lost is handed out again.

A worker that dies takes nothing with it but the piece at hand. How often that may happen is
bounded, so that a review that brings down its worker ends the run, and not the night.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from drugmon.data.verdicts.parts import Piece
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import ClusterGoneError, DrugmonError
from drugmon.scoring.cluster.connection import Size, import_ray, reached, wait_for_head
from drugmon.scoring.cluster.worker import Done, Setup, Worker
from drugmon.version import __version__

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle


MOST_TRIES: Final = 4
"""Workers that one piece may lose, and that may die one after the other before the first piece."""

_TICK_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Counts:
    """Rows of the pieces at hand: how many are done, and how many of them the model scored."""

    done: int = 0
    scored: int = 0


class _Board:
    """Where workers tell how far they are with a piece; the last word about it counts."""

    def __init__(self) -> None:
        self._pieces: dict[str, tuple[int, int]] = {}

    def tell(self, key: str, done: int, scored: int) -> None:
        """Note where a worker is."""
        self._pieces[key] = (done, scored)

    def read(self, keys: Sequence[str]) -> tuple[int, int]:
        """Rows done and scored of these pieces; the others are forgotten."""
        self._pieces = {key: self._pieces[key] for key in keys if key in self._pieces}
        counts = list(self._pieces.values())
        return sum(done for done, _ in counts), sum(scored for _, scored in counts)


class _Remote(Worker):
    """A worker as Ray starts it, in a process of its own."""

    def __init__(self, setup: Setup, reuse: Reuse, board: ActorHandle) -> None:
        self._said = 0.0

        def report(key: str, done: int, scored: int) -> None:
            if time.monotonic() - self._said >= _TICK_SECONDS:
                self._said = time.monotonic()
                board.tell.remote(key, done, scored)

        super().__init__(setup, reuse, report)


class Pool:
    """Workers of a cluster. Use it as a context manager: leaving it ends them.

    Args:
        setup: what they have to know.
        reuse: verdicts that are there already.
        size: how many, and what each takes.
        warn: is told, in one sentence, when none can start for a while.

    Raises:
        ClusterGoneError: the cluster does not answer any more.
    """

    def __init__(self, setup: Setup, reuse: Reuse, size: Size, warn: Callable[[str], None]) -> None:
        self._ray = import_ray()
        self._size, self._warn = size, warn
        with reached(self._ray):
            self._setup, self._reuse = self._ray.put(setup), self._ray.put(reuse)
            self._board = self._ray.remote(_Board).options(num_cpus=0).remote()
        self._joining: dict[Any, Any] = {}
        self._working: dict[Any, tuple[Any, Piece]] = {}
        self._began, self._deaths = time.monotonic(), 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, ClusterGoneError):
            return
        workers = [*self._joining.values(), *(worker for worker, _ in self._working.values())]
        with contextlib.suppress(ClusterGoneError):
            for worker in [*workers, self._board]:
                with contextlib.suppress(self._ray.exceptions.RayError), reached(self._ray):
                    self._ray.kill(worker)

    def scored(
        self, pieces: Sequence[Piece], on_progress: Callable[[Counts], None]
    ) -> Iterator[Done]:
        """Yield what became of each piece, in the order in which they are done.

        Raises:
            DrugmonError: what a worker raised, or too many of them died.
            ClusterGoneError: the cluster does not answer any more.
        """
        waiting, tries = deque(pieces), Counter[str]()
        for _ in range(min(self._size.workers, len(waiting))):
            self._start()
        while waiting or self._working:
            refs = [*self._joining, *self._working]
            with reached(self._ray):
                ready, _ = self._ray.wait(refs, timeout=_TICK_SECONDS)
            for ref in ready:
                worker, piece = self._working.pop(ref, (self._joining.pop(ref, None), None))
                answer = self._answer(ref, piece, tries)
                if isinstance(answer, Done):
                    yield answer
                if answer is None and piece is not None:
                    waiting.appendleft(piece)
                if answer is None:
                    self._start()
                elif waiting:
                    self._hand(worker, waiting.popleft())
            on_progress(self._counts())
            self._lose_patience()

    def _start(self) -> None:
        wait_for_head(self._size.head)
        with reached(self._ray):
            remote = self._ray.remote(_Remote).options(
                num_cpus=self._size.cpus,
                num_gpus=self._size.gpus,
                max_restarts=0,
                max_task_retries=0,
            )
            worker = remote.remote(self._setup, self._reuse, self._board)
            self._joining[worker.check.remote()] = worker

    def _hand(self, worker: ActorHandle, piece: Piece) -> None:
        with reached(self._ray):
            self._working[worker.score.remote(piece)] = worker, piece

    def _answer(
        self, ref: ObjectRef, piece: Piece | None, tries: Counter[str]
    ) -> Done | bool | None:
        """What a worker answered: True where it is there; None where it died, which is counted."""
        try:
            with reached(self._ray):
                answer: Done | None = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, DrugmonError):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayError as error:
            self._deaths += 1
            key = piece.key if piece else ""
            tries[key] += 1
            if tries[key] >= MOST_TRIES:
                raise _too_many(piece, error) from error
            return None
        tries[""] = 0
        return True if answer is None else answer

    def _counts(self) -> Counts:
        keys = [piece.key for _, piece in self._working.values()]
        with contextlib.suppress(self._ray.exceptions.RayError), reached(self._ray):
            return Counts(*self._ray.get(self._board.read.remote(keys)))
        return Counts()

    def _lose_patience(self) -> None:
        if self._working or time.monotonic() - self._began < _PATIENCE_SECONDS:
            self._began = time.monotonic() if self._working else self._began
            return
        self._began = float("inf")
        gpus = f" and {self._size.gpus:g} GPUs" if self._size.gpus else ""
        self._warn(
            f"no worker has started yet: the cluster has no room for one of {self._size.cpus} "
            f"cores{gpus}; waiting for it"
        )


def _too_many(piece: Piece | None, error: Exception) -> DrugmonError:
    if "No module named" in str(error):
        return DrugmonError(
            f"the workers lack what drugmon {__version__} needs: install the same "
            "drugmon[ray] on all machines"
        )
    reason = next((line for line in map(str.strip, reversed(str(error).splitlines())) if line), "")
    at = f"rows {piece.start} to {piece.stop} of {piece.source.name}" if piece else "their start"
    return DrugmonError(
        f"{MOST_TRIES} workers died at {at}, as when memory runs out ({reason[:200]}); what is "
        "finished is kept: run again, with fewer --workers or smaller --batch-tokens"
    )
