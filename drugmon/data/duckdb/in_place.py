"""Verdicts in the columns of the scored DuckDB table itself."""

from __future__ import annotations

from pathlib import Path

import duckdb

from drugmon.data.duckdb.relation import Relation
from drugmon.data.queries import Sql, path_for_duckdb, statement
from drugmon.data.verdicts.columns import VERDICT_COLUMNS, VerdictColumns
from drugmon.errors import UsageError


def check_in_place(relation: Relation, where: str) -> None:
    """Refuse what cannot be filled in place.

    Raises:
        UsageError: the relation is a view, or a column of its own hides DuckDB's row numbers.
    """
    if relation.is_view:
        raise UsageError(f"{where} is a view, which --in-place cannot fill; leave --in-place out")
    if "rowid" in map(str.lower, relation.columns):
        raise UsageError(f"{where} has a column rowid of its own; leave --in-place out")


def update_in_place(
    connection: duckdb.DuckDBPyConnection,
    relation: Relation,
    verdicts: VerdictColumns,
    key: Sql,
    staged: Path,
) -> None:
    """Add the verdict columns where they lack and fill them, in the caller's transaction.

    Columns of the user's own that are called so were let go: no row may keep what looks like its
    verdict.

    Args:
        connection: to the table's database.
        relation: the table that was scored.
        verdicts: what the columns are called in the table.
        key: the text key of its reviews; a row whose texts have changed since finds no verdict.
        staged: Parquet of `drugmon_key` and `VERDICT_SCHEMA`.
    """
    source = {"staged": path_for_duckdb(staged)}
    columns = list(VERDICT_COLUMNS)
    describe = statement("describe_staged", columns=columns)
    earlier = VerdictColumns(verdicts.prefix).among(relation.columns)
    for verdict, kind, *_ in connection.execute(describe, source).fetchall():
        name = verdicts.of(verdict)
        if name in relation.columns and name not in earlier:
            # DuckDB drops no column of a table that has indexes, and so only where it has to be.
            way = "clear_column" if relation.columns[name] == kind else "drop_column"
            connection.execute(statement(way, relation=relation.path, column=name))
        add = statement("add_column", relation=relation.path, column=name, type=Sql(kind))
        connection.execute(add)
    sql = statement(
        "collect_stale",
        relation=relation.path,
        columns=columns,
        key=key,
        fingerprint=verdicts.of("drugmon_fingerprint"),
        scored_at=verdicts.of("drugmon_scored_at"),
    )
    connection.execute(sql, source)
    assignments = [
        Sql(statement("assignment", column=verdicts.of(name), verdict=name)) for name in columns
    ]
    sql = statement("update_stale", relation=relation.path, assignments=assignments)
    connection.execute(sql)
