"""JSONL on a stream: a window is whatever lines are there, so that no row waits for the next.

What a row gets may not depend on how the bytes came, in one piece or with pauses: its columns are
the keys of all rows up to it, and of no later one.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, cast

import pyarrow as pa

from drugmon.closing import Closing
from drugmon.data.columns import ColumnMap, resolve_columns, resolve_so_far, texts_of
from drugmon.data.encoding import BOM, DEFAULT_ENCODING, not_encoded
from drugmon.data.formats.interface import in_chunks
from drugmon.data.formats.jsonl import JsonRows, Record, lines_of, own_part, parse_lines
from drugmon.data.formats.objects import Object, infer_schema
from drugmon.data.reviews import Rows, Window
from drugmon.data.sources import FileSource, StandardInput
from drugmon.data.verdicts.columns import PLAIN, VerdictColumns
from drugmon.errors import SourceError

_READ: Final = 1 << 20  # bytes asked for; a pipe gives what it has
_WHERE: Final = StandardInput().name


class StreamWriter(Closing):
    """Writes JSONL in UTF-8 to a stream such as standard output, each window at once."""

    def __init__(self, stream: BinaryIO, verdicts: VerdictColumns = PLAIN) -> None:
        self._stream, self._verdict_columns = stream, verdicts

    def write(self, rows: Rows, verdicts: pa.RecordBatch) -> None:
        """Hand rows and their verdicts to whoever reads the stream."""
        lines = lines_of(rows, self._verdict_columns.rename(verdicts))
        self._stream.write("".join(lines).encode())
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream open: it is the caller's."""


def spooled(stream: BinaryIO, folder: Path) -> FileSource:
    """Lay a whole stream of JSONL down in `folder`, which holds texts from then on."""
    path = folder / "stdin.jsonl"
    with path.open("wb") as file:
        shutil.copyfileobj(stream, file)
    return FileSource(path, "jsonl", None, _WHERE)


def read_stream(
    stream: BinaryIO,
    overrides: Mapping[str, str],
    encoding: str | None,
    size: int,
    verdicts: VerdictColumns = PLAIN,
) -> Iterator[Window]:
    """Yield the rows of a growing stream of JSONL as they come, at most `size` at a time.

    The first rows wait, up to `size` of them, while no key is known that holds texts. A column
    that is named in `overrides` is there from the first row on.

    Args:
        stream: such as `sys.stdin.buffer`; it may have no rows.
        overrides: field to column name, from `--column`.
        encoding: a Python codec's name; None for UTF-8.
        size: the most rows in a window.
        verdicts: what the verdicts are called; keys of these names are left out.

    Raises:
        SourceError: a line is no JSON object, or texts are missing or are no strings, or a key is
            called like a verdict; the rows before it are yielded first.
        UsageError: an override names a field or, when all is read, a column that is not there.
    """
    waiting: list[Rows] = []
    names: list[str] = []
    start = 0
    for rows in _windows(stream, encoding or DEFAULT_ENCODING, size, verdicts):
        names = list(rows.names)
        waiting.append(rows)
        enough = sum(map(len, waiting)) >= size
        columns = resolve_so_far(names, overrides, _WHERE, need_text=enough)
        if columns.has_text:
            for ready in waiting:
                yield _window(ready, columns, start)
                start += len(ready)
            waiting.clear()
    if names:
        resolve_columns(names, overrides, _WHERE)


def _window(rows: Rows, columns: ColumnMap, start: int) -> Window:
    return Window(start, rows, texts_of(rows, columns, start, _WHERE))


def _windows(
    stream: BinaryIO, encoding: str, size: int, verdicts: VerdictColumns
) -> Iterator[Rows]:
    """Yield the rows that are there, at least one; a window ends before a row with a new key."""
    names: dict[str, None] = {}
    for batch in _batches(stream, encoding):
        for chunk in in_chunks(batch, size):
            first = 0
            for place, (_, row) in enumerate(chunk):
                if not names.keys() >= row.keys():
                    if place > first:
                        yield _rows(names, chunk[first:place], verdicts)
                    first = place
                    names = {**names, **dict.fromkeys(row)}
                    verdicts.check(names, _WHERE)
            yield _rows(names, chunk[first:], verdicts)


def _rows(names: dict[str, None], records: list[Record], verdicts: VerdictColumns) -> Rows:
    review_parts = [own_part(record, verdicts) for record in records]
    return JsonRows(verdicts.beside(names), review_parts, _WHERE, _schema_of)


def _schema_of(rows: list[Object]) -> pa.Schema:
    return infer_schema([rows], (), _WHERE)


def _batches(stream: BinaryIO, encoding: str) -> Iterator[list[Record]]:
    number, offset = 1, 0
    for lines in _lines(stream):
        batch: list[Record] = []
        for line in lines:
            try:
                text = _decoded(line, encoding, number, offset)
                batch += parse_lines([text], _WHERE, number)
            except SourceError:
                if batch:
                    yield batch  # the rows before it are good
                raise
            number += 1
            offset += len(line)
        if batch:
            yield batch


def _decoded(line: bytes, encoding: str, number: int, offset: int) -> str:
    try:
        text = line.decode(encoding)
    except UnicodeDecodeError as error:
        raise not_encoded(encoding, _WHERE, number, offset + error.start) from error
    except UnicodeError as error:
        raise SourceError(f"{_WHERE}: not {encoding.upper()}; check --encoding") from error
    return text.removeprefix(BOM) if number == 1 else text


def _lines(stream: BinaryIO) -> Iterator[list[bytes]]:
    parts: list[bytes] = []
    while chunk := cast(io.BufferedIOBase, stream).read1(_READ):
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join([*parts, whole[0]])
            parts = []
            yield [line + b"\n" for line in whole]
        parts.append(rest)
    if last := b"".join(parts):
        yield [last]
