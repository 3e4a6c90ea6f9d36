"""Scored reviews as they lie: files of any format, or a table with its companion, as one relation.

All of the source's own columns are there, under their own names; `scored` gives them drugmon's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq

from drugmon.data.duckdb.companion import VIEW
from drugmon.data.duckdb.database import first_line
from drugmon.data.duckdb.relation import Relation
from drugmon.data.formats import no_verdicts, read_scored
from drugmon.data.queries import Sql, path_for_duckdb, statement
from drugmon.data.sources import FileSource
from drugmon.data.textformat import TextFormat
from drugmon.data.verdicts.columns import VERDICT_COLUMNS, VERDICT_SCHEMA
from drugmon.errors import SourceError

_WINDOW: Final = 8192


def files_relation(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[FileSource],
    text_format: TextFormat,
    *,
    aside: Path,
    where: str,
) -> tuple[Sql, Mapping[str, str]]:
    """All columns of scored files, as a relation and as names with their types.

    Args:
        connection: where the relation is to be used.
        sources: the files, one or more.
        text_format: how those of text are read; they are laid down as Parquet.
        aside: the folder for these.
        where: what messages call the files.

    Raises:
        SourceError: a file cannot be read, or holds no verdicts.
    """
    paths = [_as_parquet(source, text_format, aside) for source in sources]
    relation = Sql(statement("from_parquet", paths=_list(map(path_for_duckdb, paths))))
    sql = statement("describe_parquet", paths=_list(map(path_for_duckdb, paths)))
    try:
        columns = {name: kind for name, kind, *_ in connection.execute(sql).fetchall()}
    except duckdb.Error as error:
        raise SourceError(f"{where}: cannot be read: {first_line(error)}") from error
    if not set(VERDICT_COLUMNS) <= columns.keys():
        raise no_verdicts(where)
    return relation, columns


def table_relation(
    connection: duckdb.DuckDBPyConnection, table: str, where: str
) -> tuple[Sql, Mapping[str, str]]:
    """All columns of a scored table, as a relation and as names with their types.

    Raises:
        SourceError: there is no such table, or nothing scored it.
    """
    relation = with_verdicts(connection, table, where)
    return Sql(statement("select_path", relation=relation.path)), relation.columns


def with_verdicts(connection: duckdb.DuckDBPyConnection, table: str, where: str) -> Relation:
    """The table itself, or the view that joins it with its companion."""
    relation = Relation.find(connection, table, where)
    if set(VERDICT_COLUMNS) <= relation.columns.keys():
        return relation
    joined = Relation.at(connection, relation.sibling(VIEW))
    if joined is None or not set(VERDICT_COLUMNS) <= joined.columns.keys():
        raise no_verdicts(where)
    return joined


def _as_parquet(source: FileSource, text_format: TextFormat, aside: Path) -> Path:
    if source.format == "parquet":
        return source.path
    path = aside / f"{len(list(aside.iterdir()))}.parquet"
    writer = None
    try:
        for table in read_scored(source, text_format, _WINDOW):
            writer = writer or pq.ParquetWriter(path, table.schema, compression="lz4")
            writer.write_table(table.cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()
    if writer is None:  # a header and no rows: a night without reviews
        pq.write_table(VERDICT_SCHEMA.empty_table(), path)
    return path


def _list(texts: Any) -> Sql:
    return Sql(f"[{', '.join(literal(text) for text in texts)}]")


def literal(text: str) -> Sql:
    """Text as SQL: a view takes no bound values."""
    return Sql("'" + text.replace("'", "''") + "'")
