"""The file formats of reviews: any can be read, any can be written, each by its extension."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa

from drugmon.data.columns import ColumnMap, texts_of
from drugmon.data.folder import read_folder
from drugmon.data.formats.delimited import DelimitedReader, DelimitedWriter
from drugmon.data.formats.interface import LaidDownReader, Reader, Writer
from drugmon.data.formats.jsonl import JsonlReader, JsonlWriter
from drugmon.data.formats.parquet import ParquetReader, ParquetWriter, count_rows
from drugmon.data.formats.parquet_parts import ParquetParts, ParquetSlice
from drugmon.data.formats.stream import StreamWriter, read_stream, spooled
from drugmon.data.formats.textfile import open_text
from drugmon.data.reviews import Window
from drugmon.data.sources import PARTS, FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.columns import ANY_VERDICTS, PLAIN, VerdictChoice, VerdictColumns
from drugmon.errors import SourceError

__all__ = [
    "Reader",
    "Writer",
    "known_rows",
    "no_verdicts",
    "open_reader",
    "open_slice",
    "open_stream_writer",
    "open_writer",
    "read_scored",
    "read_stream",
    "read_verdicts",
    "read_windows",
    "spooled",
]

_TEXT: Final[Mapping[str, Callable[[FileSource, TextFormat, VerdictColumns], LaidDownReader]]] = {
    "csv": DelimitedReader,
    "tsv": DelimitedReader,
    "jsonl": JsonlReader,
}
_READERS: Final[Mapping[str, Callable[[FileSource, TextFormat, VerdictColumns], Reader]]] = {
    "parquet": ParquetReader,
    PARTS: ParquetParts,
    **_TEXT,
}
_VERDICTS_READ: Final = 1 << 14


def open_reader(
    source: FileSource,
    text_format: TextFormat = DEFAULT_TEXT_FORMAT,
    verdicts: VerdictColumns = PLAIN,
) -> Reader:
    """Open a file of reviews, which may have no rows; one of text is read through before.

    So a bad line at its end is found before its first row is scored, and a key that only late
    objects have is a column of all.

    Raises:
        SourceError: the file cannot be read, or is not what its extension says; or it is of text
            and should have columns that its folders are.
    """
    if source.partition and source.format in _TEXT:
        raise SourceError(
            f"{source.name}: what its folders say is kept by folders, or in Parquet; let --out be "
            "a folder, or leave out --partitions"
        )
    reader = _READERS[source.format](source, text_format, verdicts)
    reader.survey()
    return reader


def known_rows(source: FileSource) -> int | None:
    """Return how many rows a file has; None where that takes reading it, or it cannot be read."""
    if source.format == PARTS:
        manifest = read_folder(source.path)
        return manifest.rows if manifest else None
    return count_rows(source.path) if source.format == "parquet" else None


def open_writer(path: Path, format: str, compression: str | None, like: Reader) -> Writer:
    """Open `path` for the rows of `like` with their verdicts, in any format.

    Args:
        path: where to write, as a rule a temporary file; its name tells nothing.
        format: a value of `sources.EXTENSIONS`.
        compression: a value of `sources.COMPRESSIONS`; None for none. Parquet has its own.
        like: where the rows come from: it gives the header, the types, the metadata, and what the
            verdicts are called.

    Raises:
        SinkError: parquet cannot hold a type of the source.
        SourceError: the source's values have no one type, which parquet and CSV need.
    """
    if format == "parquet":
        return ParquetWriter(path, like)
    if format == "jsonl":
        return JsonlWriter(open_text(path, compression), like.verdict_columns)
    return DelimitedWriter(path, format, compression, like)


def open_stream_writer(stream: BinaryIO, verdicts: VerdictColumns = PLAIN) -> Writer:
    """Write JSONL to a stream such as `sys.stdout.buffer`, each window's rows at once."""
    return StreamWriter(stream, verdicts)


def open_slice(
    source: FileSource, start: int, stop: int, verdicts: VerdictColumns = PLAIN
) -> Reader:
    """Open a part of a parquet file.

    Args:
        source: the file.
        start: the number of the first row, from 0.
        stop: the number behind the last one's.
        verdicts: what the verdict columns are called.

    Raises:
        SourceError: as `open_reader`.
    """
    reader = ParquetSlice(source, start, stop, verdicts)
    reader.survey()
    return reader


def read_windows(reader: Reader, columns: ColumnMap, size: int, start: int = 0) -> Iterator[Window]:
    """Yield the reader's rows in order, in windows of at most `size`, with their texts.

    Args:
        reader: what gives them.
        columns: where the texts are.
        size: of a window.
        start: the number of the reader's first row in the source.

    Raises:
        SourceError: a row cannot be read, or a text column holds something else than strings.
    """
    for rows in reader.windows(size):
        yield Window(start, rows, texts_of(rows, columns, start, reader.where))
        start += len(rows)


def read_verdicts(
    source: FileSource,
    text_format: TextFormat = DEFAULT_TEXT_FORMAT,
    verdicts: VerdictColumns = PLAIN,
    id_column: str | None = None,
) -> Iterator[pa.Table]:
    """Yield the verdicts that an earlier output holds, as tables of VERDICT_SCHEMA.

    Args:
        source: the file.
        text_format: how it is read where it is of text.
        verdicts: what they are called there.
        id_column: what tells its rows apart; where the file has it, it stands behind the verdicts
            as `ROW_ID`.

    Raises:
        SourceError: the file cannot be read, or holds something else in the verdict columns.
    """
    with _READERS[source.format](source, text_format, verdicts) as reader:
        yield from reader.verdicts(_VERDICTS_READ, id_column)


def read_scored(
    source: FileSource, text_format: TextFormat, size: int, choice: VerdictChoice = ANY_VERDICTS
) -> Iterator[pa.Table]:
    """Yield a scored text file's columns, all as text, with its verdicts; none without rows.

    The verdicts keep their names.

    Args:
        source: the file.
        text_format: how it is read.
        size: the most rows of a table.
        choice: which verdicts are meant.

    Raises:
        SourceError: the file cannot be read, holds no verdicts, or something else in their columns.
        UsageError: it holds verdicts under several prefixes.
    """
    with _TEXT[source.format](source, text_format, PLAIN) as reader:
        reader.survey()
        verdicts = choice.among(reader.names, reader.where)
        if verdicts is None and reader.total:
            raise no_verdicts(reader.where, choice)
        if verdicts == PLAIN:
            yield from reader.scored(size)
    if verdicts is not None and verdicts != PLAIN:
        with _TEXT[source.format](source, text_format, verdicts) as reader:
            reader.survey()
            yield from reader.scored(size)


def no_verdicts(where: str, choice: VerdictChoice = ANY_VERDICTS) -> SourceError:
    """The error for a source that was not scored, or not under the prefix that was asked for."""
    under = f" under the prefix {choice.prefix!r}" if choice.prefix else ""
    return SourceError(f"{where}: holds no verdicts{under}; name what `drugmon score` wrote")
