"""Scoring windows of rows: skip what is scored already, score the rest, keep finished work."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from drugmon.data.reviews import Texts, clean
from drugmon.data.verdicts.columns import make_verdicts
from drugmon.data.verdicts.fingerprint import Fingerprinter
from drugmon.data.verdicts.reuse import Reuse

if TYPE_CHECKING:
    from drugmon.scoring.engine import Engine
    from drugmon.scoring.feed import Job


@dataclass
class Tally:
    """Rows so far: `scored` and `reused` have a verdict, `empty` have no text at all."""

    scored: int = 0
    reused: int = 0
    empty: int = 0

    @property
    def total(self) -> int:
        """All rows."""
        return self.scored + self.reused + self.empty


@dataclass(frozen=True)
class ScoringPlan:
    """What is to be done about n rows.

    Args:
        fingerprints: theirs.
        found: int64 (n,), for `Reuse.take`, -1 where a row has no verdict yet.
        empty: bool (n,), whether a row has no text at all.
        fresh: the rows to be scored: of those with equal texts the first.
        jobs: `fresh`, in chunks, on their way to the model.
    """

    fingerprints: Sequence[str]
    found: npt.NDArray[np.int64]
    empty: npt.NDArray[np.bool_]
    fresh: Sequence[int]
    jobs: Sequence[Job]


class Scorer:
    """Gives every row of a window its verdicts, in two steps.

    `plan` may run on another thread, ahead of `score`: both take windows in the same order.

    Args:
        identity: the adapter's `name@digest`.
        load_engine: called where a row has to be scored, on either thread; it gives the same one.
        reuse: verdicts that are there already.
        keep: is handed each finished batch of verdicts (the journal's `append`), or None.
        on_progress: is called after every batch with the tally, and how many of the rows now being
            scored are done.
    """

    def __init__(
        self,
        identity: str,
        load_engine: Callable[[], Engine],
        reuse: Reuse,
        keep: Callable[[pa.RecordBatch], None] | None = None,
        on_progress: Callable[[Tally, int], None] | None = None,
    ) -> None:
        self.tally = Tally()
        self._identity = identity
        self._fingerprints = Fingerprinter(identity.rpartition("@")[2])
        self._load_engine = load_engine
        self._reuse = reuse
        self._keep = keep
        self._on_progress = on_progress or (lambda _tally, _done: None)

    def pending(self, reviews: Sequence[Texts]) -> int:
        """How many of `reviews` would be scored; counts them in the tally as if they had been."""
        _, found, empty = self._look_up(reviews)
        return self._count(found, empty)

    def plan(self, reviews: Sequence[Texts]) -> ScoringPlan:
        """Look up what is known of `reviews`, and have the others made ready for the model.

        Raises:
            AdapterError, BaseModelError, DeviceError: the engine cannot be loaded.
        """
        fingerprints, found, empty = self._look_up(reviews)
        first: dict[str, int] = {}
        for row in np.flatnonzero(found < 0):
            first.setdefault(fingerprints[row], int(row))
        fresh, jobs = list(first.values()), []
        if fresh:
            engine = self._load_engine()
            for start in range(0, len(fresh), engine.chunk):
                chunk = fresh[start : start + engine.chunk]
                jobs.append(engine.submit([reviews[row] for row in chunk]))
        return ScoringPlan(fingerprints, found, empty, fresh, jobs)

    def score(self, plan: ScoringPlan) -> pa.RecordBatch:
        """Verdicts of a plan's reviews: n rows of `VERDICT_SCHEMA`, in their order.

        Texts that occur twice are scored once.
        """
        known = plan.found >= 0
        fresh = self._score_new(plan)
        place = {plan.fingerprints[row]: number for number, row in enumerate(plan.fresh)}
        picked = np.where(known, np.cumsum(known) - 1, 0)
        reused = self._reuse.take(plan.found[known])
        for row in np.flatnonzero(~known):
            picked[row] = reused.num_rows + place[plan.fingerprints[int(row)]]
        self._count(plan.found, plan.empty)
        self._on_progress(self.tally, 0)
        return pa.concat_batches([reused, *fresh]).take(pa.array(picked))

    def _score_new(self, plan: ScoringPlan) -> list[pa.RecordBatch]:
        batches: list[pa.RecordBatch] = []
        done = 0

        def on_batch(size: int) -> None:
            nonlocal done
            done += size
            self._on_progress(self.tally, done)

        if not plan.jobs:
            return batches
        rows = iter(plan.fresh)
        for scores in self._load_engine().scores(plan.jobs, on_batch):
            verdicts = make_verdicts(
                scores.labels,
                scores.probabilities,
                self._identity,
                datetime.now(UTC),
                [plan.fingerprints[row] for row in itertools.islice(rows, len(scores.labels))],
            )
            if self._keep:
                self._keep(verdicts)
            batches.append(verdicts)
        return batches

    def _look_up(
        self, reviews: Sequence[Texts]
    ) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Fingerprints, `found` and `empty` as a plan has them."""
        fingerprints = [self._fingerprints.of(review) for review in reviews]
        empty = np.array([not any(map(clean, review)) for review in reviews], dtype=bool)
        return fingerprints, self._reuse.lookup(fingerprints), empty

    def _count(self, found: npt.NDArray[np.int64], empty: npt.NDArray[np.bool_]) -> int:
        new = int(((found < 0) & ~empty).sum())
        self.tally.empty += int(empty.sum())
        self.tally.reused += int(((found >= 0) & ~empty).sum())
        self.tally.scored += new
        return new
