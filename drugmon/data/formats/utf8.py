"""Texts of parquet files, which writers need not check: bytes that are no UTF-8 are refused."""

from __future__ import annotations

import pyarrow as pa

from drugmon.errors import SourceError
from drugmon.wording import name_told


def check_utf8(batch: pa.RecordBatch, start: int, where: str) -> None:
    """Make sure that texts are UTF-8, those inside of lists and structs too.

    Args:
        batch: some rows of a file.
        start: the number of the first of them, from 0.
        where: the file, for the message.

    Raises:
        SourceError: a text is not; row and column are told.
    """
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not _holds_texts(field.type):
            continue
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            if (row := _first_bad(column)) is not None:
                raise SourceError(
                    f"{where}: column {name_told(field.name)} holds a text that is not UTF-8 (row "
                    f"{start + row + 1:,}); write it again as UTF-8, or the column as binary"
                ) from error


def _holds_texts(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _holds_texts(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _holds_texts(kind.value_type)
    within = [kind.field(number) for number in range(kind.num_fields)]
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or any(_holds_texts(field.type) for field in within)
    )


def _first_bad(column: pa.Array) -> int | None:
    for row, value in enumerate(column):
        try:
            value.as_py()
        except UnicodeDecodeError:
            return row
    return None
