"""What the doors share: the model, the queue before it, the numbers, and the record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final

from drugmon.serving.service.batcher import BATCH_TOKENS, Batcher
from drugmon.serving.service.config import ServiceConfig
from drugmon.serving.service.metrics import Metrics
from drugmon.serving.service.problems import Problem
from drugmon.serving.service.recorder import Recorder
from drugmon.serving.service.rows import Row
from drugmon.serving.service.schemas import Review
from drugmon.serving.service.tokens import Tokens

if TYPE_CHECKING:
    from drugmon.data.reviews import Texts
    from drugmon.workflows.explain import Explanation
    from drugmon.workflows.model import Model

MOST_EXPLAINED: Final = 4
"""Explanations at a time: each takes as long as many verdicts."""


class Service:
    """A model that requests share.

    Args:
        model: what scores.
        config: how the service is set up.

    Raises:
        SettingsError: the tokens cannot be read.
        SinkError, BusyError: what is to be recorded into cannot be written.
    """

    def __init__(self, model: Model, config: ServiceConfig) -> None:
        self.model, self.config = model, config
        self.tokens = Tokens(config.tokens) if config.tokens else None
        self.recorder = Recorder(config.record, config.record_texts) if config.record else None
        self.metrics = Metrics(
            model.identity,
            lambda: self.batcher.waiting,
            lambda: self.recorder.dropped if self.recorder else 0,
        )
        self.batcher = Batcher(
            model.judge,
            batch_tokens=BATCH_TOKENS[model.device.partition(":")[0]],
            max_wait=config.max_wait,
            max_queue=config.max_queue,
            on_batch=self.metrics.batch,
            load=model.load,
        )
        self.draining = asyncio.Event()
        # Of their own: an event loop waits at its end for what its own threads compute.
        self._explainers = ThreadPoolExecutor(MOST_EXPLAINED, thread_name_prefix="drugmon-explain")
        self._explaining = 0

    async def explain(self, texts: Texts) -> dict[str, Explanation]:
        """Which words moved the verdicts of one review; it takes turns with scoring.

        Raises:
            Problem: too many wait for theirs.
        """
        if self._explaining >= MOST_EXPLAINED:
            raise Problem(
                429,
                "queue-full",
                f"{MOST_EXPLAINED} explanations are under way; ask again in 2 s",
                {"Retry-After": "2"},
            )
        self._explaining += 1
        try:
            given = {name: text for name, text in texts._asdict().items() if text}
            explain = partial(self.model.explain, **given)
            return await asyncio.get_running_loop().run_in_executor(self._explainers, explain)
        finally:
            self._explaining -= 1

    def start(self) -> None:
        """Begin to compute; needs the event loop."""
        self.batcher.start()
        if self.recorder:
            self.recorder.start()

    async def stop(self) -> None:
        """End, and keep what is to be kept; explanations that are late are left."""
        self._explainers.shutdown(wait=False, cancel_futures=True)
        await self.batcher.stop()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Keep what is to be kept, also where a second ^C let nothing come to its end."""
        if self.recorder:
            self.recorder.close()

    def check_texts(self, reviews: Sequence[Review]) -> None:
        """Refuse texts that are too long.

        Raises:
            Problem: one of them is.
        """
        most = self.config.max_text
        for number, review in enumerate(reviews):
            longest = max(len(text or "") for text in review.texts)
            if longest > most:
                place = f"reviews[{number}]: " if len(reviews) > 1 else ""
                raise Problem(
                    413,
                    "text-too-long",
                    f"{place}a text has {longest:,} characters and at most {most:,} are taken; "
                    "score it with `drugmon score`, which has no limit, or cut it, which may "
                    "change its verdict",
                )

    def answered(self, review: Review, row: Row) -> Row:
        """The answer for a review, its id before its verdict; recorded where that is asked."""
        if self.recorder:
            self.recorder.add(review, row)
        return {"id": review.id, **row} if review.id is not None else dict(row)
