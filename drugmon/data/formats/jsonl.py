"""JSONL: a line goes out as it came in, with the verdicts spliced in before its last brace."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import compress
from typing import Any, Final, TextIO

import pyarrow as pa

from drugmon.closing import Closing
from drugmon.data.formats.cells import json_members
from drugmon.data.formats.interface import beside, in_chunks, with_ids
from drugmon.data.formats.objects import Object, infer_schema, parse_object, to_table
from drugmon.data.formats.textfile import read_lines
from drugmon.data.reviews import Rows
from drugmon.data.sources import FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.columns import PLAIN, VerdictColumns, cast_verdicts
from drugmon.errors import SourceError

_TYPED_AT_ONCE: Final = 10_000
_DECODER: Final = json.JSONDecoder()
_VALUE: Final = r'(?:null|[-+.\deE]+|"(?:[^"\\]|\\.)*")'

Record = tuple[str, Object]
"""A line's own text and the object that it holds."""


class JsonRows:
    """Objects, each with the line that it stood in."""

    def __init__(
        self,
        names: Sequence[str],
        records: list[Record],
        where: str,
        schema_of: Callable[[list[Object]], pa.Schema],
    ) -> None:
        self.names = names
        self.records = records
        self._where = where
        self._schema_of = schema_of

    def __len__(self) -> int:
        return len(self.records)

    def column(self, name: str) -> list[object]:
        """Return what each object has under `name`, None where it has nothing."""
        return [row.get(name) for _, row in self.records]

    def to_arrow(self) -> pa.Table:
        """Return the objects as a table; its schema is the same for every window of a file."""
        objects = [row for _, row in self.records]
        return to_table(objects, self._schema_of(objects), self._where)

    def filter(self, mask: Sequence[bool]) -> JsonRows:
        """Return the rows whose mask is true."""
        kept = list(compress(self.records, mask))
        return JsonRows(self.names, kept, self._where, self._schema_of)


class JsonlReader(Closing):
    """Streams a JSONL file."""

    def __init__(
        self,
        source: FileSource,
        text_format: TextFormat = DEFAULT_TEXT_FORMAT,
        verdicts: VerdictColumns = PLAIN,
    ) -> None:
        self.where = source.name
        self.verdict_columns = verdicts
        self.total: int | None = None
        self.columns: list[str] = []
        self.names: Sequence[str] = []
        self._source = (source, text_format.encoding)
        self._lines, self._records = self._opened()

    def survey(self) -> None:
        """Read the file through: `columns` are the keys of all rows, which are counted."""
        lines, records = self._opened()
        keys: dict[str, None] = {}
        self.total = 0
        with contextlib.closing(lines):
            for _, row in records:
                self.total += 1
                keys.update(dict.fromkeys(row))
        self.names, self.columns = list(keys), self.verdict_columns.beside(keys)

    @cached_property
    def schema(self) -> pa.Schema:
        """The types of all rows together."""
        lines, records = self._opened()
        with contextlib.closing(lines):
            chunks = in_chunks((row for _, row in records), _TYPED_AT_ONCE)
            earlier = self.verdict_columns.among(self.names)
            return infer_schema(chunks, earlier, self.where)

    def windows(self, size: int) -> Iterator[Rows]:
        """Yield windows of `size` rows."""
        columns = set(self.columns)
        verdicts = self.verdict_columns if self.verdict_columns.among(self.names) else None
        for chunk in in_chunks(self._records, size):
            records = [own_part(record, verdicts) for record in chunk] if verdicts else chunk
            if not all(columns.issuperset(row) for _, row in records):
                raise SourceError(f"{self.where}: changed while it was being read; run again")
            yield JsonRows(self.columns, records, self.where, lambda _: self.schema)

    def verdicts(self, size: int, id_column: str | None = None) -> Iterator[pa.Table]:
        """Yield the verdicts of an earlier output, with ids where a row has that key."""
        for chunk in in_chunks(self._records, size):
            ids = None
            if id_column is not None and any(id_column in row for _, row in chunk):
                ids = [row.get(id_column) for _, row in chunk]
            yield with_ids(verdicts_of(chunk, self.where, self.verdict_columns), ids)

    def scored(self, size: int) -> Iterator[pa.Table]:
        """Yield all columns of an earlier output: its own as text, and the verdicts."""
        for chunk in in_chunks(self._records, size):
            texts = [[_as_text(row.get(name)) for _, row in chunk] for name in self.columns]
            cells = [pa.array(column, pa.string()) for column in texts]
            verdicts = verdicts_of(chunk, self.where, self.verdict_columns)
            yield beside(pa.table(cells, self.columns), self.verdict_columns.rename(verdicts))

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def _opened(self) -> tuple[Generator[str], Iterator[Record]]:
        lines = read_lines(*self._source, newline="\n")
        return lines, parse_lines(lines, self.where)


