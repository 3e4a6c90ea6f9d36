"""`--where` and `--limit`: which rows of a file are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import duckdb
import pyarrow as pa

from drugmon.data.choosing import (
    Kinds,
    check_rounds_nothing,
    choosing,
    fits,
    kinds_of,
    number_columns,
)
from drugmon.data.condition import SECONDS, check_condition, took_too_long
from drugmon.data.duckdb.database import at_most, close_off, first_line, in_memory
from drugmon.data.partitions import Partition, with_partition
from drugmon.data.reviews import Rows, Window
from drugmon.errors import UsageError
from drugmon.wording import names_told

_ROWS: Final = "reviews"
_ROW: Final = "drugmon_row"
_WHY: Final = "SQL lacks the type, or another name differs in case only"


@dataclass(frozen=True)
class Selection:
    """A SQL condition over a source's columns, and how many of the rows that meet it to take.

    That it takes nothing is a mistake, but where `may_take_nothing` says otherwise.
    """

    where: str | None = None
    limit: int | None = None
    may_take_nothing: bool = False

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit {self.limit}: must be 1 or more")
        if self.where is not None:
            check_condition(self.where)

    def size_of(self, total: int | None) -> int | None:
        """Return how many of `total` rows it takes; None where that takes reading them."""
        if total is None or self.where is not None:
            return None
        return total if self.limit is None else min(total, self.limit)

    def after(self, taken: int) -> Selection | None:
        """Return what is left to take once `taken` rows are; None where nothing is."""
        if self.limit is None:
            return self
        return replace(self, limit=self.limit - taken) if taken < self.limit else None

    @property
    def everything(self) -> bool:
        """Whether it leaves no row out."""
        return self.where is None and self.limit is None


def select(
    windows: Iterator[Window], selection: Selection, where_file: str, partition: Partition = ()
) -> Iterator[Window]:
    """Yield what the selection takes of each window, in order; windows left empty are left out.

    Cells of CSV and TSV are text; what the condition compares with numbers (`rating > 8`) is read
    as numbers where the first window holds nothing else, and no other cell may follow then.

    Args:
        windows: the source's windows; no more are read once the limit is reached.
        selection: what to take. The limit counts the rows that meet the condition.
        where_file: the source, for messages.
        partition: columns that the condition may mean beside those of the rows.

    Raises:
        UsageError: the condition does not fit these columns, or a cell.
    """
    left = selection.limit
    with in_memory(None) as connection:
        close_off(connection)
        where = selection.where
        condition = None if where is None else _Condition(connection, where, where_file, partition)
        for window in windows:
            rows = condition.meets(window.rows) if condition else range(len(window.rows))
            taken = rows[:left]
            if taken:
                yield _part(window, taken)
            if left is not None and (left := left - len(taken)) == 0:
                return


def _part(window: Window, taken: Sequence[int]) -> Window:
    if len(taken) == len(window.rows):
        return window
    mask = [False] * len(window.rows)
    for row in taken:
        mask[row] = True
    texts = [window.texts[row] for row in taken]
    return Window(window.start + taken[0], window.rows.filter(mask), texts)


class _Condition:
    """A condition over windows of one source, checked when it meets the first of them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        text: str,
        where_file: str,
        partition: Partition,
    ) -> None:
        self._connection = connection
        self._text = text
        self._file = where_file
        self._partition = partition
        self._numbers: list[str] | None = None
        self._readable: list[int] | None = None
        self._row = _ROW

    def meets(self, rows: Rows) -> list[int]:
        """Return the numbers of the rows that meet the condition, from 0, in order."""
        whole = with_partition(rows.to_arrow(), self._partition)
        if self._readable is None:
            self._readable = self._readable_among(whole)
            while self._row in map(str.lower, whole.schema.names):
                self._row += "_"
        table = whole.select(self._readable)
        try:
            self._connection.register(_ROWS, _numbered(table, self._row))
            return self._query(_texts_in(table))
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            # DuckDB's own words would show the value, which may be a review
            raise self._error(
                f"a value in {self._file} cannot be converted; use TRY_CAST"
            ) from error
        except duckdb.BinderException as error:
            left_out = [
                name for i, name in enumerate(whole.schema.names) if i not in self._readable
            ]
            hint = f"; no condition can use {names_told(left_out)}: {_WHY}" if left_out else ""
            raise self._error(f"{first_line(error)} (in {self._file}){hint}") from error
        except duckdb.Error as error:
            raise self._error(f"{first_line(error)} (in {self._file})") from error

    def _readable_among(self, table: pa.Table) -> list[int]:
        """Which columns a condition can mean: of a type that DuckDB reads, with a name of its own.

        DuckDB takes names that differ in case for equal and gives one of them another name.
        """
        alike = Counter(map(str.lower, table.schema.names))
        readable = []
        for number, field in enumerate(table.schema):
            if alike[field.name.lower()] == 1:
                with suppress(duckdb.Error):
                    self._connection.from_arrow(table.select([number]).slice(0, 0)).fetchall()
                    readable.append(number)
        return readable

    def _query(self, texts: Sequence[str]) -> list[int]:
        """The rows at hand that meet it; `texts` are their columns of text."""
        if self._numbers is None:
            kinds = number_columns(self._connection, _ROWS, texts, self._text, self._fits)
            check_rounds_nothing(self._connection, _ROWS, self._text, kinds)
            self._numbers = list(kinds)
        else:  # what is none any more cannot be converted, and is told
            kinds = dict.fromkeys(self._numbers, "DOUBLE")
            kinds |= kinds_of(self._connection, _ROWS, self._numbers)
        sql = choosing(_ROWS, self._row, self._text, kinds)
        try:
            with at_most(self._connection, SECONDS):
                return sorted(row for (row,) in self._connection.execute(sql).fetchall())
        except TimeoutError:
            raise took_too_long(self._text, self._file) from None

    def _fits(self, kinds: Kinds) -> bool:
        return fits(self._connection, _ROWS, self._row, self._text, kinds)

    def _error(self, reason: str) -> UsageError:
        return UsageError(f"--where {self._text}: {reason}")


def _numbered(table: pa.Table, name: str) -> pa.Table:
    return table.add_column(0, name, pa.array(range(len(table)), pa.int64()))


def _texts_in(table: pa.Table) -> list[str]:
    """The columns of text; one without a name cannot be meant."""
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return [
        field.name
        for field in table.schema
        if field.name and any(is_text(field.type) for is_text in kinds)
    ]
