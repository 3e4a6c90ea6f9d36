"""A table or view in a DuckDB database, found by the name that the user gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import duckdb

from drugmon.data.duckdb.database import first_line
from drugmon.data.queries import query, statement
from drugmon.errors import SourceError


@dataclass(frozen=True)
class Relation:
    """A table or view.

    `columns` maps names to DuckDB types in the table's order; `primary_key` is the one column of
    its primary key, None where there is none or it has several columns.
    """

    catalog: str
    schema: str
    name: str
    is_view: bool
    columns: dict[str, str]
    primary_key: str | None

    @property
    def path(self) -> tuple[str, str, str]:
        """The full name; all three parts, as a schema may be called like the database."""
        return (self.catalog, self.schema, self.name)

    def sibling(self, suffix: str) -> tuple[str, str, str]:
        """The full name of what drugmon keeps beside the relation."""
        return (self.catalog, self.schema, self.name + suffix)

    @classmethod
    def find(cls, connection: duckdb.DuckDBPyConnection, name: str, where: str) -> Self:
        """Find `name` or `schema.name`, in schema main first; case counts only between namesakes.

        Raises:
            SourceError: there is no such table, several schemas have one, or a view is broken.
        """
        tables = connection.execute(query("list_tables")).fetchall()
        schema, table, is_view = _choose(tables, name, where)
        catalog = _catalog(connection)
        columns, primary_key = _describe(connection, (catalog, schema, table), where)
        return cls(catalog, schema, table, is_view, columns, primary_key)

    @classmethod
    def at(cls, connection: duckdb.DuckDBPyConnection, path: tuple[str, str, str]) -> Self | None:
        """Return the relation with this full name, None where there is none."""
        for schema, table, is_view in connection.execute(query("list_tables")).fetchall():
            if (schema.lower(), table.lower()) == (path[1].lower(), path[2].lower()):
                columns, primary_key = _describe(connection, path, path[2])
                return cls(path[0], schema, table, is_view, columns, primary_key)
        return None


def is_there(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the database has a table or view called `name` or `schema.name`."""
    tables = connection.execute(query("list_tables")).fetchall()
    return any(_is_called(name, schema, table) for schema, table, _ in tables)


def _is_called(name: str, schema: str, table: str) -> bool:
    return name.lower() in (table.lower(), f"{schema}.{table}".lower())


def _choose(tables: list[tuple[str, str, bool]], name: str, where: str) -> tuple[str, str, bool]:
    def mismatch(entry: tuple[str, str, bool]) -> tuple[bool, bool, bool]:
        schema, table, _ = entry
        folded = _is_called(name, schema, table)
        exact = name in (table, f"{schema}.{table}")
        return (not folded, not exact, schema != "main" and table.lower() == name.lower())

    best = [entry for entry in tables if mismatch(entry) == min(map(mismatch, tables))]
    usable = bool(best) and not mismatch(best[0])[0]
    names = ", ".join(f"{schema}.{table}" for schema, table, _ in (best if usable else tables))
    if not usable:
        raise SourceError(f"{where}: no such table or view; there are: {names or 'none'}")
    if len(best) > 1:
        raise SourceError(f"{where}: several tables have this name, choose one of: {names}")
    return best[0]


def _catalog(connection: duckdb.DuckDBPyConnection) -> str:
    ((name,),) = connection.execute(query("catalog")).fetchall()
    return str(name)


def _describe(
    connection: duckdb.DuckDBPyConnection, path: tuple[str, str, str], where: str
) -> tuple[dict[str, str], str | None]:
    try:
        rows = connection.execute(statement("describe", relation=path)).fetchall()
    except duckdb.Error as error:
        raise SourceError(f"{where}: cannot be read: {first_line(error)}") from error
    keys = [row[0] for row in rows if row[3] == "PRI"]
    return {row[0]: row[1] for row in rows}, keys[0] if len(keys) == 1 else None