class JsonlWriter(Closing):
    """Writes JSONL in UTF-8."""

    def __init__(self, stream: TextIO, verdicts: VerdictColumns) -> None:
        self._stream, self._verdict_columns = stream, verdicts

    def write(self, rows: Rows, verdicts: pa.RecordBatch) -> None:
        """Append rows and their verdicts."""
        self._stream.writelines(lines_of(rows, self._verdict_columns.rename(verdicts)))

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def lines_of(rows: Rows, verdicts: pa.RecordBatch) -> Iterator[str]:
    """Yield the lines of an output: rows with, row for row, their verdicts."""
    if isinstance(rows, JsonRows):
        lines = [line for line, _ in rows.records]
    else:
        lines = [f"{{{members}}}" for members in json_members(rows.to_arrow())]
    for line, members in zip(lines, json_members(verdicts), strict=True):
        yield _spliced(line, members)


def parse_lines(lines: Iterable[str], where: str, first: int = 1) -> Iterator[Record]:
    """Yield the lines that are not blank with their objects; `first` is the first line's number.

    Raises:
        SourceError: a line holds no JSON object.
    """
    for number, line in enumerate(lines, first):
        if line.strip():
            yield line, parse_object(line, f"{where}: line {number:,}")


def own_part(record: Record, verdicts: VerdictColumns) -> Record:
    """Return the record without earlier verdicts; the rest of its text stays as it is."""
    line, row = record
    review = {key: value for key, value in row.items() if key not in verdicts.names}
    return record if len(review) == len(row) else (_without(line, verdicts), review)


def verdicts_of(records: Sequence[Record], where: str, verdicts: VerdictColumns) -> pa.Table:
    """Return the verdicts that the lines of an earlier output hold, null where one has none.

    Raises:
        SourceError: a verdict's key holds something else.
    """
    columns: dict[str, list[Any]] = {
        name: [row.get(name) for _, row in records] for name in verdicts.names
    }
    try:
        return cast_verdicts(pa.table(columns), where, verdicts)
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"{where}: its verdict keys hold something else; use --rescore"
        ) from error


def _as_text(cell: object) -> str | None:
    return None if cell is None else str(cell)


def _spliced(line: str, members: str) -> str:
    whole = line.rstrip()
    head = whole[:-1].rstrip()
    comma = "" if head.endswith("{") else ", "
    return head + comma + members + whole[len(head) :] + (line[len(whole) :] or "\n")


@cache
def _as_spliced(verdicts: VerdictColumns) -> re.Pattern[str]:
    return re.compile("".join(f', "{name}": {_VALUE}' for name in verdicts.names))


def _without(line: str, verdicts: VerdictColumns) -> str:
    """Cut the verdicts out of an object's text, each with the comma before it."""
    start = line.rfind(f', "{verdicts.names[0]}": ')
    spliced = _as_spliced(verdicts).match(line, start) if start > 0 else None
    if spliced and line[spliced.end() :].strip() == "}":  # as drugmon wrote them: at the end
        return line[:start] + line[spliced.end() :]
    after = first = _past_space(line, line.index("{") + 1)
    kept: list[str] = []
    while line[start := _past_space(line, after, ",")] != "}":
        key, colon = _DECODER.raw_decode(line, start)
        _, end = _DECODER.raw_decode(line, _past_space(line, colon, ":"))
        if key not in verdicts.names:
            kept.append(line[after if kept else start : end])
        after = end
    return f"{line[:first]}{''.join(kept)}{line[after:]}"


def _past_space(line: str, place: int, sign: str = "") -> int:
    """Return where the next token begins, after white space and at most one `sign`."""
    while line[place] in " \t\r\n":
        place += 1
    return _past_space(line, place + 1) if line[place] == sign else place
