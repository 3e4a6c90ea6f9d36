"""INT96, the times of older Spark, Hive and Impala: nanoseconds, and more years than Arrow's.

Arrow writes either all times of a file as INT96 or none. So in a file that has INT96, the others
are handed to it as whole numbers, and their annotations are put back by `footer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

INT96: Final = "INT96"
_BATCH: Final = 1 << 16
_THOUSAND: Final = np.uint64(1000)


def int96_columns(file: pq.ParquetFile) -> list[str]:
    """Return the paths of the columns that are stored so."""
    columns = map(file.schema.column, range(len(file.schema)))
    return [column.path for column in columns if column.physical_type == INT96]


def best_unit(open_in: Callable[[str], pq.ParquetFile]) -> str | None:
    """Return the unit, "us" or "ns", in which Arrow holds all of a file's INT96 times whole.

    Args:
        open_in: opens the file with its INT96 times in a unit.

    Returns:
        None where neither will do: some have parts of a microsecond, others lie beyond the years
        that nanoseconds reach, 1677 to 2262.
    """
    coarse, fine = open_in("us"), open_in("ns")
    columns = int96_columns(coarse)
    parts = beyond = False
    for one, other in zip(
        coarse.iter_batches(_BATCH, columns=columns),
        fine.iter_batches(_BATCH, columns=columns),
        strict=True,
    ):
        for micros, nanos in zip(_numbers(one, other), _numbers(other, one), strict=True):
            # Beyond these years Arrow's nanoseconds wrap around, and so does this difference.
            rest = nanos.view(np.uint64) - micros.view(np.uint64) * _THOUSAND
            parts |= bool((rest != 0).any())
            beyond |= bool((nanos // 1000 != micros).any())
    if not parts:
        return "us"
    return None if beyond else "ns"


def _numbers(batch: pa.RecordBatch, other: pa.RecordBatch) -> Iterator[np.ndarray]:
    """Yield the times of `batch` that have another unit in `other`, as int64; 0 for nulls."""
    for column, counterpart in zip(batch.columns, other.columns, strict=True):
        for leaf, same in zip(_leaves(column), _leaves(counterpart), strict=True):
            if leaf.type != same.type:
                yield leaf.cast(pa.int64()).fill_null(0).to_numpy()


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    if isinstance(array, pa.StructArray):
        for child in array.flatten():
            yield from _leaves(child)
    elif isinstance(array, pa.MapArray):
        yield from _leaves(array.keys)
        yield from _leaves(array.items)
    elif isinstance(array, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        yield from _leaves(array.flatten())
    else:
        yield array


def storable(schema: pa.Schema, leaves: Iterable[bool]) -> pa.Schema:
    """Return the schema in whose types Arrow is to write beside INT96: other times as int64.

    Args:
        schema: all columns of a file.
        leaves: whether each of its stored columns is INT96; a nested column has several.
    """
    stored = iter(leaves)
    fields = [field.with_type(_storable(field.type, stored)) for field in schema]
    return pa.schema(fields, schema.metadata)


def _storable(kind: pa.DataType, int96: Iterator[bool]) -> pa.DataType:
    def within(field: pa.Field) -> pa.Field:
        return field.with_type(_storable(field.type, int96))

    if pa.types.is_struct(kind):
        return pa.struct([within(field) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(within(kind.key_field), within(kind.item_field), kind.keys_sorted)
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(within(kind.value_field), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(within(kind.value_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(within(kind.value_field))
    if isinstance(kind, pa.BaseExtensionType):
        _storable(kind.storage_type, int96)
        return kind
    stored = next(int96)
    return pa.int64() if pa.types.is_timestamp(kind) and not stored else kind
