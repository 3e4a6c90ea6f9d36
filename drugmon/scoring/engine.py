"""The engine of this machine: reviews in, calibrated verdicts out, in length-sorted batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import cached_property, partial
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from drugmon.closing import Closing
from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.errors import DeviceError, DrugmonError, is_out_of_memory
from drugmon.labels import LABELS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.bases.bases import Base
from drugmon.models.classifiers.classifier import ClassifierModel
from drugmon.models.device import (
    BEGIN_TOKENS,
    Compute,
    choose_compute,
    keep_freed_memory,
    release_freed_memory,
)
from drugmon.models.tokens.inputs import token_batches
from drugmon.scoring.budget import TokenBudget
from drugmon.scoring.feed import Feed, Job, Preparer, Ready, workers_for_gpu
from drugmon.scoring.flight import Flight, later
from drugmon.scoring.scores import Evidence, Scores, judge

Rows = npt.NDArray[np.int64]

CHUNK: Final = {"cpu": 1024, "cuda": 2_048}
"""Reviews that are scored together: enough to sort by length and to fill batches, few enough to
lose to a kill."""

FLYING: Final = {"cpu": 0, "cuda": 4}
"""Batches that are launched before the results of one are waited for: a GPU computes them while the
host judges, and hands out, what has landed."""

KEPT: Final = 2**28
"""Bytes of freed memory that are kept for the next batch. Scoring took a quarter longer without."""

LARGEST_KEPT: Final = 2**25
"""Bytes of a tensor whose memory is kept; the scores of attention are held below it."""


class Engine(Closing):
    """An adapter on a device. Its weights are loaded by the thread that first scores.

    Args:
        adapter: what scores.
        config: how to compute.
        warn: is told, in one sentence, when the batches had to shrink.
        base: the adapter's base where it is at hand already.

    Raises:
        AdapterError, BaseModelError, DeviceError: here or at the first review, it cannot be loaded.
    """

    def __init__(
        self,
        adapter: Adapter,
        config: EngineConfig,
        warn: Callable[[str], None],
        base: Base | None = None,
    ) -> None:
        self.compute: Compute = choose_compute(config.device, config.dtype, adapter.quantises)
        self.budget = TokenBudget(self.compute.device, config.batch_tokens, warn)
        adapter.verify()
        self._adapter, self._threads = adapter, config.threads
        self._classifier = adapter.classifier(base)
        self._calibrations = adapter.manifest.calibrations()
        kind = self.compute.device.type
        self.chunk, self._flying = CHUNK[kind], FLYING[kind]
        workers = workers_for_gpu() if kind == "cuda" else 0
        self._feed = Feed(Preparer(self._classifier.tokenizer, adapter.lexical()), workers)

    @cached_property
    def model(self) -> ClassifierModel:
        """The weights on the device."""
        if self._threads:
            torch.set_num_threads(self._threads)  # of the thread that computes
        if self.compute.device.type == "cpu":
            keep_freed_memory(largest=LARGEST_KEPT, most=KEPT)
        return self._adapter.model(self._classifier, self.compute)

    def load(self) -> None:
        """Load the weights now, in the thread that is to score, and not for the first review.

        Raises:
            AdapterError, BaseModelError, DeviceError: they cannot be loaded.
        """
        _ = self.model

    def submit(self, reviews: Sequence[Texts]) -> Job:
        """Have reviews, at best `chunk` of them, made ready ahead where the device gains by it."""
        return self._feed.submit(reviews)

    def scores(
        self, jobs: Iterable[Job], on_batch: Callable[[int], None] | None = None
    ) -> Iterator[Scores]:
        """Yield each job's verdicts, in the order of its reviews; `on_batch` is told batch sizes.

        A target whose text is empty, or that the adapter was not trained on, gets no verdict.

        Raises:
            DeviceError: a single review does not fit the memory.
            DrugmonError: the model gave a number that is none, or a worker was killed.
        """
        for job, evidence in self.evidences(jobs, on_batch):
            yield judge(job.reviews, evidence, self._calibrations)

    def score(
        self, reviews: Sequence[Texts], on_batch: Callable[[int], None] | None = None
    ) -> Scores:
        """`scores` of reviews that this thread makes ready."""
        return next(self.scores([self._feed.now(reviews)], on_batch))

    def evidence(
        self, reviews: Sequence[Texts], on_batch: Callable[[int], None] | None = None
    ) -> Evidence:
        """What the models say of every trained target, before calibration."""
        _, evidence = next(self.evidences([self._feed.now(reviews)], on_batch))
        return evidence

    def close(self) -> None:
        """End what makes reviews ready, and return what was kept for the next batch."""
        self._feed.close()
        release_freed_memory()

    def evidences(
        self, jobs: Iterable[Job], on_batch: Callable[[int], None] | None = None
    ) -> Iterator[tuple[Job, Evidence]]:
        """Yield each job with what the models say of its reviews, as `scores` does."""
        on_batch = on_batch or (lambda _size: None)
        for launched in later(self._launched(jobs), self._flying):
            if launched.flight:
                on_batch(launched.results.add(launched.rows, launched.flight.land()))
            else:
                yield launched.job, self._checked(launched.results.evidence())

    def _launched(self, jobs: Iterable[Job]) -> Iterator[_Launched]:
        """Launch batch by batch; behind a job's last one comes an entry without a flight."""
        targets = tuple(self.model.levels)  # loaded while workers tokenise
        begin = BEGIN_TOKENS[self.compute.device.type] if self.model.pads else None
        for job in jobs:
            ready = job.ready()
            items, results = ready.prepared.items, _Results(ready, targets)
            # The plan is lazy: a budget lowered by one batch holds for those after it.
            budget = partial(self.budget.tokens, partial(self._try, items))
            for rows in token_batches(ready.prepared.lengths, budget, begin):
                for part, flight in self._launch(items, rows):
                    yield _Launched(job, results, part, flight)
            yield _Launched(job, results)

    def _try(self, items: Sequence[Sized], tokens: int) -> None:
        """Compute a batch of so many tokens, for the memory that it takes: of the longest item."""
        longest = max(items, key=len)
        self._launch([longest], np.zeros(max(1, tokens // len(longest)), np.int64))

    def _launch(self, items: Sequence[Sized], rows: Rows) -> list[tuple[Rows, Flight]]:
        """One batch; in halves where the memory does not hold it."""
        try:
            return [(rows, self._run([items[row] for row in rows]))]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(rows) == 1:
                raise DeviceError(
                    f"one review of {len(items[rows[0]])} tokens does not fit the memory of "
                    f"{self.compute.device}: free some, or use another --device"
                ) from None
        # Outside the except block: the error holds the failed batch's tensors until it is gone.
        half = (len(rows) + 1) // 2
        self.budget.lower(half * max(len(items[row]) for row in rows))
        return self._launch(items, rows[:half]) + self._launch(items, rows[half:])

    def _run(self, items: Sequence[Sized]) -> Flight:
        """Label log-probabilities float32 (targets, items, 3)."""
        with torch.inference_mode():
            batch = self._classifier.collate(items).to(self.compute.device)
            logits = self.model(batch)
            log_probs = [
                self.model.label_log_probs(logits[name], name) for name in self.model.levels
            ]
            return Flight(torch.stack(log_probs))

    def _checked(self, evidence: Evidence) -> Evidence:
        for target, values in evidence.model.items():
            if not np.isfinite(values).all():
                raise DrugmonError(
                    f"the model gave {target} probabilities that are not numbers on "
                    f"{self.compute}; try --dtype fp32, or another --device"
                )
        return evidence


class _Results:
    """What has landed of one job."""

    def __init__(self, ready: Ready, targets: Sequence[str]) -> None:
        self._ready, self._targets = ready, targets
        self._items = len(ready.prepared.items)
        self._log_probs = np.zeros((len(targets), self._items, len(LABELS)), np.float32)
        self._done = 0

    def add(self, rows: Rows, values: npt.NDArray[np.float32]) -> int:
        """Take one batch; how many reviews are done with it, of which each may have many items."""
        self._log_probs[:, rows] = values
        before, self._done = self._done, self._done + len(rows)
        reviews = len(self._ready.prepared)
        return self._done * reviews // self._items - before * reviews // self._items

    def evidence(self) -> Evidence:
        """All of it, by review."""
        by_item = dict(zip(self._targets, self._log_probs, strict=True))
        return Evidence(self._ready.prepared.by_review(by_item), self._ready.lexical)


class _Launched(NamedTuple):
    """A batch on its way: the `rows` of `results` that it gives. Without a flight, a job's end."""

    job: Job
    results: _Results
    rows: Rows = np.empty(0, np.int64)
    flight: Flight | None = None
