"""Requests gathered into batches: what comes while one batch computes is the next one.

The event loop's thread owns all that is here, but for the one thread that computes.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from drugmon.data.reviews import Texts
from drugmon.serving.service.problems import Problem
from drugmon.serving.service.rows import rows_of

Row = dict[str, Any]

BATCH_TOKENS: Final = {"cpu": 8_192, "cuda": 262_144}
"""What is computed in one go, two batches of the engine: enough to fill them, few enough that a
request that comes meanwhile waits no longer than that."""

CHARACTERS_PER_TOKEN: Final = 4
MOST_TOKENS: Final = 512
"""Of one review: no adapter reads more at a time."""

SHARE: Final = 64
"""Reviews that one request has computed in one go while others wait."""


@dataclass(eq=False)
class Waiting:
    """A request's reviews: `taken` of them are computed or being computed, `rows` are done."""

    reviews: Sequence[Texts]
    done: asyncio.Future[list[Row]]
    taken: int = 0
    rows: list[Row] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many are not yet taken."""
        return len(self.reviews) - self.taken


@dataclass(frozen=True)
class RequestPart:
    """Consecutive reviews of one request, to be computed now."""

    waiting: Waiting
    reviews: Sequence[Texts]


class Batcher:
    """Where requests wait for the engine.

    Args:
        judge: gives reviews their verdicts; it is called in one thread.
        batch_tokens: about so many tokens are computed in one go.
        max_wait: seconds that a review may wait for others to be computed with.
        max_queue: reviews that may wait.
        on_batch: is told of each batch: its verdicts, and the seconds it took.
        load: loads all weights; it is called in the same thread.
    """

    def __init__(
        self,
        judge: Callable[[Sequence[Texts]], pa.RecordBatch],
        *,
        batch_tokens: int,
        max_wait: float,
        max_queue: int,
        on_batch: Callable[[pa.RecordBatch, float], None] = lambda _verdicts, _seconds: None,
        load: Callable[[], None] = lambda: None,
    ) -> None:
        self._judge, self._on_batch, self._load = judge, on_batch, load
        self._batch_tokens, self._max_wait, self._max_queue = batch_tokens, max_wait, max_queue
        self._queue: deque[Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="drugmon-engine")
        self._task: asyncio.Task[None] | None = None
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._seconds_per_review = 0.01
        self._requests = 1  # in the batch before
        self.waiting = 0

    def warm(self) -> None:
        """Load the weights, in the thread that computes.

        Raises:
            DrugmonError: they cannot be loaded.
        """
        self._thread.submit(self._load).result()
        self._thread.submit(self._judge, [Texts("good", "good", "good", None)]).result()

    def start(self) -> None:
        """Begin; needs the event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what still waits is cancelled."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for waiting in list(self._queue):
            waiting.done.cancel()
        self._thread.shutdown(cancel_futures=True)

    def submit(self, reviews: Sequence[Texts]) -> asyncio.Future[list[Row]]:
        """Queue reviews; cancel what is returned, and those not yet begun are not computed.

        Raises:
            Problem: the queue is full.
        """
        if self.waiting + len(reviews) > self._max_queue:
            seconds = max(1, math.ceil(self.waiting * self._seconds_per_review))
            raise Problem(
                429,
                "queue-full",
                f"{self.waiting:,} reviews wait already and {self._max_queue:,} may; send these "
                f"again in {seconds} s, or use /v1/score/stream, which waits for room",
                {"Retry-After": str(seconds)},
            )
        done = asyncio.get_running_loop().create_future()
        waiting = Waiting(reviews, done)
        self._queue.append(waiting)
        self._count(len(reviews))
        done.add_done_callback(lambda _done: self._forget(waiting))
        return done

    async def submit_when_room(self, review: Texts) -> asyncio.Future[list[Row]]:
        """Queue a review as soon as there is room for it."""
        while self.waiting >= self._max_queue:
            self._room.clear()
            await self._room.wait()
        return self.submit([review])

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._gathered()
            if parts := self._take():
                self._requests = len(parts)
                start = time.perf_counter()
                outcomes = await loop.run_in_executor(self._thread, self._compute, parts)
                self._hand_out(parts, outcomes, time.perf_counter() - start)

    async def _gathered(self) -> None:
        """Wait for a first review, and then a moment for as many requests as came last time.

        Clients that were answered together ask again together; one that is alone is not kept.
        """
        while not self.waiting:
            self._arrived.clear()
            await self._arrived.wait()
        if any(waiting.taken for waiting in self._queue):
            return  # the rest of a request has waited already
        deadline = time.monotonic() + self._max_wait
        while (
            len(self._queue) < self._requests
            and (left := deadline - time.monotonic()) > 0
            and not self._is_full()
        ):
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), left)

    def _is_full(self) -> bool:
        """Whether the queue has a batch, at the least."""
        tokens = 0
        for waiting in self._queue:
            for review in waiting.reviews[waiting.taken :]:
                tokens += tokens_of(review)
                if tokens >= self._batch_tokens:
                    return True
        return False

    def _take(self) -> list[RequestPart]:
        """The next batch: of each request some, in turn, so that a large one stops no small one."""
        tokens, parts = 0, []
        while self._queue and tokens < self._batch_tokens:
            waiting = self._queue.popleft()
            if waiting.done.done():
                continue  # its client has left; `_forget` takes it out of the count
            start = end = waiting.taken
            most = min(len(waiting.reviews), start + SHARE)
            while end < most and tokens < self._batch_tokens:
                tokens += tokens_of(waiting.reviews[end])
                end += 1
            waiting.taken = end
            self._count(start - end)
            parts.append(RequestPart(waiting, waiting.reviews[start:end]))
            if waiting.left:
                self._queue.append(waiting)
        return parts

    def _compute(self, parts: Sequence[RequestPart]) -> list[list[Row] | Exception]:
        """Rows of each part, or what kept them: where a batch fails, each request is by itself."""
        try:
            verdicts, seconds = self._timed([review for part in parts for review in part.reviews])
        except Exception as error:
            if len(parts) == 1:
                return [error]
            return [outcome for part in parts for outcome in self._compute([part])]
        self._on_batch(verdicts, seconds)
        rows = iter(rows_of(verdicts))
        return [[next(rows) for _ in part.reviews] for part in parts]

    def _timed(self, reviews: Sequence[Texts]) -> tuple[pa.RecordBatch, float]:
        start = time.perf_counter()
        return self._judge(reviews), time.perf_counter() - start

    def _hand_out(
        self,
        parts: Sequence[RequestPart],
        outcomes: Sequence[list[Row] | Exception],
        seconds: float,
    ) -> None:
        size = sum(len(part.reviews) for part in parts)
        self._seconds_per_review += 0.2 * (seconds / size - self._seconds_per_review)
        for part, rows in zip(parts, outcomes, strict=True):
            done = part.waiting.done
            if done.done():
                continue
            if isinstance(rows, Exception):
                done.set_exception(rows)
                continue
            part.waiting.rows += rows
            if len(part.waiting.rows) == len(part.waiting.reviews):
                done.set_result(part.waiting.rows)

    def _forget(self, waiting: Waiting) -> None:
        """Leave out what is not begun of a request that has ended early."""
        if waiting.left:
            with contextlib.suppress(ValueError):
                self._queue.remove(waiting)
            self._count(-waiting.left)

    def _count(self, change: int) -> None:
        self.waiting += change
        (self._arrived if change > 0 else self._room).set()


def tokens_of(review: Texts) -> int:
    """About how many tokens a review has."""
    characters = sum(len(text) for text in review if text)
    return min(MOST_TOKENS, 4 + characters // CHARACTERS_PER_TOKEN)
