"""Typed columns as text: cells of CSV and TSV lines, members of JSON objects."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc


def delimited_line(cells: Sequence[str], delimiter: str) -> str:
    """Return one line of CSV or TSV, without a line end; quotes only where they are needed."""
    line = io.StringIO()
    # cells are only quoted for line ends that are the writer's own
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n")


def delimited_lines(table: pa.Table | pa.RecordBatch, delimiter: str) -> list[str]:
    """Return the rows of `table` as lines of CSV or TSV, without line ends; null is empty."""
    cells = [_quoted_cells(_strings(column), delimiter) for column in _columns(table)]
    joined = pc.binary_join_element_wise(
        *cells, delimiter, null_handling="replace", null_replacement=""
    )
    lines: list[str] = joined.to_pylist()
    return lines


def json_members(table: pa.Table | pa.RecordBatch) -> list[str]:
    """Return the rows of `table` as the members of JSON objects: `"a": 1, "b": null`.

    Numbers keep the digits that their type holds and decimals their scale; what is not finite is
    null. Times are ISO 8601, bytes base64.
    """
    members = [
        pc.binary_join_element_wise(json.dumps(name, ensure_ascii=False), _json(column), ": ")
        for name, column in zip(table.schema.names, _columns(table), strict=True)
    ]
    if not members:
        return [""] * table.num_rows
    joined: list[str] = pc.binary_join_element_wise(*members, ", ").to_pylist()
    return joined


def _columns(table: pa.Table | pa.RecordBatch) -> list[pa.Array]:
    """Return whole, plain columns: no chunks, dictionaries or extension types."""
    columns = []
    for column in table.columns:
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(array, pa.ChunkedArray):  # combined string columns can still be in parts
            array = pa.concat_arrays(array.chunks)
        if isinstance(array, pa.ExtensionArray) and pa.types.is_string(array.type.storage_type):
            array = array.storage
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        columns.append(array)
    return columns


def _is_number(kind: pa.DataType) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(test(kind) for test in tests)


def _strings(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_float16(kind):
        return array.cast(pa.float32()).cast(pa.string())
    if pa.types.is_timestamp(kind):
        return pc.replace_substring(array.cast(pa.string()), " ", "T", max_replacements=1)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    plain = (*texts, pa.types.is_date, pa.types.is_time, pa.types.is_null, _is_number)
    if any(test(kind) for test in plain):
        return array.cast(pa.string())
    values = (_plain(value) for value in array.to_pylist())
    return pa.array([v if v is None or isinstance(v, str) else _dumps(v) for v in values])


def _quoted_cells(texts: pa.Array, delimiter: str) -> pa.Array:
    doubled = pc.replace_substring(texts.cast(pa.string()), '"', '""')
    quoted = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(
        pc.match_substring_regex(doubled, f'["\r\n]|{re.escape(delimiter)}'), quoted, doubled
    )


def _json(array: pa.Array) -> pa.Array:
    if pa.types.is_nested(array.type):
        return pa.array([_dumps(_plain(value)) for value in array.to_pylist()], pa.string())
    texts = _strings(array)
    if pa.types.is_floating(array.type):
        finite = pc.is_finite(array.cast(pa.float64()))
        texts = pc.if_else(finite, texts, pa.scalar(None, pa.string()))
    elif not _is_number(array.type):
        distinct = texts.cast(pa.string()).dictionary_encode()
        quoted = pa.array(map(_dumps, distinct.dictionary.to_pylist()), pa.string())
        texts = quoted.take(distinct.indices)
    return texts.fill_null("null")


def _plain(value: object) -> object:
    """Return `value` in what JSON knows; anything else as its ISO or plain text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value if value is None or isinstance(value, str | int) else str(value)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
