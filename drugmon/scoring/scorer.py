"""Scoring windows of rows: skip what is scored already, score the rest, keep finished work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from drugmon.data.fingerprint import Fingerprinter
from drugmon.data.reuse import Reuse
from drugmon.data.reviews import Texts, clean
from drugmon.data.verdicts import make_verdicts

if TYPE_CHECKING:
    from drugmon.scoring.engine import Engine

CHUNK: Final = 512
"""Reviews between two journal entries: enough to sort by length, few enough to lose to a kill."""


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


class Scorer:
    """Gives every row of a window its verdicts.

    Args:
        identity: the adapter's `name@digest`.
        load_engine: called once, at the first row that has to be scored.
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
        known = self._reuse.lookup([self._fingerprints.of(review) for review in reviews]) >= 0
        return self._count(reviews, known)

    def score(self, reviews: Sequence[Texts]) -> pa.RecordBatch:
        """Verdicts of `reviews`: n rows of `VERDICT_SCHEMA`, in their order.

        Texts that occur twice are scored once.
        """
        fingerprints = [self._fingerprints.of(review) for review in reviews]
        found = self._reuse.lookup(fingerprints)
        known = found >= 0
        first: dict[str, int] = {}
        for row in np.flatnonzero(~known):
            first.setdefault(fingerprints[row], int(row))
        fresh = self._score_new(reviews, list(first.values()), fingerprints)
        place = {fingerprint: number for number, fingerprint in enumerate(first)}
        picked = np.where(known, np.cumsum(known) - 1, 0)
        reused = self._reuse.take(found[known])
        for row in np.flatnonzero(~known):
            picked[row] = reused.num_rows + place[fingerprints[row]]
        self._count(reviews, known)
        self._on_progress(self.tally, 0)
        return pa.concat_batches([reused, *fresh]).take(pa.array(picked))

    def _score_new(
        self, reviews: Sequence[Texts], rows: Sequence[int], fingerprints: Sequence[str]
    ) -> list[pa.RecordBatch]:
        batches = []
        done = 0

        def on_batch(size: int) -> None:
            nonlocal done
            done += size
            self._on_progress(self.tally, done)

        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            scores = self._load_engine().score([reviews[row] for row in chunk], on_batch)
            verdicts = make_verdicts(
                scores.labels,
                scores.probabilities,
                self._identity,
                datetime.now(UTC),
                [fingerprints[row] for row in chunk],
            )
            if self._keep:
                self._keep(verdicts)
            batches.append(verdicts)
        return batches

    def _count(self, reviews: Sequence[Texts], known: np.ndarray) -> int:
        empty = np.array([not any(map(clean, review)) for review in reviews], dtype=bool)
        new = int((~known & ~empty).sum())
        self.tally.empty += int(empty.sum())
        self.tally.reused += int((known & ~empty).sum())
        self.tally.scored += new
        return new
