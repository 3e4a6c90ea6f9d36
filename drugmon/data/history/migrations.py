"""The versions of the history: which one a database has, and the way to the newest.

Each version but the first state has its statements in sql/history_N.sql, which are never changed
once released. A database of a later version than this drugmon knows is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from drugmon.data.duckdb.database import first_line, is_damage
from drugmon.data.history.output import MAIN, Output
from drugmon.data.history.places import home_of, stored_path
from drugmon.data.queries import Sql, query, statement
from drugmon.data.verdicts.atomic import folder_beside, move_into_place, sink_errors
from drugmon.errors import DamagedError, SinkError, SourceError
from drugmon.version import __version__

SCHEMA: Final = "drugmon"
LATEST: Final = 4

_TABLES_OF_RUNS: Final = ("runs", "run_targets", "run_profiles")
_TABLES_OF_OUTPUTS: Final = (*_TABLES_OF_RUNS, "reports")


def version_of(connection: duckdb.DuckDBPyConnection, database: Path) -> int | None:
    """Return the version of the history in an open database; None where there is no history.

    0 is what drugmon made before its histories had a version.

    Raises:
        SourceError: it is later than `LATEST`.
        DamagedError: the database cannot be read.
    """
    try:
        version = _read_version(connection)
    except duckdb.Error as error:
        raise DamagedError(
            f"{database}: its history cannot be read: {first_line(error)}"
        ) from error
    if version is not None and version > LATEST:
        raise SourceError(
            f"{database}: its history has version {version}, and this drugmon ({__version__}) "
            f"knows versions up to {LATEST}; upgrade drugmon: pip install --upgrade drugmon"
        )
    return version


def _read_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    if not _has(connection, "schema_version"):
        return 0 if _has(connection, "runs") or _has(connection, "reports") else None
    sql = statement("history_version", schema_version=name_of(connection, "schema_version"))
    return int(connection.execute(sql).fetchall()[0][0] or 0)


def migrate(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Bring the history of a database to version `LATEST`, in the caller's transaction.

    Raises:
        SourceError: the history is of a later version.
        DamagedError: its tables are not drugmon's.
        duckdb.Error: it cannot be written.
    """
    try:
        for number in range((version_of(connection, database) or 0) + 1, LATEST + 1):
            _MIGRATIONS[number](connection, database)
            values = {"version": number, "drugmon_version": __version__}
            table = name_of(connection, "schema_version")
            connection.execute(statement("insert_version", schema_version=table), values)
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise DamagedError(
            f"{database}: its schema {SCHEMA} holds tables that are not drugmon's "
            f"({first_line(error)}); rename that schema and run again"
        ) from error


