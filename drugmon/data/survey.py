"""What a source of reviews holds, in counts: nothing of a text, an id or a name is kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from drugmon.closing import Closing
from drugmon.data.columns import FIELDS, ColumnMap, resolve_columns, texts_of
from drugmon.data.duckdb.database import connect, in_memory
from drugmon.data.duckdb.relation import Relation
from drugmon.data.duckdb.snapshot import text_columns
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.formats.parquet import ArrowRows
from drugmon.data.language import LanguageHint
from drugmon.data.queries import Sql, statement
from drugmon.data.reviews import Rows, Texts, clean
from drugmon.data.sources import FileSource
from drugmon.data.textformat import TextFormat
from drugmon.data.verdicts.columns import PLAIN, free_prefix
from drugmon.grading import ENOUGH_RATINGS, TEN, RatingScale, doubt, rating_of

_WINDOW_ROWS: Final = 8192
_LANGUAGE_TEXTS: Final = 2000
"""Reviews by which the language is told."""


@dataclass(frozen=True)
class Ids:
    """How many rows have an id, and how many of those have one that an earlier row has."""

    filled: int
    repeated: int


@dataclass(frozen=True)
class Ratings:
    """How many numbers there are, from where to where, and how many cells hold something else.

    `beyond` counts those above ten.
    """

    count: int
    low: float
    high: float
    unreadable: int
    beyond: int = 0

    @property
    def scale(self) -> RatingScale | None:
        """What they look like; None where they fit no usual scale, or there are too few to tell."""
        if self.count < ENOUGH_RATINGS:
            return None
        # Some exports write 99 where nobody rated; on a scale of hundred most are above ten.
        if 0 < self.beyond < self.count / 2:
            return None
        likely = doubt(self.low, self.high, self.count, TEN)
        inside = TEN.low <= self.low and self.high <= TEN.high
        return likely or (TEN if inside else None)


@dataclass(frozen=True)
class Dates:
    """How many cells are dates, the first and the last of them, and how many are something else."""

    count: int
    first: datetime | None
    last: datetime | None
    unreadable: int


@dataclass(frozen=True)
class Survey:
    """What was found in one source.

    Attributes:
        rows: of all files.
        columns: which column holds what; of several files, in the first.
        unread: the names of the other columns.
        other_columns: files whose columns are called otherwise than those of the first.
        without_text: rows that have no text, and get no verdict.
        repeated: rows with the same texts as an earlier one.
        ids: None, as the next two, where no column is called so.
        language: what the texts are written in; None where that cannot be told.
        prefix: what verdict columns have to begin with, as the source has columns of its own that
            are called like verdicts; empty where it has none.
    """

    rows: int
    columns: ColumnMap
    unread: tuple[str, ...]
    other_columns: int
    without_text: int
    repeated: int
    ids: Ids | None
    ratings: Ratings | None
    dates: Dates | None
    language: str | None
    prefix: str = ""


def survey_file(
    survey: Surveyor, source: FileSource, overrides: Mapping[str, str], text_format: TextFormat
) -> None:
    """Read a file of reviews to its end.

    Args:
        survey: what is told of the rows.
        source: the file.
        overrides: column names by field, from `--column`.
        text_format: how text is written in it.

    Raises:
        SourceError: it cannot be read, or has no text column.
        UsageError: an override names no field or no column.
    """
    with open_reader(source, text_format) as reader:
        columns = resolve_columns(reader.columns, overrides, reader.where)
        survey.begin(columns, reader.columns, reader.names)
        for window in read_windows(reader, columns, _WINDOW_ROWS):
            survey.add(window.rows, window.texts)


def survey_table(
    survey: Surveyor,
    database: Path,
    table: str,
    overrides: Mapping[str, str],
    lock_timeout: float,
) -> None:
    """Read the columns of a table that drugmon knows; the database is locked for writers meanwhile.

    Args:
        survey: what is told of the rows.
        database: the file.
        table: the table or view.
        overrides: column names by field, from `--column`.
        lock_timeout: seconds to wait while another process has the file open.

    Raises:
        SourceError: the database or the table cannot be read, or has no text column.
        UsageError: an override names no field or no column.
        BusyError: another process did not close the database in time.
    """
    where = f"{database}, table {table}"
    with connect(database, read_only=True, lock_timeout=lock_timeout) as connection:
        relation = Relation.find(connection, table, where)
        review_columns = PLAIN.beside(relation.columns)
        text_columns(relation, overrides, where)
        columns = resolve_columns(review_columns, overrides, where)
        survey.begin(columns, review_columns, list(relation.columns))
        read = [name for name in review_columns if name in _names_of(columns)]
        sql = statement("select_columns", relation=relation.path, columns=read)
        start = 0
        for batch in connection.sql(sql).to_arrow_reader(_WINDOW_ROWS):
            rows = ArrowRows(pa.Table.from_batches([batch]))
            survey.add(rows, texts_of(rows, columns, start, where))
            start += len(rows)


class Surveyor(Closing):
    """Counts what windows of rows hold; to be closed, as a `with` does."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._dates = self._stack.enter_context(in_memory(None))
        self._first: ColumnMap | None = None
        self._columns = ColumnMap()
        self._unread: tuple[str, ...] = ()
        self._rows = self._without_text = self._repeated = self._others = 0
        self._every: set[tuple[str, ...]] = set()
        self._texts: set[bytes] = set()
        self._ids: set[bytes] = set()
        self._language = LanguageHint()
        self._found_ids = Ids(0, 0)
        self._found_ratings = Ratings(0, math.inf, -math.inf, 0)
        self._found_dates = Dates(0, None, None, 0)

    def close(self) -> None:
        """Give back what dates are counted with."""
        self._stack.close()

    def begin(self, columns: ColumnMap, names: Sequence[str], every: Sequence[str]) -> None:
        """Go on to rows whose columns are `columns`, among all those called `names`.

        Args:
            columns: what they hold.
            names: the source's own columns.
            every: these, and earlier verdicts.
        """
        self._every.add(tuple(every))
        if self._first is None:
            self._first = columns
            self._unread = tuple(name for name in names if name not in _names_of(columns))
        self._others += columns != self._first
        self._columns = columns

    def add(self, rows: Rows, texts: Sequence[Texts]) -> None:
        """Count some rows and their texts."""
        if self._rows < _LANGUAGE_TEXTS:
            self._language.add(text for row in texts for text in row if text)
        self._rows += len(rows)
        self._add_texts(texts)
        columns = self._columns
        if columns.id is not None:
            self._add_ids(rows.column(columns.id))
        if columns.rating is not None:
            self._add_ratings(rows.column(columns.rating))
        if columns.date is not None:
            self._add_dates(rows.column(columns.date))

    def survey(self) -> Survey:
        """What the rows added so far say."""
        columns = self._first or ColumnMap()
        return Survey(
            rows=self._rows,
            columns=columns,
            unread=self._unread,
            other_columns=self._others,
            without_text=self._without_text,
            repeated=self._repeated,
            ids=None if columns.id is None else self._found_ids,
            ratings=None if columns.rating is None else self._found_ratings,
            dates=None if columns.date is None else self._found_dates,
            language=self._language.language,
            prefix=free_prefix(self._every),
        )

    def _add_texts(self, texts: Sequence[Texts]) -> None:
        for row in texts:
            cleaned = [clean(text) or "" for text in row]
            if not any(cleaned):
                self._without_text += 1
            else:
                self._repeated += _is_known(self._texts, "\0".join(cleaned))

    def _add_ids(self, cells: Sequence[object]) -> None:
        filled = [str(cell) for cell in cells if cell is not None and str(cell).strip()]
        repeated = sum(_is_known(self._ids, cell) for cell in filled)
        so_far = self._found_ids
        self._found_ids = Ids(so_far.filled + len(filled), so_far.repeated + repeated)

    def _add_ratings(self, cells: Sequence[object]) -> None:
        unreadable, numbers = 0, []
        for cell in cells:
            try:
                number = rating_of(cell)
            except (ValueError, TypeError, OverflowError):
                unreadable += 1
                continue
            if number is not None and math.isfinite(number):
                numbers.append(number)
        so_far = self._found_ratings
        self._found_ratings = Ratings(
            so_far.count + len(numbers),
            min(so_far.low, min(numbers, default=math.inf)),
            max(so_far.high, max(numbers, default=-math.inf)),
            so_far.unreadable + unreadable,
            so_far.beyond + sum(number > TEN.high for number in numbers),
        )

    def _add_dates(self, cells: Sequence[object]) -> None:
        """Read dates as a report does."""
        texts = [None if cell is None else str(cell) for cell in cells]
        self._dates.register("cells", pa.table({"cell": pa.array(texts, pa.string())}))
        moment = Sql(statement("moment_of_text", column="cell", as_name="moment"))
        sql = statement("span_of_cells", moment=moment)
        ((first, last, count, filled),) = self._dates.execute(sql).fetchall()
        so_far = self._found_dates
        self._found_dates = Dates(
            so_far.count + count,
            min(filter(None, (so_far.first, first)), default=None),
            max(filter(None, (so_far.last, last)), default=None),
            so_far.unreadable + filled - count,
        )


def _names_of(columns: ColumnMap) -> Mapping[str, str]:
    """The field by the column's name."""
    return dict(_fields_of(columns))


def _fields_of(columns: ColumnMap) -> Iterator[tuple[str, str]]:
    for field in FIELDS:
        name = getattr(columns, field)
        if name is not None:
            yield name, field


def _is_known(digests: set[bytes], text: str) -> bool:
    """Whether an equal text was asked for before; only its digest is kept."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).digest()
    repeated = digest in digests
    digests.add(digest)
    return repeated
