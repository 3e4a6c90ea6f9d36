"""The engine of a cascade: the first adapter judges all, the second what the first doubts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from drugmon.closing import Closing
from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts, with_text
from drugmon.scoring.cascade.cascade import Cascade
from drugmon.scoring.engine import Engine
from drugmon.scoring.feed import Job
from drugmon.scoring.scores import Evidence, Scores, judge_texts


class CascadeEngine(Closing):
    """Two engines on one device. The second is loaded when the first review is sent on to it.

    Args:
        cascade: what scores.
        config: how to compute.
        warn: is told, in one sentence, when the batches had to shrink.

    Raises:
        AdapterError, BaseModelError, DeviceError: one of them cannot be loaded.
    """

    def __init__(self, cascade: Cascade, config: EngineConfig, warn: Callable[[str], None]) -> None:
        self._base = cascade.second.base()  # that it is there is seen before the first review
        self._cascade, self._config, self._warn = cascade, config, warn
        self._first = Engine(cascade.first, config, warn)
        self._calibrations = cascade.first.manifest.calibrations()
        self._second: Engine | None = None
        self.chunk, self.compute = self._first.chunk, self._first.compute

    def load(self) -> None:
        """Load both adapters' weights and fit what joins them now, in the thread that is to score.

        Raises:
            AdapterError, BaseModelError, DeviceError: they cannot be loaded.
        """
        self._first.load()
        self._load_second().load()
        _ = self._cascade.calibration

    def submit(self, reviews: Sequence[Texts]) -> Job:
        """Have reviews, at best `chunk` of them, made ready ahead for the first adapter."""
        return self._first.submit(reviews)

    def scores(
        self, jobs: Iterable[Job], on_batch: Callable[[int], None] | None = None
    ) -> Iterator[Scores]:
        """Yield each job's verdicts, in the order of its reviews.

        Args:
            jobs: of `submit`.
            on_batch: told how many more reviews are settled.

        Raises:
            DeviceError: a single review does not fit the memory.
            DrugmonError: a model gave a number that is none, or a worker was killed.
        """
        for job, evidence in self._first.evidences(jobs):
            yield self._judged(job.reviews, evidence, on_batch or (lambda _size: None))

    def score(
        self, reviews: Sequence[Texts], on_batch: Callable[[int], None] | None = None
    ) -> Scores:
        """`scores` of reviews that this thread makes ready."""
        evidence = self._first.evidence(reviews)
        return self._judged(reviews, evidence, on_batch or (lambda _size: None))

    def close(self) -> None:
        """End what both engines have started."""
        self._first.close()
        if self._second:
            self._second.close()

    def _judged(
        self, reviews: Sequence[Texts], evidence: Evidence, on_batch: Callable[[int], None]
    ) -> Scores:
        there = with_text(reviews)
        scores = judge_texts(there, evidence, self._calibrations)
        both = self._cascade.doubt.of(there, scores.probabilities)
        rows = np.flatnonzero(both)
        on_batch(len(reviews) - len(rows))
        if len(rows):
            second = self._load_second().evidence([reviews[row] for row in rows.tolist()], on_batch)
            joined = self._cascade.calibration.judge(there[rows], evidence.take(rows), second)
            scores.labels[rows], scores.probabilities[rows] = joined.labels, joined.probabilities
        return Scores(scores.labels, scores.probabilities, both)

    def _load_second(self) -> Engine:
        if self._second is None:
            self._second = Engine(self._cascade.second, self._config, self._warn, self._base)
        return self._second
