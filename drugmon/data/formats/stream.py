"""JSONL on a stream: a window is whatever lines are there, so that no row waits for the next."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Final, cast

import pyarrow as pa

from drugmon.closing import Closing
from drugmon.data.encoding import BOM, DEFAULT_ENCODING, known_encoding, not_encoded
from drugmon.data.formats.interface import in_chunks
from drugmon.data.formats.jsonl import (
    JsonRows,
    Record,
    lines_of,
    own_keys,
    own_part,
    parse_lines,
    verdicts_of,
)
from drugmon.data.formats.objects import Object, infer_schema
from drugmon.data.reviews import Rows

_READ: Final = 1 << 20  # bytes asked for; a pipe gives what it has


class StreamWriter(Closing):
    """Writes JSONL in UTF-8 to a stream such as standard output, each window at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, rows: Rows, verdicts: pa.RecordBatch) -> None:
        """Hand rows and their verdicts to whoever reads the stream."""
        self._stream.write("".join(lines_of(rows, verdicts)).encode())
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream open: it is the caller's."""


class StreamReader(Closing):
    """Reads JSONL from a stream that may still be growing, such as standard input."""

    def __init__(self, stream: BinaryIO, encoding: str | None, where: str) -> None:
        self.where = where
        self.total: int | None = None
        self._encoding = known_encoding(encoding or DEFAULT_ENCODING)
        self._stream = cast(io.BufferedIOBase, stream)
        batches = self._batches()
        first = next(batches, [])
        self.has_rows = bool(first)
        self.columns = own_keys(row for _, row in first)
        self._first = [own_part(record)[1] for record in first]
        self._records = chain([first], batches)
        self._schema: pa.Schema | None = None

    @property
    def schema(self) -> pa.Schema:
        """The types of the rows seen so far."""
        return self._schema_of(self._first)

    def windows(self, size: int) -> Iterator[Rows]:
        """Yield windows of the rows that are there, at most `size` and at least one."""
        for batch in self._records:
            for chunk in in_chunks(map(own_part, batch), size):
                yield JsonRows(self.columns, chunk, self.where, self._schema_of)

    def verdicts(self, size: int) -> Iterator[pa.Table]:
        """Yield the verdicts of an earlier output."""
        for batch in self._records:
            for chunk in in_chunks(batch, size):
                yield verdicts_of(chunk, self.where)

    def close(self) -> None:
        """Leave the stream open: it is the caller's."""

    def _schema_of(self, rows: list[Object]) -> pa.Schema:
        found = infer_schema([rows], (), self.where)
        known = [self._schema] if self._schema is not None else []
        self._schema = pa.unify_schemas([*known, found], promote_options="permissive")
        return self._schema

    def _batches(self) -> Iterator[list[Record]]:
        number, offset = 1, 0
        for lines in self._lines():
            texts = []
            for index, line in enumerate(lines):
                try:
                    texts.append(line.decode(self._encoding))
                except UnicodeDecodeError as error:
                    place = (number + index, offset + error.start)
                    raise not_encoded(self._encoding, self.where, *place) from error
                offset += len(line)
            if number == 1:
                texts[0] = texts[0].removeprefix(BOM)
            if batch := list(parse_lines(texts, self.where, number)):
                yield batch
            number += len(lines)

    def _lines(self) -> Iterator[list[bytes]]:
        parts: list[bytes] = []
        while chunk := self._stream.read1(_READ):
            *whole, rest = chunk.split(b"\n")
            if whole:
                whole[0] = b"".join([*parts, whole[0]])
                parts = []
                yield [line + b"\n" for line in whole]
            parts.append(rest)
        if last := b"".join(parts):
            yield [last]
