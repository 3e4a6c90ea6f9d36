"""What a column of a Delta table can hold, which has fewer types than Arrow."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_SIGNED: Final = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.int64(),
}
_ALIKE: Final = (
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_large_binary, pa.binary()),
    (pa.types.is_binary_view, pa.binary()),
    (pa.types.is_fixed_size_binary, pa.binary()),
)


def storable(kind: pa.DataType) -> pa.DataType:
    """The type in a form that Delta has: it knows no unsigned numbers, also within others.

    Args:
        kind: the type of what is written.
    """
    kinds = pa.types
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(storable(kind.value_type)))
    if kinds.is_struct(kind):
        return pa.struct([field.with_type(storable(field.type)) for field in kind])
    if kinds.is_map(kind):
        return pa.map_(storable(kind.key_type), storable(kind.item_type))
    return _SIGNED.get(kind, kind)


def fits(coming: pa.DataType, there: pa.DataType) -> bool:
    """Whether a column of one type holds all values of another one.

    Args:
        coming: the type of what is written.
        there: that of a Delta table's column.
    """
    one, other = as_delta(coming), as_delta(there)
    if one.equals(other) or pa.types.is_null(one) or pa.types.is_null(other):
        return True
    numbers = (pa.types.is_integer, pa.types.is_floating)
    alike = any(are(one) and are(other) for are in numbers)
    return alike and bool(one.bit_width <= other.bit_width)


def as_delta(kind: pa.DataType) -> pa.DataType:
    """The type as Delta knows it: text is text there, and moments are microseconds.

    Args:
        kind: the type of what is written, or of what is there.
    """
    kinds = pa.types
    if kinds.is_dictionary(kind):
        return as_delta(kind.value_type)
    if kinds.is_timestamp(kind):
        return pa.timestamp("us", None if kind.tz is None else "UTC")
    if kinds.is_struct(kind):
        return pa.struct([field.with_type(as_delta(field.type)) for field in kind])
    if kinds.is_map(kind):
        return pa.map_(as_delta(kind.key_type), as_delta(kind.item_type))
    for are, plain in _ALIKE:
        if are(kind):
            return plain
    is_list = kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)
    return pa.list_(as_delta(kind.value_type)) if is_list else kind
