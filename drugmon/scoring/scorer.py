"""Scoring windows of rows: skip what is scored already, score the rest, keep finished work."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drugmon.data.reviews import Rows, Texts, clean, with_text
from drugmon.data.verdicts.arrivals import NEW, Moments
from drugmon.data.verdicts.columns import VERDICT_SCHEMA, make_verdicts
from drugmon.data.verdicts.fingerprint import Fingerprinter
from drugmon.data.verdicts.reuse import Reuse

_MOMENT: Final = VERDICT_SCHEMA.field("drugmon_scored_at").type

if TYPE_CHECKING:
    from drugmon.scoring.cascade.cascade import Cascade
    from drugmon.scoring.cascade.doubt import Doubt
    from drugmon.scoring.feed import Job
    from drugmon.scoring.lazy_engine import AnyEngine
    from drugmon.scoring.scores import Scores


@dataclass
class Tally:
    """Rows so far: `empty` have no text at all, the others a verdict.

    `reused` had it before; `scored` are new or changed, whether the model was asked or knew their
    texts from another row. `sent_on` are those of `scored` that both adapters of a cascade judged.
    """

    scored: int = 0
    reused: int = 0
    empty: int = 0
    sent_on: int = 0

    @property
    def total(self) -> int:
        """All rows."""
        return self.scored + self.reused + self.empty


@dataclass(frozen=True)
class ScoringPlan:
    """What is to be done about n rows.

    Args:
        fingerprints: theirs, as the adapter judges them, in a cascade the first one alone.
        of_both: in a cascade, theirs as both judge them; None otherwise.
        places: int64 (n,), for `Reuse.take`, -1 where no verdict on a row's texts is known.
        arrived: int64 (n,), when a row got its verdicts, in microseconds since 1970; NEW where it
            has not had them.
        empty: bool (n,), whether a row has no text at all.
        fresh: the rows to be scored: of those with equal texts the first.
        jobs: `fresh`, in chunks, on their way to the model.
    """

    fingerprints: Sequence[str]
    of_both: Sequence[str] | None
    places: npt.NDArray[np.int64]
    arrived: Moments
    empty: npt.NDArray[np.bool_]
    fresh: Sequence[int]
    jobs: Sequence[Job]


class Scorer:
    """Gives every row of a window its verdicts, in two steps.

    `plan` may run on another thread, ahead of `score`: both take windows in the same order.

    Args:
        identity: the adapter's `name@digest`, in a cascade the first one's.
        load_engine: called where a row has to be scored, on either thread; it gives the same one.
        reuse: verdicts that are there already.
        keep: is handed each finished batch of verdicts (the journal's `append`), or None.
        on_progress: is called after every batch with the tally, and how many of the rows now being
            scored are done.
        cascade: of the adapter, where the engine is of one. Verdicts that the first gave alone stay
            where it was sure enough, and those of both stay whatever is asked for now.
    """

    def __init__(
        self,
        identity: str,
        load_engine: Callable[[], AnyEngine],
        reuse: Reuse,
        keep: Callable[[pa.RecordBatch], None] | None = None,
        on_progress: Callable[[Tally, int], None] | None = None,
        cascade: Cascade | None = None,
    ) -> None:
        self.tally = Tally()
        self._identity = identity
        self._fingerprints = Fingerprinter(identity.rpartition("@")[2])
        self._cascade = cascade
        self._of_both = Fingerprinter(cascade.context if cascade else "")
        self._load_engine = load_engine
        self._reuse = reuse
        self._keep = keep
        self._on_progress = on_progress or (lambda _tally, _done: None)

    def pending(self, reviews: Sequence[Texts], rows: Rows | None = None) -> int:
        """How many of `reviews` the model would judge; the tally counts all as if it had.

        Args:
            reviews: the texts of some rows.
            rows: these, where it matters which of them are new.
        """
        plan = self._look_up(reviews, rows)
        self._count(plan)
        return int(((plan.places < 0) & ~plan.empty).sum())

    def plan(self, reviews: Sequence[Texts], rows: Rows | None = None) -> ScoringPlan:
        """Look up what is known of `reviews`, and have the others made ready for the model.

        Args:
            reviews: the texts of some rows.
            rows: these, where it matters which of them are new.

        Raises:
            AdapterError, BaseModelError, DeviceError: the engine cannot be loaded.
        """
        plan = self._look_up(reviews, rows)
        first: dict[str, int] = {}
        for row in np.flatnonzero(plan.places < 0).tolist():
            first.setdefault(plan.fingerprints[row], row)
        fresh, jobs = list(first.values()), []
        if fresh:
            engine = self._load_engine()
            for start in range(0, len(fresh), engine.chunk):
                chunk = fresh[start : start + engine.chunk]
                jobs.append(engine.submit([reviews[row] for row in chunk]))
        return replace(plan, fresh=fresh, jobs=jobs)

    def score(self, plan: ScoringPlan) -> pa.RecordBatch:
        """Verdicts of a plan's reviews: n rows of `VERDICT_SCHEMA`, in their order.

        Texts that occur twice are scored once. A new row whose texts were scored before has the
        verdicts of then, and the time of now.
        """
        reusable = plan.places >= 0
        fresh = self._score_new(plan)
        place = {plan.fingerprints[row]: number for number, row in enumerate(plan.fresh)}
        picked = np.where(reusable, np.cumsum(reusable) - 1, 0)
        reused = self._reuse.take(plan.places[reusable])
        for row in np.flatnonzero(~reusable):
            picked[row] = reused.num_rows + place[plan.fingerprints[int(row)]]
        self._count(plan)
        self._on_progress(self.tally, 0)
        verdicts = pa.concat_batches([reused, *fresh]).take(pa.array(picked))
        if self._cascade:
            both = pc.equal(verdicts["drugmon_adapter"], self._cascade.identity).fill_null(False)
            self.tally.sent_on += int((both.to_numpy(zero_copy_only=False) & _new(plan)).sum())
        return _dated(verdicts, reusable, plan.arrived) if reusable.any() else verdicts

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
            verdicts = self._named(scores, plan, list(itertools.islice(rows, len(scores.labels))))
            if self._keep:
                self._keep(verdicts)
            batches.append(verdicts)
        return batches

    def _named(self, scores: Scores, plan: ScoringPlan, rows: Sequence[int]) -> pa.RecordBatch:
        """Verdicts of a plan's `rows`, each under the name and fingerprint of who judged it."""
        fingerprints = [plan.fingerprints[row] for row in rows]
        judges: str | list[str] = self._identity
        if self._cascade and plan.of_both and scores.both is not None:
            of_both, names = plan.of_both, (self._identity, self._cascade.identity)
            judges = [names[both] for both in scores.both.tolist()]
            for place in np.flatnonzero(scores.both).tolist():
                fingerprints[place] = of_both[rows[place]]
        now = datetime.now(UTC)
        return make_verdicts(scores.labels, scores.probabilities, judges, now, fingerprints)

    def _look_up(self, reviews: Sequence[Texts], rows: Rows | None) -> ScoringPlan:
        """What is known of `reviews`, before anything is made ready."""
        decisive = fingerprints = [self._fingerprints.of(review) for review in reviews]
        empty = np.array([not any(map(clean, review)) for review in reviews], dtype=bool)
        places, of_both = self._reuse.lookup(fingerprints), None
        if self._cascade:
            of_both = [self._of_both.of(review) for review in reviews]
            both = self._reuse.lookup(of_both)
            places = self._settled(reviews, places, both, self._cascade.doubt)
            judged = zip(fingerprints, of_both, both.tolist(), strict=True)
            decisive = [of_first if at < 0 else of_two for of_first, of_two, at in judged]
        arrived = self._reuse.arrived(places, rows, decisive)
        return ScoringPlan(fingerprints, of_both, places, arrived, empty, [], [])

    def _settled(
        self,
        reviews: Sequence[Texts],
        alone: npt.NDArray[np.int64],
        both: npt.NDArray[np.int64],
        doubt: Doubt,
    ) -> npt.NDArray[np.int64]:
        """The verdicts that stay: those of both, and of the first `alone` where it was sure."""
        rows = np.flatnonzero((alone >= 0) & (both < 0))
        there = with_text([reviews[row] for row in rows.tolist()])
        doubted = rows[doubt.of(there, self._reuse.probabilities(alone[rows]))]
        places = np.where(both >= 0, both, alone)
        places[doubted] = -1
        return places

    def _count(self, plan: ScoringPlan) -> None:
        new, empty = _new(plan), plan.empty
        self.tally.empty += int(empty.sum())
        self.tally.reused += int((~new & ~empty).sum())
        self.tally.scored += int(new.sum())


def _new(plan: ScoringPlan) -> npt.NDArray[np.bool_]:
    """The rows (n,) that have a text and have not had its verdicts before."""
    return np.asarray((plan.arrived == NEW) & ~plan.empty)


def _dated(
    verdicts: pa.RecordBatch, reused: npt.NDArray[np.bool_], arrived: Moments
) -> pa.RecordBatch:
    """Let known verdicts tell when their rows got them: then, or now."""
    now = pa.scalar(datetime.now(UTC), _MOMENT).cast(pa.int64()).as_py()
    moments = verdicts["drugmon_scored_at"].cast(pa.int64()).to_numpy(zero_copy_only=False)
    dated = np.where(reused, np.where(arrived == NEW, now, arrived), moments)
    place = verdicts.schema.get_field_index("drugmon_scored_at")
    return verdicts.set_column(place, verdicts.schema.field(place), pa.array(dated).cast(_MOMENT))
