"""Parquet: columns come out with the values, types and metadata that they came in with."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby, repeat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.closing import Closing
from drugmon.data.formats.footer import Element, Place, annotate, annotated
from drugmon.data.formats.int96 import INT96, best_unit, int96_columns, storable
from drugmon.data.formats.interface import Reader, with_ids
from drugmon.data.formats.schema_copies import ARROW, arrow_copy, with_verdicts
from drugmon.data.formats.utf8 import check_utf8
from drugmon.data.partitions import beside_partition, names_in, partition_cells, refuse_twice
from drugmon.data.reviews import Rows
from drugmon.data.sources import FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.columns import PLAIN, VerdictColumns, cast_verdicts
from drugmon.errors import SinkError, SourceError, is_out_of_memory
from drugmon.wording import names_told

_GROUP_ROWS = 1 << 16
_GROUP_BYTES = 64 << 20
_BUFFER = 1 << 20
_DEFAULT_CODEC = "zstd"


class ArrowRows:
    """Rows as an Arrow table."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.names: Sequence[str] = table.schema.names

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def column(self, name: str) -> list[object]:
        """Return a column's values as Python objects."""
        values: list[object] = self._table.column(self.names.index(name)).to_pylist()
        return values

    def to_arrow(self) -> pa.Table:
        """Return the table itself."""
        return self._table

    def filter(self, mask: Sequence[bool]) -> ArrowRows:
        """Return the rows whose mask is true."""
        try:
            return ArrowRows(self._table.filter(pa.array(mask, pa.bool_())))
        except pa.ArrowNotImplementedError:  # of views Arrow can only cut pieces
            pieces = [self._table.slice(0, 0)]
            start = 0
            for kept, rows in groupby(mask):
                size = len(list(rows))
                if kept:
                    pieces.append(self._table.slice(start, size))
                start += size
            return ArrowRows(pa.concat_tables(pieces).combine_chunks())


def count_rows(path: Path) -> int | None:
    """Return the number of rows that a parquet file tells at its end; None where it tells none."""
    try:
        with path.open("rb") as file:
            return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError):
        return None


