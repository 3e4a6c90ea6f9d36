"""JSON objects as rows: parsed from a line, and turned into Arrow where another form is needed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, Final

import pyarrow as pa

from drugmon.errors import SourceError
from drugmon.wording import encodable, name_told

Object = dict[str, Any]

_UNFIT: Final = (
    pa.ArrowInvalid,
    pa.ArrowTypeError,
    pa.ArrowNotImplementedError,
    pa.ArrowCapacityError,
    OverflowError,
    TypeError,
)


def parse_object(line: str, where: str) -> Object:
    """Return the object that a line holds; `where` names file and line for the message.

    Raises:
        SourceError: the line is no JSON, or JSON of something else than an object.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where} is not JSON; JSONL has one object a line") from error
    if not isinstance(value, dict):
        raise SourceError(
            f"{where} holds a {type(value).__name__}, not an object; JSONL has one object a line"
        )
    repaired: Object = _without_surrogates(value) if "\\u" in line else value
    return repaired


def infer_schema(chunks: Iterable[list[Object]], without: Collection[str], where: str) -> pa.Schema:
    """Return the Arrow types that hold every value of every key, in order of appearance.

    Keys in `without` are left out.

    Raises:
        SourceError: a key's values have no type in common.
    """
    fields: dict[str, pa.Field] = {}
    for chunk in chunks:
        for name in dict.fromkeys(name for row in chunk for name in row):
            if name in without:
                continue
            try:
                kind = pa.array([row.get(name) for row in chunk]).type
                schemas = [pa.schema([field]) for field in (fields.get(name),) if field is not None]
                schemas.append(pa.schema([(name, kind)]))
                fields[name] = pa.unify_schemas(schemas, promote_options="permissive").field(0)
            except _UNFIT as error:
                raise _mixed(where, name) from error
    return pa.schema(list(fields.values()))


def to_table(rows: list[Object], schema: pa.Schema, where: str) -> pa.Table:
    """Return objects as a table of `schema`; a missing key is null.

    Raises:
        SourceError: a value does not fit its column's type.
    """
    columns = []
    for field in schema:
        try:
            columns.append(pa.array([row.get(field.name) for row in rows], field.type))
        except _UNFIT as error:
            raise _mixed(where, field.name) from error
    return pa.Table.from_arrays(columns, schema=schema)


def _mixed(where: str, name: str) -> SourceError:
    return SourceError(
        f"{where}: the values of {name_told(name)} have no one type, which --where and formats "
        "other than JSONL need; leave out --where, and write JSONL, which keeps each as it is"
    )


def _without_surrogates(value: object) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value
