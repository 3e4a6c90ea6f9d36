"""Frames of programs: polars, pandas and pyarrow, and verdicts beside their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from drugmon.data.columns import ColumnMap
from drugmon.data.verdicts.columns import VerdictColumns
from drugmon.errors import SourceError, UsageError
from drugmon.wording import encodable, names_told


def names_of_frame(frame: Any) -> list[str]:
    """The columns of a frame.

    Raises:
        UsageError: it is none that `Model.score` takes, or a name is no text.
    """
    if isinstance(frame, pa.Table | pa.RecordBatchReader):
        return list(frame.schema.names)
    # Asked of the object: neither library is imported for who does not use it.
    is_of_theirs = type(frame).__module__.partition(".")[0] in ("polars", "pandas")
    if not (is_of_theirs and hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "columns")):
        raise UsageError(
            f"a {type(frame).__name__} cannot be scored: give a polars or pandas data frame, a "
            "pyarrow table or record-batch reader"
        )
    if not all(isinstance(name, str) for name in frame.columns):
        raise UsageError("a column of the frame has a name that is no text; rename it")
    return list(frame.columns)


def text_columns(frame: Any, mapping: ColumnMap) -> pa.Table:
    """The columns that hold texts, alone: others may have no form in Arrow.

    Raises:
        SourceError: one holds something else than texts.
    """
    fields = (mapping.benefits, mapping.side_effects, mapping.comments, mapping.text)
    names = list(dict.fromkeys(name for name in fields if name is not None))
    if isinstance(frame, pa.Table):
        return frame.select(names)
    if not type(frame).__module__.startswith("pandas"):
        return frame.select(names).to_arrow()
    texts = frame[names]
    try:
        try:
            return pa.Table.from_pandas(texts, preserve_index=False)
        except UnicodeEncodeError:  # half a character, which Arrow cannot hold
            whole = texts.map(lambda cell: encodable(cell) if isinstance(cell, str) else cell)
            return pa.Table.from_pandas(whole, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # their words may hold a value
        told = names_told(names)
        raise SourceError(
            f"the frame: a text is a string, or missing, and a cell of {told} is neither"
        ) from None


def places_beside(names: Sequence[str], verdicts: VerdictColumns) -> list[int]:
    """Where the columns stand that are no verdicts of before: names may repeat in Arrow."""
    kept = set(verdicts.beside(names))
    return [place for place, name in enumerate(names) if name in kept]


def beside(frame: Any, added: pa.Table, verdicts: VerdictColumns) -> Any:
    """The frame, without verdict columns of before, and the verdicts behind it, in its own kind."""
    if isinstance(frame, pa.Table):
        reviews = frame.select(places_beside(frame.schema.names, verdicts))
        schema = pa.schema([*reviews.schema, *added.schema], metadata=frame.schema.metadata)
        return pa.table([*reviews.columns, *added.columns], schema)
    if type(frame).__module__.startswith("pandas"):
        reviews = frame.drop(columns=list(verdicts.among(frame.columns)))
        columns = added.to_pandas()
        return reviews.assign(**{name: columns[name].array for name in columns.columns})
    import polars as pl

    reviews = frame.drop(verdicts.among(frame.columns))
    return reviews.hstack(pl.DataFrame(added))
