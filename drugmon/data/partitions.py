"""Folders that say something of their files, as in `year=2026/month=11/a.parquet`.

Nothing takes them for columns but where that is asked for: a folder `rating=9` may mean what it
likes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from drugmon.data.columns import ColumnMap
from drugmon.data.stores.objects import below
from drugmon.data.stores.uri import Location, StoreUri
from drugmon.errors import SourceError
from drugmon.labels import ASPECTS
from drugmon.wording import encodable, names_told

_FOLDER: Final = re.compile(r"([^=/]+)=([^/]*)")
_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
"""What Hive, Spark and others write where there is no value."""

Partition = tuple[tuple[str, str | None], ...]
"""The columns that the folders of a file are, and the value of all its rows, which is text."""


def inside_of(folder: Path, partitions: bool) -> Iterator[Path]:
    """What lies in a folder, and where `partitions` says so in those in it that are columns."""
    for path in folder.iterdir():
        if partitions and _is_column(path.name) and path.is_dir():
            yield from inside_of(path, partitions)
        yield path


def has_partitions(folder: Path) -> bool:
    """Whether folders lie in it that are columns."""
    return any(_is_column(path.name) and path.is_dir() for path in folder.iterdir())


def objects_inside(folder: StoreUri) -> list[StoreUri]:
    """The objects in a folder of a store, and in those in it that are columns, sorted.

    Raises:
        SourceError: the store cannot be asked, or has no such bucket.
    """
    start = len(folder.as_folder.key.split("/")) if folder.key else 0
    return [uri for uri in below(folder) if all(map(_is_column, uri.key.split("/")[start:-1]))]


def folders_of(location: Location) -> list[str]:
    """The folders `name=value` on the way to a file, outermost first, as they are written."""
    if isinstance(location, StoreUri):
        parts = location.key.split("/")[:-1]
    else:
        assert isinstance(location, Path)
        parts = list(location.absolute().parts[:-1])
    return [part for part in parts if _is_column(part)]


def above_partitions(location: Location) -> Path | StoreUri:
    """The folder that a file is in; above the folders that are columns, where they end the way."""
    folder = location.parent
    while _is_column(folder.name):
        folder = folder.parent
    assert isinstance(folder, Path | StoreUri)
    return folder


def partition_of(location: Location) -> Partition:
    """The columns that the folders on the way to a file are; the innermost of one name counts."""
    columns: dict[str, str | None] = {}
    for folder in folders_of(location):
        name, _, value = folder.partition("=")
        told = None if value == _NULL else encodable(unquote(value))
        columns[encodable(unquote(name))] = told
    return tuple(columns.items())


def not_told_by(location: Location, partition: Partition) -> Partition:
    """The columns that a file at `location` has to have itself, as its folders do not say them."""
    told = partition_of(location)
    return tuple(column for column in partition if column not in told)


def names_in(partition: Partition) -> list[str]:
    """What the columns are called."""
    return [name for name, _ in partition]


def refuse_twice(added: Sequence[str], names: Iterable[str], where: str) -> None:
    """See that no column is the file's own and its folders' too, or two folders', also in SQL.

    Raises:
        SourceError: one is.
    """
    often = Counter(name.lower() for name in (*added, *names))
    if twice := [name for name in added if often[name.lower()] > 1]:
        raise SourceError(
            f"{where}: has columns that its folders are too ({names_told(twice)}); leave out "
            "--partitions"
        )


def refuse_as_fields(
    partition: Partition, columns: ColumnMap, verdicts: Iterable[str], where: str
) -> None:
    """See that no folder is taken for a text, an id or a verdict of all of its rows.

    Args:
        partition: the columns that the folders of a file are.
        columns: what its columns hold, these among them.
        verdicts: what the columns of verdicts are called.
        where: the file, for the message.

    Raises:
        SourceError: one is.
    """
    called = {name.lower() for name in verdicts}
    if named := [name for name in names_in(partition) if name.lower() in called]:
        raise SourceError(
            f"{where}: lies in a folder {named[0]}=..., which is what a verdict is called; choose "
            "other names with --prefix dm_, or leave out --partitions"
        )
    for field in (*ASPECTS, "text", "id"):
        if (name := getattr(columns, field)) in names_in(partition):
            raise SourceError(
                f"{where}: its {field} would be the name of a folder, {name}=...; name a column "
                f"with --column {field}=NAME, or leave out --partitions"
            )


def beside_partition(schema: pa.Schema, partition: Partition) -> pa.Schema:
    """The schema with the columns behind it; its metadata stay."""
    for name, _ in partition:
        schema = schema.append(pa.field(name, pa.string()))
    return schema


def partition_cells(partition: Partition, rows: int) -> list[pa.Array]:
    """The columns of so many rows, each (rows,)."""
    return [pa.repeat(pa.scalar(value, pa.string()), rows) for _, value in partition]


def with_partition(rows: pa.Table, partition: Partition) -> pa.Table:
    """The rows with those of the columns that they do not have yet."""
    added = tuple(column for column in partition if column[0] not in rows.schema.names)
    for (name, _), cells in zip(added, partition_cells(added, rows.num_rows), strict=True):
        rows = rows.append_column(name, cells)
    return rows


def _is_column(folder: str) -> bool:
    return _FOLDER.fullmatch(folder) is not None
