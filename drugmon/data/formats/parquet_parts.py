"""A part of a Parquet file as a source, and a folder of parts as a single one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from drugmon.data.folder import parts_in
from drugmon.data.formats.parquet import ParquetReader
from drugmon.data.sources import FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.columns import PLAIN, VerdictColumns
from drugmon.errors import SourceError


class ParquetSlice(ParquetReader):
    """Rows `start` to `stop` (not included) of a parquet file; other row groups are not read."""

    def __init__(
        self, source: FileSource, start: int, stop: int, verdicts: VerdictColumns = PLAIN
    ) -> None:
        self.first, self._stop = start, stop
        super().__init__(source, verdicts=verdicts)

    def _batches(self, size: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        metadata = self._file.metadata
        groups, at, end = [], 0, 0
        for group in range(metadata.num_row_groups):
            begin, end = end, end + metadata.row_group(group).num_rows
            if end <= self.first:
                at = end
            elif begin < self._stop:
                groups.append(group)
        try:
            for batch in self._file.iter_batches(size, row_groups=groups, columns=columns):
                low, high = max(self.first - at, 0), min(self._stop - at, batch.num_rows)
                if low < high:
                    yield batch.slice(low, high - low)
                at += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error


class ParquetParts(ParquetReader):
    """The parts of a folder, one after the other, as one file of their types."""

    def __init__(
        self,
        source: FileSource,
        text_format: TextFormat = DEFAULT_TEXT_FORMAT,
        verdicts: VerdictColumns = PLAIN,
    ) -> None:
        first, *others = (replace(source, path=path) for path in parts_in(source.path))
        super().__init__(replace(first, format="parquet"), text_format, verdicts)
        self._others = others

    def survey(self) -> None:
        """See that all parts have the types of the first one.

        Raises:
            SourceError: they have not, or one is damaged.
        """
        super().survey()
        rows = self._file.metadata.num_rows
        for reader in self._following():
            if not reader.schema.equals(self.schema):
                raise SourceError(f"{self.where}: its parts differ in columns; score it again")
            rows += reader.total or 0
        self.total = rows

    def _batches(self, size: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        yield from super()._batches(size, columns)
        for reader in self._following():
            yield from reader._batches(size, columns)

    def _following(self) -> Iterator[ParquetReader]:
        for part in self._others:
            with ParquetReader(part, verdicts=self.verdict_columns) as reader:
                reader.survey()
                yield reader
