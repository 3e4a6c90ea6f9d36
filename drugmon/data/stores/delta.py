"""Delta tables, on this machine or in a store: read at one version, changed in one commit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from drugmon.data.stores.delta_types import as_delta, fits, storable
from drugmon.data.stores.objects import is_folder
from drugmon.data.stores.uri import Location, StoreUri
from drugmon.errors import BusyError, DrugmonError, SinkError, SourceError, is_out_of_memory
from drugmon.wording import name_told

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

EXTENSION: Final = ".delta"
"""What a folder's name ends with that is to become a Delta table."""

_LOG: Final = "_delta_log"
_IDS: Final = ("id", "review_id", "uniqueid")
_BATCH_ROWS: Final = 1 << 14


@dataclass(frozen=True)
class Merge:
    """How rows go into a table that is there.

    Attributes:
        key: the column that tells rows apart; None for id, review_id or uniqueID where that does.
        full: whether the rows are all there are: those of the table that they lack go.
        verdicts: the names of the columns with verdicts.
        in_place: these columns are set of rows that are there, and nothing else changes.
        notes: what the commit tells of itself.
    """

    key: str | None
    full: bool
    verdicts: Sequence[str]
    in_place: bool
    notes: Mapping[str, str]


@dataclass(frozen=True)
class DeltaVersion:
    """A version of a table, by its number and the table's id: one that is made anew has another."""

    table: str
    number: int


def is_delta(location: Location) -> bool:
    """Whether a Delta table lies there.

    Raises:
        SourceError: its store cannot be asked.
    """
    if isinstance(location, StoreUri):
        return is_folder(location / _LOG)
    assert isinstance(location, Path)
    return (location / _LOG).is_dir()


def snapshot(
    location: Location,
    path: Path,
    version: int | None = None,
    columns: Sequence[str] | None = None,
    also: Sequence[str] = (),
) -> DeltaVersion:
    """Write a version of a table to a parquet file, and return which it is.

    Args:
        location: the table.
        path: the file.
        version: a number that the table's log has; None for the newest.
        columns: these alone; where the table lacks one the file has no column and no row.
        also: beside them, those of these that the table has.

    Raises:
        SourceError: it cannot be read, or has no such version.
    """
    with _delta_errors(location, version):
        table = _open(location, version)
        dataset = table.to_pyarrow_dataset()
        names = dataset.schema.names if columns is None else list(columns)
        if not set(names) <= set(dataset.schema.names):
            names = []
        elif columns is not None:
            names += [name for name in also if name in dataset.schema.names and name not in names]
        schema = pa.schema([dataset.schema.field(name) for name in names])
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in dataset.to_batches(columns=names, batch_size=_BATCH_ROWS) if names else ():
                writer.write_batch(batch)
        return DeltaVersion(str(table.metadata().id), int(table.version()))


def check_key(location: Location, merge: Merge, columns: Sequence[str]) -> None:
    """See before anything is scored that rows can be told apart.

    Raises:
        SourceError: the key that was named is not among `columns`, or none is found that is needed.
    """
    has_none = _candidate(merge, columns) is None
    if merge.key is not None and merge.key not in columns:
        raise SourceError(f"{location}: --id {name_told(merge.key)}: the source has no such column")
    if has_none and merge.in_place:
        raise SourceError(
            f"{location}: --in-place needs what tells its rows apart; name the column with --id"
        )
    if has_none and not merge.full and is_delta(location):
        raise SourceError(
            f"{location}: with --where and --limit all other rows stay, which needs what tells "
            "rows apart; name the column with --id"
        )


def commit(built: Path, location: Location, merge: Merge) -> None:
    """Bring the rows of a parquet file into a table, in one commit.

    A table that is not there is made. Rows are merged by their key; where no column is one, in the
    table or among the rows, or one of the table's does not hold what comes, they replace the
    table's rows as a whole.

    Raises:
        SinkError: the table cannot be written; it is as it was.
        BusyError: somebody else changed the same rows meanwhile.
    """
    with pq.ParquetFile(built) as file:
        key = _key(built, location, merge, file.schema_arrow.names)
        schema = pa.schema([f.with_type(storable(f.type)) for f in file.schema_arrow])
        rows = pa.RecordBatchReader.from_batches(
            schema,
            (batch.cast(schema) for batch in file.iter_batches(_BATCH_ROWS)),
        )
        there = is_delta(location)
        with _delta_errors(location, writing=True):
            from deltalake import CommitProperties, write_deltalake

            notes = CommitProperties(custom_metadata=dict(merge.notes))
            if there and key is not None:
                table = _open(location)
                as_they_are = _holds(table, schema, merge, location)
                if as_they_are and not _has_copies(table, key, built):
                    _merge(table, rows, key, merge, notes)
                    return
            if there and (merge.in_place or not merge.full):
                raise _copies(location, key)
            write_deltalake(
                str(location),
                rows,
                mode="overwrite" if there else "error",
                schema_mode="overwrite" if there else None,
                commit_properties=notes,
                storage_options=_options(location),
            )


