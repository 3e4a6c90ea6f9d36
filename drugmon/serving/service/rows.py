"""Verdicts as rows for JSON: the fields of the scored columns."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pyarrow as pa

DIGITS: Final = 6
"""Of probabilities: what a float32 holds."""

Row = dict[str, object]
"""A verdict as JSON has it, by column."""


def rows_of(verdicts: pa.RecordBatch) -> list[Row]:
    """One object a review, its keys those of `VERDICT_SCHEMA`."""
    names = verdicts.schema.names
    columns = [list(map(_told, column.to_pylist())) for column in verdicts.columns]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _told(value: object) -> object:
    if isinstance(value, float):
        return round(value, DIGITS)
    return value.isoformat() if isinstance(value, datetime) else value