def keep_copy(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Copy a history file that is about to be migrated to `<name>.version-<N>`.

    A database that has other tables too is not copied: its migration is one transaction.

    Raises:
        SourceError, DamagedError: as `version_of`.
        SinkError: the copy cannot be written.
    """
    version = version_of(connection, database)
    if version in (None, LATEST) or not holds_nothing_else(connection):
        return
    path = database.with_name(f"{database.name}.version-{version}")
    with sink_errors(path), folder_beside(path) as folder:
        aside = folder / path.name
        literal = Sql("'" + str(aside).replace("'", "''") + "'")
        # Through DuckDB: closing another handle to the file would let go of its lock.
        try:
            connection.execute(statement("attach_copy", path=literal))
            connection.execute(statement("copy_history", catalog=_catalog(connection)))
            connection.execute(query("detach_copy"))
        except duckdb.Error as error:
            kind = DamagedError if is_damage(error) else SinkError
            raise kind(
                f"{database}: cannot be copied to {path.name}, which is done before its history "
                f"is brought up to date: {first_line(error)}"
            ) from error
        move_into_place(aside, path)


def name_of(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[str, str, str]:
    """Return the full name of a table of the history."""
    # The database's name comes first: a file drugmon.duckdb is called like the schema.
    return (_catalog(connection), SCHEMA, table)


def holds_nothing_else(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether an open database is a history file: it has no tables but those of histories."""
    tables = connection.execute(query("list_tables")).fetchall()
    return all(schema == SCHEMA for schema, _, _ in tables)


def _tables(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Version 1: all tables, as they were before there were versions."""
    del database
    connection.execute(statement("history_1", schema=(_catalog(connection), SCHEMA)))


def _outputs(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Version 2: outputs are no sentences."""
    schema = (_catalog(connection), SCHEMA)
    tables = connection.execute(query("list_tables")).fetchall()
    sentences = connection.execute(statement("history_2_sentences", schema=schema)).fetchall()
    meant = [_meant(sentence, database, tables) for (sentence,) in sentences]
    rows = {
        "output": [sentence for (sentence,) in sentences],
        "output_path": [stored_path(output, database) for output in meant],
        "output_schema": [output.schema for output in meant],
        "output_table": [output.table for output in meant],
    }
    strings = pa.schema([(name, pa.string()) for name in rows])
    connection.register("drugmon_rows", pa.table(rows, schema=strings))
    for table in _TABLES_OF_OUTPUTS:
        path = name_of(connection, table)
        connection.execute(statement("history_2_columns", table=path))
        if table != "reports":
            connection.execute(statement("history_2_outputs", table=path))
            connection.execute(statement("history_2_drop", table=path))
    connection.unregister("drugmon_rows")
    connection.execute(statement("history_2_reports", schema=schema))


def _prefixes(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Version 3: verdict columns may have a prefix, by which outputs are told apart."""
    del database
    for table in _TABLES_OF_OUTPUTS:
        connection.execute(statement("history_3_prefix", table=name_of(connection, table)))


def _sent_on(connection: duckdb.DuckDBPyConnection, database: Path) -> None:
    """Version 4: runs of two adapters keep how many reviews both judged."""
    del database
    connection.execute(statement("history_4_sent_on", table=name_of(connection, "runs")))


def _meant(sentence: str, database: Path, tables: Sequence[tuple[str, str, bool]]) -> Output:
    """What version 1 told as "FILE" or "DATABASE, table NAME"."""
    _, is_table, name = sentence.rpartition(", table ")
    if is_table:
        return Output.of_table(database, *_table_called(name, tables))
    path = Path(sentence)
    # A relative path began where the run was started, which nobody noted.
    home = home_of(database)
    folder = [part for part in path.parent.parts if part != ".."]
    if folder == list(home.parts[len(home.parts) - len(folder) :]):
        return Output.of_file(home / path.name)
    if path.is_absolute() and not path.exists() and home != database.parent:
        return Output.of_file(home / path.name)  # beside its output, and moved with it
    return Output.of_file(path if path.exists() else home / path)


def _table_called(name: str, tables: Sequence[tuple[str, str, bool]]) -> tuple[str, str]:
    """Schema and table of a name as the user gave it: schema main comes first, as it did then."""
    folded = name.lower()
    candidates = [
        (schema, table)
        for schema, table, _ in tables
        if folded in (table.lower(), f"{schema}.{table}".lower())
    ]
    if candidates:
        return min(candidates, key=lambda candidate: candidate[0] != MAIN)
    schema, dot, table = name.partition(".")
    return (schema, table) if dot else (MAIN, name)


def _has(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return connection.execute(query("has_table"), {"name": table}).fetchall() == [(True,)]


def _catalog(connection: duckdb.DuckDBPyConnection) -> str:
    ((catalog,),) = connection.execute(query("catalog")).fetchall()
    return str(catalog)


_MIGRATIONS: Final[dict[int, Callable[[duckdb.DuckDBPyConnection, Path], None]]] = {
    1: _tables,
    2: _outputs,
    3: _prefixes,
    4: _sent_on,
}
