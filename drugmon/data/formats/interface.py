"""What every format gives: a reader of windows of rows, and a writer of rows with verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Protocol, Self, TypeVar

import pyarrow as pa

from drugmon.data.reviews import Rows
from drugmon.data.verdicts.arrivals import ROW_ID, id_text
from drugmon.data.verdicts.columns import VerdictColumns

T = TypeVar("T")


def beside(rows: pa.Table, verdicts: pa.Table) -> pa.Table:
    """The columns of both, in this order."""
    columns = [*rows.columns, *verdicts.columns]
    return pa.table(columns, pa.schema([*rows.schema, *verdicts.schema]))


def with_ids(verdicts: pa.Table, cells: Iterable[object] | None) -> pa.Table:
    """Verdicts and, behind them, the ids of their rows as text; None where they have none."""
    if cells is None:
        return verdicts
    return verdicts.append_column(ROW_ID, pa.array(map(id_text, cells), pa.string()))


class Closable(Protocol):
    """What is open, and closes where a `with` block ends."""

    def close(self) -> None:
        """Give back what it holds; a writer writes what is left."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Reader(Closable, Protocol):
    """An open source of reviews. `windows` and `verdicts` each read it once, from its start."""

    where: str
    """What messages call the source."""
    columns: list[str]
    """Its own columns, each name once; earlier verdict columns are left out."""
    verdict_columns: VerdictColumns
    """What the verdicts are called, those that it has and those of an output made like it."""
    names: Sequence[str]
    """All its columns, earlier verdicts too."""
    total: int | None
    """Its number of rows; None until a text file is read through."""

    @property
    def schema(self) -> pa.Schema:
        """The types of `columns` in Arrow; a JSONL file is read through for it."""

    def survey(self) -> None:
        """Read what has to be known of all rows before the first. Raises SourceError."""

    def windows(self, size: int) -> Iterator[Rows]:
        """Yield the rows in order, at most `size` at a time. Raises SourceError on a bad row."""

    def verdicts(self, size: int, id_column: str | None = None) -> Iterator[pa.Table]:
        """Yield the verdicts of an earlier output as VERDICT_SCHEMA; nothing without any.

        Args:
            size: the most rows of a table.
            id_column: one of `columns`, which then stands behind them as `ROW_ID`.
        """


class LaidDownReader(Reader, Protocol):
    """A reader of what DuckDB does not read itself: to be queried, it is laid down as Parquet."""

    def scored(self, size: int) -> Iterator[pa.Table]:
        """Yield all columns of an earlier output: its own, those of text as text, and the verdicts.

        The verdicts keep their names. Raises SourceError on a bad row.
        """


class Writer(Closable, Protocol):
    """An open output of reviews with their verdicts."""

    def write(self, rows: Rows, verdicts: pa.RecordBatch) -> None:
        """Append rows and, row for row, their verdicts (of VERDICT_SCHEMA)."""


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
