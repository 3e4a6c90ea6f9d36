from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from drugmon.data.formats.parquet import ArrowRows
from drugmon.data.reviews import Texts
from drugmon.data.verdicts.arrivals import ArrivalsByCount
from drugmon.data.verdicts.columns import VERDICT_SCHEMA
from drugmon.data.verdicts.reuse import Reuse
from drugmon.scoring.engine import Engine
from drugmon.scoring.feed import Job
from drugmon.scoring.scorer import Scorer, Tally
from drugmon.scoring.scores import Scores

IDENTITY = "mine@0123456789ab"


class FakeEngine:
    """Gives the label that a text's length tells, and remembers what it was given."""

    def __init__(self, chunk: int = 512) -> None:
        self.chunk = chunk
        self.given: list[list[Texts]] = []
        self.submitted: list[int] = []

    def submit(self, reviews: Sequence[Texts]) -> Job:
        self.submitted.append(len(reviews))
        return Job(reviews, lambda: pytest.fail("a fake needs nothing made ready"))

    def scores(self, jobs: Sequence[Job], on_batch: Callable[[int], None]) -> Iterator[Scores]:
        for job in jobs:
            self.given.append(list(job.reviews))
            on_batch(len(job.reviews))
            yield verdicts_of(job.reviews)


def verdicts_of(reviews: Sequence[Texts]) -> Scores:
    labels = np.full((len(reviews), 4), -1, np.int8)
    probabilities = np.full((len(reviews), 4, 3), np.nan, np.float32)
    for row, review in enumerate(reviews):
        if review.comments:
            label = len(review.comments) % 3
            labels[row, 2:] = label
            probabilities[row, 2:] = 0.1
            probabilities[row, 2:, label] = 0.8
    return Scores(labels, probabilities)


def comments(*texts: str | None) -> list[Texts]:
    return [Texts(None, None, text, None) for text in texts]


def make(reuse: Reuse | None = None, chunk: int = 512, **options: Any) -> tuple[Scorer, FakeEngine]:
    engine = FakeEngine(chunk)
    made = Scorer(IDENTITY, lambda: cast(Engine, engine), reuse or Reuse([]), **options)
    return made, engine


def words(batch: pa.RecordBatch) -> list[str | None]:
    return cast("list[str | None]", batch["comments_sentiment"].to_pylist())


def test_every_row_gets_its_verdict_in_order() -> None:
    scorer, _ = make()
    batch = scorer.score(scorer.plan(comments("abc", "a", None, "ab")))
    assert batch.schema == VERDICT_SCHEMA
    assert words(batch) == ["negative", "neutral", None, "positive"]
    assert set(batch["drugmon_adapter"].to_pylist()) == {IDENTITY}
    assert scorer.tally == Tally(scored=3, reused=0, empty=1)
    assert scorer.tally.total == 4


def test_copies_are_scored_once() -> None:
    scorer, engine = make()
    batch = scorer.score(scorer.plan(comments("abc", "a", "abc", "a", "abc")))
    assert [len(given) for given in engine.given] == [2]
    assert words(batch) == ["negative", "neutral", "negative", "neutral", "negative"]
    assert scorer.tally.scored == 5


def test_known_verdicts_are_reused_and_interleaved() -> None:
    first, _ = make()
    earlier = first.score(first.plan(comments("abc", "ab", None)))
    scorer, engine = make(Reuse([earlier]))
    batch = scorer.score(scorer.plan(comments("a", "ab", "abc", "a", None, "abcd")))
    assert words(batch) == ["neutral", "positive", "negative", "neutral", None, "neutral"]
    assert engine.given == [comments("a", "abcd")]
    assert scorer.tally == Tally(scored=3, reused=2, empty=1)
    stamps = batch["drugmon_scored_at"].to_pylist()
    assert stamps[1:3] == earlier["drugmon_scored_at"].to_pylist()[1::-1]


def test_a_new_row_with_known_texts_has_their_verdicts_and_a_time_of_its_own() -> None:
    first, _ = make()
    earlier = first.score(first.plan(comments("abc", "ab", None)))
    arrivals = ArrivalsByCount()
    scorer, engine = make(Reuse(arrivals.noting([earlier]), arrivals=arrivals))
    reviews = comments("abc", "ab", "abc", None, None, "a")
    began = datetime.now(UTC)
    plan = scorer.plan(reviews, ArrowRows(pa.table({"n": range(len(reviews))})))
    batch = scorer.score(plan)
    assert words(batch) == ["negative", "positive", "negative", None, None, "neutral"]
    assert engine.given == [comments("a")]
    assert scorer.tally == Tally(scored=2, reused=2, empty=2)
    stamps, before = (each["drugmon_scored_at"].to_pylist() for each in (batch, earlier))
    assert [stamps[row] for row in (0, 1, 3)] == before
    assert all(stamps[row] >= began for row in (2, 4, 5))


def test_all_known_never_loads_the_engine() -> None:
    first, _ = make()
    earlier = first.score(first.plan(comments("abc", "a")))

    def load() -> Engine:
        raise AssertionError("nothing has to be scored")

    scorer = Scorer(IDENTITY, load, Reuse([earlier]))
    assert words(scorer.score(scorer.plan(comments("a", "abc")))) == ["neutral", "negative"]
    assert scorer.score(scorer.plan([])).num_rows == 0


def test_another_adapters_verdicts_are_not_reused() -> None:
    first, _ = make()
    earlier = first.score(first.plan(comments("abc")))
    engine = FakeEngine()
    scorer = Scorer("mine@ffffffffffff", lambda: cast(Engine, engine), Reuse([earlier]))
    scorer.score(scorer.plan(comments("abc")))
    assert scorer.tally.scored == 1


def test_each_chunk_is_kept_as_soon_as_it_is_done() -> None:
    kept: list[pa.RecordBatch] = []
    told: list[tuple[int, int]] = []
    scorer, engine = make(
        chunk=2, keep=kept.append, on_progress=lambda tally, done: told.append((tally.total, done))
    )
    whole = scorer.score(scorer.plan(comments("a", "ab", "abc", "abcd", "abcde")))
    assert [batch.num_rows for batch in kept] == [2, 2, 1]
    assert pa.Table.from_batches(kept) == pa.Table.from_batches([whole])
    assert [len(given) for given in engine.given] == [2, 2, 1]
    assert told == [(0, 2), (0, 4), (0, 5), (5, 0)]
    assert len(Reuse(kept)) == 5, "a later run finds them in the journal"


def test_pending_counts_without_scoring() -> None:
    first, _ = make()
    scorer, engine = make(Reuse([first.score(first.plan(comments("abc")))]))
    assert scorer.pending(comments("abc", "new", None, " ")) == 1
    assert scorer.tally == Tally(scored=1, reused=1, empty=2)
    assert engine.given == []


def test_plans_may_be_made_ahead() -> None:
    scorer, engine = make(chunk=2)
    plans = [scorer.plan(comments("a", "abc", "ab")), scorer.plan(comments(None)), scorer.plan([])]
    assert engine.submitted == [2, 1, 1]
    assert (engine.given, scorer.tally) == ([], Tally())
    assert [words(scorer.score(plan)) for plan in plans] == [
        ["neutral", "negative", "positive"],
        [None],
        [],
    ]
    assert scorer.tally == Tally(scored=3, empty=1)