def _merge(
    table: DeltaTable, rows: pa.RecordBatchReader, key: str, merge: Merge, notes: CommitProperties
) -> None:
    names, quoted = rows.schema.names, _quoted(key)
    merging = table.merge(
        rows,
        predicate=f"target.{quoted} = source.{quoted}",
        source_alias="source",
        target_alias="target",
        merge_schema=True,
        commit_properties=notes,
    )
    if merge.in_place:
        values = {_quoted(name): f"source.{_quoted(name)}" for name in merge.verdicts}
        merging.when_matched_update(values).execute()
        return
    # Rows that are as they were are not written again, as far as SQL can tell.
    schema = table.to_pyarrow_dataset().schema
    nested = any(pa.types.is_nested(field.type) for field in rows.schema)
    differ = " OR ".join(
        f"(target.{_quoted(name)} IS DISTINCT FROM source.{_quoted(name)})" for name in names
    )
    merging = merging.when_matched_update_all(
        predicate=None if nested or set(names) != set(schema.names) else differ
    ).when_not_matched_insert_all()
    if merge.full:
        merging = merging.when_not_matched_by_source_delete()
    merging.execute()


def _candidate(merge: Merge, columns: Sequence[str]) -> str | None:
    if merge.key is not None:
        return merge.key
    return next((name for name in columns if name.lower().replace(" ", "_") in _IDS), None)


def _key(built: Path, location: Location, merge: Merge, columns: Sequence[str]) -> str | None:
    """The column by which rows are merged; None where none tells them apart.

    Raises:
        SinkError: the one that was named does not, or one is needed.
    """
    name = _candidate(merge, columns)
    if name is None:
        return None
    ids = _ids(built, name)
    is_plain = not pa.types.is_nested(ids.type)
    if is_plain and ids.null_count == 0 and pc.count_distinct(ids).as_py() == len(ids):
        return name
    if merge.key is None and not merge.in_place:
        return None
    raise _copies(location, name)


def _ids(built: Path, name: str) -> pa.ChunkedArray:
    """The cells of a column as the table will have them: two may become one there."""
    cells = pq.read_table(built, columns=[name])[name]
    return cells.cast(as_delta(storable(cells.type)), safe=False)


def _holds(table: DeltaTable, coming: pa.Schema, merge: Merge, location: Location) -> bool:
    """Whether the table's columns hold the values that come; a merge would cut decimals off them.

    Raises:
        SinkError: they do not, and the table has rows or columns that replacing it would lose.
    """
    there = table.to_pyarrow_dataset().schema
    written = merge.verdicts if merge.in_place else coming.names
    both = [name for name in written if name in there.names]
    odd = [name for name in both if not fits(coming.field(name).type, there.field(name).type)]
    if odd and (merge.in_place or not merge.full or not set(there.names) <= set(coming.names)):
        raise SinkError(
            f"{location}: {name_told(odd[0])} is {there.field(odd[0]).type} there, which does not "
            f"hold the {coming.field(odd[0]).type} of the source; nothing was changed: give both "
            "one type, or name another table with --out"
        )
    return not odd


def _has_copies(table: DeltaTable, key: str, built: Path) -> bool:
    """Whether several rows of the table have a key of the rows that come: each would become one."""
    ids = _ids(built, key)
    there = table.to_pyarrow_dataset().to_table(columns=[key])[key]
    matched = there.filter(pc.is_in(there, ids.cast(there.type)))
    return bool(pc.count_distinct(matched).as_py() < len(matched))


def _copies(location: Location, name: str | None) -> SinkError:
    what = "the column that looks like an id" if name is None else name_told(name)
    return SinkError(
        f"{location}: {what} does not tell rows apart (some are empty or there twice); "
        "name another column with --id"
    )


def _quoted(name: str) -> str:
    doubled = name.replace("`", "``")
    return f"`{doubled}`"


def _open(location: Location, version: int | None = None) -> DeltaTable:
    try:
        from deltalake import DeltaTable
    except ImportError as error:
        raise SourceError(
            f"{location}: a Delta table needs deltalake; pip install 'drugmon[delta]'"
        ) from error
    return DeltaTable(str(location), version=version, storage_options=_options(location))


def _options(location: Location) -> dict[str, str] | None:
    """An endpoint without TLS has to be told; credentials are taken from the environment."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    is_plain = isinstance(location, StoreUri) and endpoint.startswith("http://")
    return {"AWS_ALLOW_HTTP": "true", "AWS_ENDPOINT_URL": endpoint} if is_plain else None


@contextmanager
def _delta_errors(
    location: Location, version: int | None = None, *, writing: bool = False
) -> Iterator[None]:
    """Turn what deltalake says into one line without its words, which may hold values of cells."""
    try:
        yield
    except (DrugmonError, AssertionError):
        raise
    except Exception as error:
        kind = type(error).__name__
        if is_out_of_memory(error):
            raise
        if kind == "CommitFailedError":
            raise BusyError(
                f"{location}: somebody else changed the same rows while this run committed; run "
                "again: what was scored is kept"
            ) from None
        if writing:
            raise SinkError(
                f"{location}: the Delta table cannot be written ({kind}); nothing was changed: "
                "look whether its columns have other types, or Delta lacks one of the source's"
            ) from None
        which = "" if version is None else f" at version {version}"
        raise SourceError(
            f"{location}: the Delta table cannot be read{which} ({kind}); check its path, its "
            "versions, and the permissions"
        ) from None