class ParquetReader(Closing):
    """Streams a parquet file; memory holds a window, however large its row groups are."""

    first = 0
    """The number of the first row that it gives, in the file."""

    def __init__(
        self,
        source: FileSource,
        text_format: TextFormat = DEFAULT_TEXT_FORMAT,  # noqa: ARG002
        verdicts: VerdictColumns = PLAIN,
    ) -> None:
        self.where = source.name
        self.verdict_columns = verdicts
        try:
            if source.path.stat().st_size == 0:
                raise SourceError(f"{self.where}: is empty; there is nothing to score")
            # Opened here, because Arrow takes no name that is not UTF-8, and a colon for a URI.
            self._source = source.path.open("rb")
            self._partition = source.partition
            self._open("us")
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def _open(self, unit: str) -> None:
        self._file = self._opened(unit)
        whole = self._file.schema_arrow
        added = names_in(self._partition)
        refuse_twice(added, whole.names, self.where)
        self.names: Sequence[str] = [*whole.names, *added]
        earlier = self.verdict_columns.among(whole.names)
        self._review_places = [i for i, name in enumerate(whole.names) if name not in earlier]
        # Where a file has Arrow's copy of the schema, Arrow tells the metadata that stand in there.
        metadata = {**(whole.metadata or {}), **(self._file.metadata.metadata or {})}
        metadata.pop(ARROW, None)
        review_schema = pa.schema(
            [whole.field(i) for i in self._review_places], metadata=metadata or None
        )
        self.schema = beside_partition(review_schema, self._partition)
        self.columns: list[str] = self.schema.names
        self.total: int | None = self._file.metadata.num_rows

    def survey(self) -> None:
        """Read times that are stored as INT96 in the unit in which they stay what they are.

        Raises:
            SourceError: there is none, or the file is damaged.
        """
        columns = int96_columns(self._file)
        if not columns:
            return
        try:
            unit = best_unit(self._opened)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error
        if unit is None:
            raise SourceError(
                f"{self.where}: has times before 1677 or after 2262 beside some with nanoseconds "
                f"(INT96, in {names_told(columns)}), which cannot be kept together; write the file "
                "again with times in microseconds"
            )
        if unit != "us":
            self._open(unit)

    @property
    def codec(self) -> str:
        """The compression of its first column."""
        metadata = self._file.metadata
        if not metadata.num_row_groups or not metadata.num_columns:
            return _DEFAULT_CODEC
        name = str(metadata.row_group(0).column(0).compression).lower()
        return {"uncompressed": "none", "lz4_raw": "lz4"}.get(name, name)

    def stores(self, physical: str, logical: str = "") -> bool:
        """Say whether a column of the file has this physical and (start of the) logical type."""
        columns = map(self._file.schema.column, range(len(self._file.schema)))
        return any(
            column.physical_type == physical and str(column.logical_type).startswith(logical)
            for column in columns
        )

    def annotations(self) -> dict[Place, Element]:
        """The annotations of its columns, those that Arrow does not know too."""
        try:
            return annotated(self._source)
        except ValueError as error:
            raise self._damaged(error) from error

    def stored(self) -> pa.Schema:
        """The types in which Arrow is to write `schema` where all times become INT96."""
        columns = map(self._file.schema.column, range(len(self._file.schema)))
        whole = storable(
            self._file.schema_arrow, [column.physical_type == INT96 for column in columns]
        )
        review_schema = pa.schema([whole.field(i) for i in self._review_places])
        return beside_partition(review_schema, self._partition)

    def _opened(self, unit: str) -> pq.ParquetFile:
        return pq.ParquetFile(
            self._source,
            pre_buffer=False,
            buffer_size=_BUFFER,
            coerce_int96_timestamp_unit=unit,
            arrow_extensions_enabled=True,
        )

    def windows(self, size: int) -> Iterator[Rows]:
        """Yield windows of exactly `size` rows; the last may be smaller."""
        waiting: list[pa.RecordBatch] = []
        rows, start = 0, self.first
        for batch in self._batches(size, None):
            check_utf8(batch, start, self.where)
            start += batch.num_rows
            waiting.append(self._whole(batch.select(self._review_places)))
            rows += batch.num_rows
            if rows >= size:  # batches end where row groups end, so they can be small
                table = pa.Table.from_batches(waiting, self.schema)
                yield ArrowRows(table.slice(0, size))
                rows -= size
                waiting = table.slice(size).to_batches() if rows else []
        if rows:
            yield ArrowRows(pa.Table.from_batches(waiting, self.schema))

    def _whole(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of the file with the columns that its folders are."""
        if not self._partition:
            return batch
        cells = partition_cells(self._partition, batch.num_rows)
        return pa.RecordBatch.from_arrays([*batch.columns, *cells], schema=self.schema)

    def verdicts(self, size: int, id_column: str | None = None) -> Iterator[pa.Table]:
        """Yield the verdicts of an earlier output, with ids where it has that column."""
        names, there = list(self.verdict_columns.names), self._file.schema_arrow.names
        # A point in a name would be taken for the path of a nested column.
        ids = [name for name in there if name == id_column and "." not in name]
        if self.verdict_columns.are_in(there):
            for batch in self._batches(size, [*names, *ids]):
                cells = batch.column(ids[0]).to_pylist() if ids else None
                yield with_ids(cast_verdicts(batch, self.where, self.verdict_columns), cells)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._source.close()

    def _batches(self, size: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(size, columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> SourceError:
        if is_out_of_memory(error):
            raise error
        if isinstance(error, OSError) and error.errno is not None:  # the system's, not Arrow's
            return SourceError(f"{self.where}: cannot be read ({error.strerror})")
        if isinstance(error, pa.ArrowNotImplementedError):
            return SourceError(
                f"{self.where}: holds what drugmon cannot read, such as whole numbers of 128 bits; "
                "write it again with other types"
            )
        return SourceError(
            f"{self.where}: not a whole parquet file (damaged, cut short, or another format); "
            "write it again"
        )


class ParquetWriter(Closing):
    """Writes row groups of some 64k rows, so that memory holds no more than one."""

    def __init__(self, path: Path, like: Reader) -> None:
        source = like if isinstance(like, ParquetReader) else None
        self._source_schema = like.schema
        self._where = like.where
        self._waiting: list[pa.Table] = []
        self._annotations = source.annotations() if source else {}
        added = like.verdict_columns
        self._annotations.update(_annotations_of(added.schema))
        whole = pa.schema(
            [*like.schema, *added.schema], metadata=with_verdicts(like.schema.metadata, added)
        )
        int96 = bool(source and source.stores(INT96))
        self._schema = whole
        if source and int96:
            verdicts = storable(added.schema, repeat(False))
            self._schema = pa.schema([*source.stored(), *verdicts])
        self._target = path.open("w+b")
        try:
            self._file = pq.ParquetWriter(
                self._target,
                self._schema,
                compression=source.codec if source else _DEFAULT_CODEC,
                store_schema=not int96,
                use_deprecated_int96_timestamps=int96,
                store_decimal_as_integer=bool(
                    source and any(source.stores(kind, "Decimal") for kind in ("INT32", "INT64"))
                ),
            )
        except pa.ArrowNotImplementedError as error:
            raise SinkError(
                f"{like.where}: parquet cannot hold one of its types; write JSONL instead"
            ) from error
        if int96:
            self._file.add_key_value_metadata({**(whole.metadata or {}), **arrow_copy(whole)})

    def write(self, rows: Rows, verdicts: pa.RecordBatch) -> None:
        """Append rows and their verdicts."""
        table = rows.to_arrow()
        if not table.schema.equals(self._source_schema):
            raise SinkError(
                f"{self._where}: rows further on have other columns or types than the first "
                "ones; write JSONL instead"
            )
        columns = [*table.columns, *verdicts.columns]
        stored = [
            column if column.type == field.type else column.cast(field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._waiting.append(pa.Table.from_arrays(stored, schema=self._schema))
        if (
            sum(part.num_rows for part in self._waiting) >= _GROUP_ROWS
            or sum(part.nbytes for part in self._waiting) >= _GROUP_BYTES
        ):
            self._flush()

    def close(self) -> None:
        """Write what waits, then the footer."""
        self._flush()
        self._file.close()
        annotate(self._target, self._annotations)
        self._target.close()

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(pa.concat_tables(self._waiting), row_group_size=_GROUP_ROWS)
            self._waiting = []


def _annotations_of(schema: pa.Schema) -> dict[Place, Element]:
    with io.BytesIO() as file:
        pq.write_table(schema.empty_table(), file)
        return annotated(file)
