"""Show: the verdicts of a scored file, row by row, without the texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Final

import polars as pl
import pyarrow as pa

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, read_verdicts
from drugmon.data.sources import FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.errors import SourceError
from drugmon.labels import LABELS, TARGETS

CONTEXT: Final = ("id", "drug", "rating")


@dataclass(frozen=True)
class Shown:
    """The first rows of a scored file, and the label counts of all of them.

    `context` has the columns that tell the rows apart; `verdicts` per row and target label and
    confidence, None where there is no verdict; `counts` per target and label.
    """

    context: dict[str, Sequence[object]]
    verdicts: list[dict[str, tuple[str, float] | None]]
    counts: dict[str, dict[str, int]]
    total: int
    adapters: tuple[str, ...]


def show(
    path: Path,
    limit: int,
    columns: Mapping[str, str] = MappingProxyType({}),
    text_format: TextFormat = DEFAULT_TEXT_FORMAT,
) -> Shown:
    """Read the verdicts that a score run left in `path`.

    Raises:
        SourceError: the file cannot be read or has no verdicts.
    """
    source = FileSource.of(path)
    if not path.is_file():
        raise SourceError(f"{path}: no such file; score a source first")
    tables = list(read_verdicts(source, text_format))
    if not any(table.num_rows for table in tables):
        raise SourceError(f"{path}: has no verdicts; score it first and show its output")
    verdicts = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))
    return Shown(
        context=_context(source, limit, columns, text_format),
        verdicts=[_verdicts(row) for row in verdicts.head(limit).iter_rows(named=True)],
        counts={target: _counts(verdicts, target) for target in TARGETS},
        total=len(verdicts),
        adapters=tuple(verdicts["drugmon_adapter"].drop_nulls().unique().sort()),
    )


def _context(
    source: FileSource, limit: int, overrides: Mapping[str, str], text_format: TextFormat
) -> dict[str, Sequence[object]]:
    with open_reader(source, text_format) as reader:
        columns = resolve_columns(reader.columns, overrides, reader.where, need_text=False)
        names = {each: getattr(columns, each) for each in CONTEXT if getattr(columns, each)}
        (rows,) = islice(reader.windows(limit), 1)
        return {each: rows.column(name) for each, name in names.items()}


def _verdicts(row: dict[str, object]) -> dict[str, tuple[str, float] | None]:
    found: dict[str, tuple[str, float] | None] = {}
    for target in TARGETS:
        label, confidence = row[f"{target}_sentiment"], row[f"{target}_confidence"]
        known = isinstance(label, str) and isinstance(confidence, float)
        found[target] = (str(label), float(str(confidence))) if known else None
    return found


def _counts(verdicts: pl.DataFrame, target: str) -> dict[str, int]:
    labels = verdicts[f"{target}_sentiment"]
    return {label: int((labels == label).sum()) for label in LABELS}
