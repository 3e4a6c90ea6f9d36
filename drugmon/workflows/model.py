"""A loaded model for programs: frames in, frames out; texts in, verdicts out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from drugmon.closing import Closing
from drugmon.config import CascadeOptions, EngineConfig, ModelOptions
from drugmon.data.columns import ColumnMap, resolve_columns, texts_of
from drugmon.data.formats.parquet import ArrowRows
from drugmon.data.reviews import Texts
from drugmon.data.verdicts.columns import VERDICT_SCHEMA, VerdictColumns
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import UsageError
from drugmon.labels import ASPECTS, LABELS, TARGETS
from drugmon.models.adapters.zero_shot import open_model
from drugmon.scoring.attribution import Attributor
from drugmon.scoring.cascade.cascade import open_cascade
from drugmon.scoring.lazy_engine import open_engine
from drugmon.scoring.scorer import Scorer
from drugmon.wording import warn_program
from drugmon.workflows.explain import Explanation, explain
from drugmon.workflows.frames import beside, names_of_frame, places_beside, text_columns
from drugmon.workflows.predict import Verdict, check_review, verdicts_of

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Frame = TypeVar("Frame", "pl.DataFrame", "pd.DataFrame", pa.Table, pa.RecordBatchReader)

_WHERE: Final = "the frame"
_ROWS: Final = 8_192
"""Rows of a stream that are scored at a time."""


class Model(Closing):
    """An adapter that is loaded once and scores as often as it is asked.

    With `then` it is a cascade: what the adapter is least sure of, a second one judges too.
    Several threads may share one; they take turns. Use it as a context manager, or `close` it.

    Args:
        adapter: a shipped adapter by name, or a folder; None is the default one.
        base: a base by itself instead (zero-shot).
        rule: the decision rule, `balanced` or `likeliest`; None is the adapter's own.
        then: the adapter behind it; None for none.
        share: which share of reviews like the held-out ones goes on to that one; None for .2, or
        below: the confidence below which a review does.
        engine: device, number format and threads.

    Raises:
        UsageError: there is a share of nothing, or `then` behind a base or the same adapter.
        AdapterError, BaseModelError, DeviceError: it cannot be had, or is not what it should be.

    Example:
        >>> import drugmon
        >>> with drugmon.load() as model:
        ...     shares = model.predict_proba(["It cured my headache at once.", ""])
        >>> shares.shape, model.classes_.tolist()
        ((2, 3), ['negative', 'neutral', 'positive'])
    """

    def __init__(
        self,
        adapter: str | None = None,
        *,
        base: str | None = None,
        rule: str | None = None,
        then: str | None = None,
        share: float | None = None,
        below: float | None = None,
        engine: EngineConfig | None = None,
    ) -> None:
        chosen, behind = ModelOptions(adapter, base, rule), CascadeOptions(then, share, below)
        behind.check(chosen)
        self._adapter = open_model(chosen)
        self._cascade = open_cascade(self._adapter, behind)
        self._engine = open_engine(
            self._adapter, engine or EngineConfig(), warn_program, self._cascade
        )
        self._turn, self._explaining = threading.Lock(), threading.Lock()

    def __repr__(self) -> str:
        return f"<drugmon.Model {self.identity} on {self._engine.compute}>"

    def __enter__(self) -> Self:
        return self

    @property
    def identity(self) -> str:
        """`name@digest` of what judges, of a cascade both as in `name@digest+name@digest`.

        What judged a review is written beside its verdict: in a cascade both, or the first alone.
        """
        return self._cascade.identity if self._cascade else self._adapter.manifest.identity

    @property
    def card(self) -> str:
        """The model card, Markdown, of a cascade both cards; empty for a base by itself."""
        adapters = [self._adapter] + ([self._cascade.second] if self._cascade else [])
        return "\n".join(adapter.card for adapter in adapters if adapter.card)

    @property
    def device(self) -> str:
        """Where it computes: `cpu`, or `cuda` with a number."""
        return str(self._engine.compute.device)

    @property
    def targets(self) -> tuple[str, ...]:
        """What it judges, in output order."""
        return self._adapter.manifest.targets

    @property
    def classes_(self) -> npt.NDArray[np.str_]:
        """The labels (3,) in the order of `predict_proba`'s columns, as scikit-learn names them."""
        return np.array(LABELS)

    def load(self) -> None:
        """Load all weights now, in the thread that is to score, and not with the first review.

        Raises:
            AdapterError, BaseModelError, DeviceError: they cannot be loaded.
        """
        with self._turn:
            self._engine.load()

    def close(self) -> None:
        """End what scoring has started."""
        self._engine.close()

    def score(
        self,
        frame: Frame,
        *,
        columns: Mapping[str, str] | None = None,
        overwrite: bool = False,
        prefix: str = "",
    ) -> Frame:
        """Return the frame with its verdict columns behind; rows, order and index stay.

        Args:
            frame: a polars or pandas data frame, a pyarrow table, or a pyarrow record-batch reader,
                which is read and scored as the result is read.
            columns: column names by field, where the names do not tell, such as
                `{"benefits": "pros"}`; fields are those of `--column`.
            overwrite: columns of the frame's own may be called like verdicts; these are replaced.
            prefix: what the names of the verdict columns begin with, such as `dm_`.

        Raises:
            UsageError: it is no such frame, the prefix will not do, or `columns` names what is not
                there.
            SourceError: no column holds texts, or one would be replaced.
        """
        scored: Frame
        names = names_of_frame(frame)
        verdicts = VerdictColumns(prefix, overwrite)
        verdicts.check(names, _WHERE, options=('prefix="dm_"', "overwrite=True"))
        if isinstance(frame, pa.RecordBatchReader):
            scored = self._score_stream(frame, columns or {}, verdicts)
        else:
            mapping = resolve_columns(names, columns or {}, _WHERE)
            added = self._verdicts(text_columns(frame, mapping), mapping)
            scored = beside(frame, added.rename_columns(list(verdicts.names)), verdicts)
        return scored

    def predict(
        self,
        text: str | None = None,
        *,
        benefits: str | None = None,
        side_effects: str | None = None,
        comments: str | None = None,
    ) -> dict[str, Verdict]:
        """The verdicts of one review by target: of a lone text, or of up to three.

        Args:
            text: a review in one piece, or
            benefits: what the drug did for the reviewer,
            side_effects: what else it did, and
            comments: anything else.

        Raises:
            UsageError: there is no text, or a lone text beside others.
        """
        review = _review(text, benefits, side_effects, comments)
        with self._turn:
            return self._verdicts_of(review)

    def explain(
        self,
        text: str | None = None,
        *,
        benefits: str | None = None,
        side_effects: str | None = None,
        comments: str | None = None,
    ) -> dict[str, Explanation]:
        """Which words moved each verdict of one review to its label, by target.

        The first call loads the weights a second time, in float32 as gradients need them. Of a
        cascade, what both adapters judged is explained through both, which takes some ten times as
        long.

        Args:
            text: a review in one piece, or
            benefits: what the drug did for the reviewer,
            side_effects: what else it did, and
            comments: anything else.

        Raises:
            UsageError: there is no text, or a lone text beside others.
        """
        review = _review(text, benefits, side_effects, comments)
        with self._turn:
            verdicts = self._verdicts_of(review)
        first = self._adapter.manifest.identity
        both = any(verdict.adapter != first for verdict in verdicts.values())
        with self._explaining:  # which takes seconds, and has weights of its own
            return explain(review, verdicts, self._attributor, both)

    @cached_property
    def _attributor(self) -> Attributor:
        return Attributor(self._adapter, self._cascade)

    def _verdicts_of(self, review: Texts) -> dict[str, Verdict]:
        alone, scores = self._adapter.manifest.identity, self._engine.score([review])
        return {verdict.target: verdict for verdict in verdicts_of(scores, alone, self.identity)}

    def predict_proba(
        self, texts: Sequence[str | None], target: str = "overall"
    ) -> npt.NDArray[np.float64]:
        """Calibrated probabilities float (n, 3) of `target`, columns as `classes_`.

        Each text is a review in one piece for `overall`, and the aspect's own text for an aspect. A
        text that is missing, or has nothing to read, has a row of NaN.

        Raises:
            UsageError: the model does not judge `target`, one of `texts` is none, or they are a
                single text, whose letters would be judged, or a frame, whose names would.
        """
        if isinstance(texts, str):
            raise UsageError(
                "texts are a list of texts, [text], and not one: predict(text) takes one"
            )
        if isinstance(texts, Mapping | pa.Table) or hasattr(texts, "columns"):
            raise UsageError(
                'texts are a list of texts or one column, frame["review"], and not a frame: '
                "score(frame) takes one"
            )
        if target not in self.targets:
            raise UsageError(
                f"{self.identity} does not judge {target!r}; it judges {', '.join(self.targets)}"
            )
        field = target if target in ASPECTS else "text"
        empty = Texts(None, None, None, None)
        reviews = [empty._replace(**{field: text_of(text)}) for text in texts]
        with self._turn:
            scores = self._engine.score(reviews) if reviews else None
        if scores is None:
            return np.empty((0, len(LABELS)))
        shares: npt.NDArray[np.float64] = scores.probabilities[:, TARGETS.index(target)].astype(
            np.float64
        )
        # To float64's last digit: scikit-learn doubts what adds up to 1 in float32 alone.
        shares /= shares.sum(axis=1, keepdims=True)
        return shares

    def judge(self, reviews: Sequence[Texts]) -> pa.RecordBatch:
        """The verdicts of reviews as columns: n rows of `VERDICT_SCHEMA`, n at least 1."""
        with self._turn:
            first, engine = self._adapter.manifest.identity, self._engine
            scorer = Scorer(first, lambda: engine, Reuse([]), cascade=self._cascade)
            return scorer.score(scorer.plan(reviews))

    def _score_stream(
        self, reader: pa.RecordBatchReader, columns: Mapping[str, str], verdicts: VerdictColumns
    ) -> pa.RecordBatchReader:
        mapping = resolve_columns(reader.schema.names, columns, _WHERE)
        kept = places_beside(reader.schema.names, verdicts)
        review_fields = pa.schema([reader.schema.field(place) for place in kept])
        schema = pa.schema([*review_fields, *verdicts.schema], metadata=reader.schema.metadata)

        def scored() -> Iterator[pa.RecordBatch]:
            for batch in reader:
                for start in range(0, batch.num_rows, _ROWS):
                    part = batch.slice(start, _ROWS)
                    judged = self._verdicts(pa.Table.from_batches([part]), mapping)
                    (added,) = judged.combine_chunks().to_batches()
                    arrays = [*part.select(kept).columns, *added.columns]
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, scored())

    def _verdicts(self, table: pa.Table, mapping: ColumnMap) -> pa.Table:
        """Verdicts of a table's rows, n rows of `VERDICT_SCHEMA`."""
        reviews = texts_of(ArrowRows(table), mapping, 0, _WHERE)
        starts = range(0, len(reviews), _ROWS)
        parts = [self.judge(reviews[start : start + _ROWS]) for start in starts]
        return pa.Table.from_batches(parts, VERDICT_SCHEMA)


def text_of(value: object) -> str | None:
    """A text as programs have it; None for a missing one, which is NaN or NA to some libraries.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    if value is None or isinstance(value, str):
        return value
    with suppress(pa.ArrowException):
        if not pa.scalar(value, from_pandas=True).is_valid:
            return None
    raise UsageError(f"a text is a string, or missing, and this is a {type(value).__name__}")


def _review(
    text: str | None, benefits: str | None, side_effects: str | None, comments: str | None
) -> Texts:
    """One review.

    Raises:
        UsageError: there is no text, a lone text beside others, or something else than a text.
    """
    review = Texts(*map(text_of, (benefits, side_effects, comments, text)))
    check_review(review)
    return review
