"""The footer of a parquet file: annotations of its columns, which Arrow does not know all of.

DuckDB's INTERVAL is twelve bytes to Arrow, and a time with a zone a time without one; what Arrow
writes lacks these annotations. Here they are copied from one file into another, which holds the
same bytes otherwise. The footer is a Thrift struct in the compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md, its fields are in
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import BinaryIO, Final

Element = Mapping[int, tuple[int, bytes]]
"""A SchemaElement: its fields by number, each as its Thrift type and its encoded value."""
Place = tuple[tuple[bytes, ...], int]
"""Where an element is: the names down to it, and how many with the same names stand before it."""

_TAIL: Final = 8  # the length of the footer and the four letters behind it
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = 1, 2, 3, *range(7, 14)
_VARINTS: Final = (4, 5, 6)  # integers of 16, 32 and 64 bits
_FIXED: Final = {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8, _UUID: 16}
_SCHEMA: Final = 2  # of FileMetaData
_NAME, _CHILDREN = 4, 5  # of SchemaElement
_PHYSICAL: Final = (1, 2, _CHILDREN)  # type, length of the type, number of children
_ANNOTATIONS: Final = (6, 7, 8, 10)  # converted type, scale, precision, logical type


def annotated(file: BinaryIO) -> dict[Place, Element]:
    """Return the elements of a parquet file's schema, the root left out.

    Raises:
        ValueError: the footer is not what a parquet file has.
    """
    _, footer = _read_footer(file)
    _, elements, _ = _split(footer)
    return dict(zip(_places(elements)[1:], elements[1:], strict=True))


def annotate(file: BinaryIO, like: Mapping[Place, Element]) -> None:
    """Give the columns of a parquet file the annotations of those in `like`, where bytes agree.

    Args:
        file: open for reading and writing; only its footer is written again, if at all.
        like: of `annotated`; elements that the file lacks are of no matter.

    Raises:
        ValueError: the footer is not what a parquet file has.
    """
    start, footer = _read_footer(file)
    head, elements, rest = _split(footer)
    changed = list(elements)
    for number, place in enumerate(_places(elements)):
        source = like.get(place)
        if number and source is not None:
            changed[number] = _with_annotations(elements[number], source)
    if changed != elements:
        footer = head + _list_of(changed) + rest
        file.seek(start)
        file.truncate()
        file.write(footer + len(footer).to_bytes(4, "little") + b"PAR1")


def _read_footer(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the footer starts, and its bytes."""
    end = file.seek(-_TAIL, os.SEEK_END)
    tail = file.read(_TAIL)
    start = end - int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or start < 0:
        raise ValueError("no footer of a parquet file")
    file.seek(start)
    return start, file.read(end - start)


def _split(footer: bytes) -> tuple[bytes, list[Element], bytes]:
    """Return what comes before the schema's elements, these, and what comes behind."""
    cursor = _Cursor(footer)
    number = 0
    while kind := cursor.field():
        number += cursor.step
        if number == _SCHEMA and kind == _LIST:
            start = cursor.at
            size, _ = cursor.list_header()
            elements = [cursor.fields() for _ in range(size)]
            return footer[:start], elements, footer[cursor.at :]
        cursor.skip(kind)
    raise ValueError("no schema in the footer of a parquet file")


def _places(elements: list[Element]) -> list[Place]:
    """Return the place of every element; they come from the root down, children in order."""
    places: list[Place] = []
    seen: Counter[tuple[bytes, ...]] = Counter()
    open_groups: list[tuple[tuple[bytes, ...], int]] = []
    for element in elements:
        above: tuple[bytes, ...] = ()
        if places:
            above, left = open_groups.pop()
            if left > 1:
                open_groups.append((above, left - 1))
        path = (*above, _Cursor(element[_NAME][1]).binary()) if places else ()
        places.append((path, seen[path]))
        seen[path] += 1
        if _CHILDREN in element and (children := _Cursor(element[_CHILDREN][1]).varint() >> 1):
            open_groups.append((path, children))
    return places


def _with_annotations(element: Element, source: Element) -> Element:
    if any(element.get(number) != source.get(number) for number in _PHYSICAL):
        return element
    kept = {number: field for number, field in element.items() if number not in _ANNOTATIONS}
    given = {number: field for number, field in source.items() if number in _ANNOTATIONS}
    return dict(sorted({**kept, **given}.items()))


def _list_of(elements: list[Element]) -> bytes:
    count = len(elements)
    head = bytes([count << 4 | _STRUCT]) if count < 15 else bytes([0xF0 | _STRUCT]) + _varint(count)
    return head + b"".join(map(_struct, elements))


def _struct(fields: Element) -> bytes:
    parts = []
    before = 0
    for number, (kind, value) in fields.items():  # less than 16 apart in a SchemaElement
        parts += [bytes([number - before << 4 | kind]), value]
        before = number
    return b"".join(parts) + b"\0"


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


class _Cursor:
    """A place in bytes of the compact protocol; every method moves it on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        self.step = 0

    def byte(self) -> int:
        if self.at >= len(self._data):
            raise ValueError("a footer of a parquet file ends early")
        self.at += 1
        return self._data[self.at - 1]

    def varint(self) -> int:
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def binary(self) -> bytes:
        size = self.varint()
        self.at += size
        return self._data[self.at - size : self.at]

    def field(self) -> int:
        """The type of the next field, 0 at the end; `step` is how far its number is on."""
        head = self.byte()
        number = self.varint() if head and not head >> 4 else 0
        self.step = head >> 4 or (number >> 1 ^ -(number & 1))
        return head & 0xF

    def list_header(self) -> tuple[int, int]:
        head = self.byte()
        return (self.varint() if head >> 4 == 0xF else head >> 4), head & 0xF

    def fields(self) -> Element:
        """A struct's fields."""
        fields: dict[int, tuple[int, bytes]] = {}
        number = 0
        while kind := self.field():
            number += self.step
            start = self.at
            self.skip(kind)
            fields[number] = kind, self._data[start : self.at]
        return fields

    def skip(self, kind: int) -> None:
        if kind in _FIXED:
            self.at += _FIXED[kind]
        elif kind in _VARINTS:
            self.varint()
        elif kind == _BINARY:
            self.binary()
        elif kind == _STRUCT:
            while inner := self.field():
                self.skip(inner)
        elif kind in (_LIST, _SET):
            size, inner = self.list_header()
            for _ in range(size):
                self.skip(_BYTE if inner in (_TRUE, _FALSE) else inner)
        else:  # maps: no schema has any
            raise ValueError("not a schema of a parquet file")
