"""Scored reviews as they lie: files of any format, or a table with its companion, as one relation.

All of the source's own columns are there, under their own names; `scored` gives them drugmon's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.data.duckdb.companion import VIEW, companions_of
from drugmon.data.duckdb.database import first_line
from drugmon.data.duckdb.relation import Relation
from drugmon.data.formats import no_verdicts, read_scored
from drugmon.data.partitions import names_in, refuse_twice
from drugmon.data.queries import Sql, path_for_duckdb, statement
from drugmon.data.sources import FileSource
from drugmon.data.textformat import TextFormat
from drugmon.data.verdicts.columns import (
    ANY_VERDICTS,
    PLAIN,
    VerdictChoice,
    VerdictColumns,
    several_prefixes,
)
from drugmon.errors import SourceError
from drugmon.labels import LABELS, TARGETS
from drugmon.wording import path_told

_WINDOW: Final = 8192
_FILE: Final = "file_index"
"""What DuckDB calls the number of a row's file, unless a column is called so."""


@dataclass(frozen=True)
class ScoredRelation:
    """A relation of scored reviews, its columns with their types, and which are the verdicts."""

    relation: Sql
    columns: Mapping[str, str]
    verdicts: VerdictColumns


def files_relation(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[FileSource],
    text_format: TextFormat,
    *,
    aside: Path,
    where: str,
    choice: VerdictChoice = ANY_VERDICTS,
) -> ScoredRelation:
    """All columns of scored files.

    Args:
        connection: where the relation is to be used.
        sources: the files, one or more.
        text_format: how those of text are read; they are laid down as Parquet.
        aside: the folder for these.
        where: what messages call the files.
        choice: which verdicts are meant.

    Raises:
        SourceError: a file cannot be read, or its rows have no verdicts.
        UsageError: there are verdicts under several prefixes.
    """
    parts = [(_as_parquet(source, text_format, aside, choice), source) for source in sources]
    laid = [(path, source) for path, source in parts if path is not None]
    paths = [path for path, _ in laid] or [_without_rows(aside, choice)]
    listed = _list(map(path_for_duckdb, paths))
    relation = Sql(statement("from_parquet", paths=listed))
    try:
        described = connection.execute(statement("describe_parquet", paths=listed)).fetchall()
    except duckdb.Error as error:
        raise SourceError(f"{where}: cannot be read: {first_line(error)}") from error
    columns = {name: kind for name, kind, *_ in described}
    if added := names_in(sources[0].partition):
        refuse_twice(added, columns, where)
        if _FILE in map(str.lower, columns):
            raise SourceError(
                f"{where}: has a column {_FILE}; rename it, or leave out --partitions"
            )
        partitions = [dict(source.partition) for _, source in laid] or [{}]
        relation = _with_partitions(relation, added, partitions)
        columns |= dict.fromkeys(added, "VARCHAR")
    verdicts = choice.among(columns, where)
    if verdicts is None:
        raise no_verdicts(where, choice)
    return ScoredRelation(relation, columns, verdicts)


def table_relation(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    where: str,
    choice: VerdictChoice = ANY_VERDICTS,
) -> ScoredRelation:
    """All columns of a scored table.

    Args:
        connection: to its database.
        table: its name.
        where: what messages call it.
        choice: which verdicts are meant.

    Raises:
        SourceError, UsageError: as `files_relation`.
    """
    relation, verdicts = with_verdicts(connection, table, where, choice)
    path = Sql(statement("select_path", relation=relation.path))
    return ScoredRelation(path, relation.columns, verdicts)


def with_verdicts(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    where: str,
    choice: VerdictChoice = ANY_VERDICTS,
) -> tuple[Relation, VerdictColumns]:
    """The table itself, or the view that joins it with its companion; and what verdicts it has.

    Args:
        connection: to its database.
        table: its name.
        where: what messages call it.
        choice: which verdicts are meant.

    Raises:
        SourceError: there is no such table, or nothing scored it.
        UsageError: there are verdicts under several prefixes.
    """
    relation = Relation.find(connection, table, where)
    verdicts = choice.among(relation.columns, where)
    if verdicts is not None:
        return relation, verdicts
    views = []
    for companion in companions_of(connection, relation):
        view = Relation.at(connection, relation.sibling(VIEW + companion.suffix))
        if view and companion.are_in(view.columns) and choice.prefix in (None, companion.prefix):
            views.append((view, companion))
    if len(views) > 1:
        raise several_prefixes(where, [verdicts for _, verdicts in views])
    if not views:
        raise no_verdicts(where, choice)
    return views[0]


def _as_parquet(
    source: FileSource, text_format: TextFormat, aside: Path, choice: VerdictChoice
) -> Path | None:
    """The file, one of text laid down as Parquet; None where it has no rows to lay down.

    Raises:
        SourceError: it has rows without verdicts, or cannot be read.
    """
    if source.format == "parquet" and not _has_verdicts(source.path, choice, source.name):
        raise no_verdicts(source.name, choice)
    if source.format == "parquet" and path_told(source.path) == str(source.path):
        return source.path
    path = aside / f"{len(list(aside.iterdir()))}.parquet"
    if source.format == "parquet":  # DuckDB opens no name that is not UTF-8
        path.symlink_to(source.path.absolute())
        return path
    writer = None
    try:
        for table in read_scored(source, text_format, _WINDOW, choice):
            writer = writer or pq.ParquetWriter(path, table.schema, compression="lz4")
            writer.write_table(table.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()
    return path if writer else None  # a header and no rows: a night without reviews


def _has_verdicts(path: Path, choice: VerdictChoice, where: str) -> bool:
    """Whether the rows of a Parquet file have verdicts: beside those of others they would be null.

    One that has no rows, or cannot be read here, is let pass.
    """
    try:
        with path.open("rb") as file:
            told = pq.read_metadata(file)
    except (pa.ArrowException, OSError):
        return True  # DuckDB says what is wrong with it
    columns = [told.schema.column(number).path for number in range(told.num_columns)]
    return not told.num_rows or choice.among(columns, where) is not None


def _with_partitions(
    relation: Sql, names: Sequence[str], partitions: Sequence[Mapping[str, str | None]]
) -> Sql:
    """The rows of Parquet files with the columns that their folders are.

    DuckDB reads such names itself, but not all of them as others do: of `a=1/a=2` it takes the
    first, of `a=b=c` nothing, and what stands before the = as it is written.

    Args:
        relation: the files.
        names: of the columns.
        partitions: what each file's rows have in them.
    """
    columns = [
        Sql(
            statement(
                "partition_column",
                values=_list(partition.get(name) for partition in partitions),
                as_name=name,
            )
        )
        for name in names
    ]
    return Sql(statement("with_partitions", columns=columns, relation=relation))


def _without_rows(aside: Path, choice: VerdictChoice) -> Path:
    path = aside / "without-rows.parquet"
    pq.write_table(choice.without_rows.schema.empty_table(), path)
    return path


def label_counts(verdicts: VerdictColumns = PLAIN) -> list[Sql]:
    """Return the items that count each target's labels, in the order of targets and labels."""
    return [
        Sql(
            statement(
                "count_label",
                column=verdicts.of(f"{target}_sentiment"),
                value=literal(label),
                as_name=f"{target}_{label}",
            )
        )
        for target in TARGETS
        for label in LABELS
    ]


def _list(texts: Iterable[str | None]) -> Sql:
    return Sql(f"[{', '.join('NULL' if text is None else literal(text) for text in texts)}]")


def literal(text: str) -> Sql:
    """Text as SQL: a view takes no bound values."""
    return Sql("'" + text.replace("'", "''") + "'")
