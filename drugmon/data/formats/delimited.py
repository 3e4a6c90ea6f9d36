"""CSV and TSV: a cell is text, and a line goes out as it came in, with the verdicts appended."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from itertools import compress
from pathlib import Path

import pyarrow as pa

from drugmon.closing import Closing
from drugmon.data.formats.cells import delimited_line, delimited_lines
from drugmon.data.formats.interface import Reader, beside, in_chunks, with_ids
from drugmon.data.formats.quotes import Record, Records
from drugmon.data.formats.textfile import open_text, read_lines
from drugmon.data.reviews import Rows
from drugmon.data.sources import FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, DELIMITERS, NONE, TextFormat
from drugmon.data.verdicts.columns import PLAIN, VerdictColumns, cast_verdicts


class TextRows:
    """Rows of text cells, each with the line that it stood in."""

    def __init__(self, names: Sequence[str], records: list[Record]) -> None:
        self.names = names
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    def column(self, name: str) -> list[object]:
        """Return a column's cells."""
        index = self.names.index(name)
        return [cells[index] for _, cells in self.records]

    def to_arrow(self) -> pa.Table:
        """Return all columns as strings."""
        return pa.table({name: pa.array(self.column(name), pa.string()) for name in self.names})

    def filter(self, mask: Sequence[bool]) -> TextRows:
        """Return the rows whose mask is true."""
        return TextRows(self.names, list(compress(self.records, mask)))


class DelimitedReader(Closing):
    """Streams a CSV or TSV file."""

    def __init__(
        self,
        source: FileSource,
        text_format: TextFormat = DEFAULT_TEXT_FORMAT,
        verdicts: VerdictColumns = PLAIN,
    ) -> None:
        self.where = source.name
        self.verdict_columns = verdicts
        self.format = source.format
        self.total: int | None = None
        self.quoting = text_format.quoting
        self.delimiter = text_format.separator(source.format)
        self._source, self._encoding = source, text_format.encoding
        self._lines, self._records = self._opened()
        line, self._header = next(self._records, ("", []))
        self.names: Sequence[str] = self._header
        earlier = verdicts.among(self._header)
        self._review_places = [i for i, name in enumerate(self._header) if name not in earlier]
        self.header_line, cells = self._own_part((line, self._header))
        self.columns = _unique(cells)

    def survey(self) -> None:
        """Read the file through: rows are counted, and what is bad in it is found before any."""
        lines, records = self._opened()
        with contextlib.closing(lines):
            self.total = max(0, sum(1 for _ in records) - 1)

    @property
    def schema(self) -> pa.Schema:
        """Strings, all of them."""
        return pa.schema([(name, pa.string()) for name in self.columns])

    def windows(self, size: int) -> Iterator[Rows]:
        """Yield windows of `size` rows."""
        for chunk in in_chunks(self._records, size):
            yield TextRows(self.columns, list(map(self._own_part, chunk)))

    def verdicts(self, size: int, id_column: str | None = None) -> Iterator[pa.Table]:
        """Yield the verdicts of an earlier output, with ids where it has that column."""
        place = self._header.index(id_column) if id_column in self._header else None
        for columns in self._scored(size):
            ids = None if place is None else columns[place]
            yield with_ids(self._verdicts_of(columns), ids)

    def scored(self, size: int) -> Iterator[pa.Table]:
        """Yield all columns of an earlier output: its own as text, and the verdicts."""
        for columns in self._scored(size):
            review_columns = [pa.array(columns[i], pa.string()) for i in self._review_places]
            verdicts = self.verdict_columns.rename(self._verdicts_of(columns))
            yield beside(pa.table(review_columns, self.columns), verdicts)

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _opened(self) -> tuple[Generator[str], Iterator[Record]]:
        lines = read_lines(self._source, self._encoding, newline="")
        return lines, iter(Records(lines, self.delimiter, self.quoting, self.where))

    def _scored(self, size: int) -> Iterator[list[tuple[str, ...]]]:
        """Yield the cells of `size` rows, column by column; nothing where there are no verdicts."""
        if self.verdict_columns.are_in(self._header):
            for chunk in in_chunks(self._records, size):
                yield list(zip(*(cells for _, cells in chunk), strict=True))

    def _verdicts_of(self, columns: Sequence[Sequence[str]]) -> pa.Table:
        names = self.verdict_columns.names
        verdict_cells = {name: columns[self._header.index(name)] for name in names}
        return cast_verdicts(pa.table(verdict_cells), self.where, self.verdict_columns)

    def _own_part(self, record: Record) -> Record:
        """Return the record without earlier verdicts, which as a rule stand at its end, bare."""
        line, cells = record
        surplus = len(cells) - len(self._review_places)
        if not surplus:
            return record
        review_cells = [cells[i] for i in self._review_places]
        head, *tail = line.rsplit(self.delimiter, surplus)
        if self.quoting == NONE:
            head = self.delimiter.join(review_cells)
        elif self._review_places[-1:] != [len(review_cells) - 1] or '"' in "".join(tail):
            head = delimited_line(review_cells, self.delimiter)
        return head + _line_end(line), review_cells


class DelimitedWriter(Closing):
    """Writes CSV or TSV in UTF-8."""

    def __init__(self, path: Path, format: str, compression: str | None, like: Reader) -> None:
        self._file = open_text(path, compression)
        self._as_is = isinstance(like, DelimitedReader) and like.format == format
        if isinstance(like, DelimitedReader) and self._as_is:
            self._delimiter, header = like.delimiter, like.header_line
        else:
            self._delimiter = DELIMITERS[format]
            header = delimited_line(like.columns, self._delimiter)
        verdicts = delimited_line(like.verdict_columns.names, self._delimiter)
        if like.columns:
            self._write([header], [verdicts])
        else:  # of a file of no bytes
            self._file.write(f"{verdicts}\n")

    def write(self, rows: Rows, verdicts: pa.RecordBatch) -> None:
        """Append rows and their verdicts."""
        if isinstance(rows, TextRows) and self._as_is:
            lines = [line for line, _ in rows.records]
        else:
            lines = delimited_lines(rows.to_arrow(), self._delimiter)
        self._write(lines, delimited_lines(verdicts, self._delimiter))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, lines: Sequence[str], verdicts: Sequence[str]) -> None:
        for line, cells in zip(lines, verdicts, strict=True):
            end = _line_end(line)
            record = line[: len(line) - len(end)]
            self._file.write(record + self._delimiter + cells + (end or "\n"))


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _unique(names: Sequence[str]) -> list[str]:
    """Number repeated names, as `a`, `a_1`, `a_2`."""
    unique: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in range(1, len(names) + 1))
        unique.append(next(n for n in (name, *numbered) if n not in unique))
    return unique
