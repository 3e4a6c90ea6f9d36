"""Verdicts as Arrow: the columns that drugmon adds to every review, in their one order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drugmon.errors import SourceError
from drugmon.labels import LABELS, TARGETS


def _target_fields(target: str) -> list[pa.Field]:
    numbers = ("confidence", *(f"p_{label}" for label in LABELS))
    return [
        pa.field(f"{target}_sentiment", pa.string()),
        *(pa.field(f"{target}_{number}", pa.float32()) for number in numbers),
    ]


VERDICT_SCHEMA: Final = pa.schema(
    [
        *(field for target in TARGETS for field in _target_fields(target)),
        pa.field("drugmon_adapter", pa.string()),
        pa.field("drugmon_scored_at", pa.timestamp("us", tz="UTC")),
        pa.field("drugmon_fingerprint", pa.string()),
    ]
)
"""Per target its label, confidence and probabilities; then who scored it, when, and what it saw."""

VERDICT_COLUMNS: Final[tuple[str, ...]] = tuple(VERDICT_SCHEMA.names)

_VERDICTS: Final = frozenset(VERDICT_COLUMNS)


def make_verdicts(
    labels: npt.NDArray[np.int8],
    probabilities: npt.NDArray[np.float32],
    adapter: str,
    scored_at: datetime,
    fingerprints: Sequence[str],
) -> pa.RecordBatch:
    """Put scored reviews into the verdict columns.

    Args:
        labels: int8 (n, 4), index into `LABELS` per target; -1 where there is no verdict.
        probabilities: float32 (n, 4, 3) in the order of `LABELS`; ignored where the label is -1.
        adapter: `name@digest` of what scored them.
        scored_at: when, with a time zone.
        fingerprints: n strings of 32 hex characters.

    Returns:
        n rows of `VERDICT_SCHEMA`. The confidence is the probability of the label; a target
        without a verdict is null in all five columns.

    Raises:
        ValueError: a shape does not fit, or a probability of a verdict is not a number.
    """
    rows = len(fingerprints)
    shape = (rows, len(TARGETS))
    if labels.shape != shape or probabilities.shape != (*shape, len(LABELS)):
        raise ValueError(f"{rows} reviews, labels {labels.shape}, scores {probabilities.shape}")
    missing = labels < 0
    if np.isnan(probabilities[~missing]).any():
        raise ValueError("a verdict has a probability that is not a number")
    columns: list[pa.Array] = []
    for target in range(len(TARGETS)):
        columns += _target_columns(labels[:, target], probabilities[:, target], missing[:, target])
    columns += [
        pa.repeat(pa.scalar(adapter, pa.string()), rows),
        pa.repeat(pa.scalar(scored_at, VERDICT_SCHEMA.field("drugmon_scored_at").type), rows),
        pa.array(fingerprints, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=VERDICT_SCHEMA)


def check_replaced(
    names: Collection[str], where: str, *, overwrite: bool = False, option: str = "--overwrite"
) -> None:
    """Refuse columns that are called like verdicts where nothing tells that drugmon made them.

    Args:
        names: all columns of the source.
        where: the source, for the message.
        overwrite: these may be replaced, but for those whose names differ in case: SQL would take
            them for verdicts, and other readers would not.
        option: how the user allows it, for the message.

    Raises:
        SourceError: scoring would replace a column of the user's own, such as people's labels.
    """
    for name in names:
        if name not in _VERDICTS and name.lower() in _VERDICTS:
            raise SourceError(
                f"{where}: has a column {name}, which in SQL is the same as the verdict "
                f"{name.lower()}; rename it"
            )
    replaced = [name for name in VERDICT_COLUMNS if name in names]
    if replaced and not overwrite and not any(name.startswith("drugmon_") for name in replaced):
        raise SourceError(
            f"{where}: has a column {replaced[0]} of its own, which scoring would replace; "
            f"rename it, or let it go with {option}"
        )


def cast_verdicts(table: pa.Table | pa.RecordBatch, where: str) -> pa.Table:
    """Return the verdict columns of an earlier output in the types of `VERDICT_SCHEMA`.

    Text formats hand over strings; an empty cell is a null there. A table that lacks one of the
    columns holds no verdicts and gives 0 rows.

    Raises:
        SourceError: a column holds something else than verdicts; the message names `where`.
    """
    if not set(VERDICT_COLUMNS) <= set(table.schema.names):
        return VERDICT_SCHEMA.empty_table()
    columns = {}
    for field in VERDICT_SCHEMA:
        try:
            columns[field.name] = _cast(table.column(field.name), field)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SourceError(
                f"{where}: column {field.name} does not hold verdicts; --rescore ignores them"
            ) from error
    return pa.table(columns, schema=VERDICT_SCHEMA)


def _target_columns(
    labels: npt.NDArray[np.int8],
    probabilities: npt.NDArray[np.float32],
    missing: npt.NDArray[np.bool_],
) -> list[pa.Array]:
    confidence = np.take_along_axis(probabilities, np.maximum(labels, 0)[:, None], axis=1)
    numbers = np.concatenate([confidence, probabilities], axis=1)
    return [
        pa.array(LABELS, pa.string()).take(pa.array(labels, mask=missing)),
        *(
            pa.array(np.ascontiguousarray(column), pa.float32(), mask=missing)
            for column in numbers.T
        ),
    ]


def _cast(column: pa.Array | pa.ChunkedArray, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    column = column.cast(field.type)
    if field.name.endswith("_sentiment"):
        allowed = pa.array([*LABELS, None], pa.string())
        if not pc.all(pc.is_in(column, allowed), min_count=0).as_py():
            raise pa.ArrowInvalid(f"not among {LABELS}")
    return column
