"""Verdicts in the columns of the scored DuckDB table itself."""

from __future__ import annotations

from pathlib import Path

import duckdb

from drugmon.data.keys import KEY
from drugmon.data.queries import Sql, statement
from drugmon.data.relation import Relation
from drugmon.data.verdicts import VERDICT_COLUMNS


def update_in_place(
    connection: duckdb.DuckDBPyConnection, relation: Relation, key: Sql, staged: Path
) -> None:
    """Add the verdict columns where they lack and fill them, in the caller's transaction.

    Args:
        connection: to the table's database.
        relation: the table that was scored.
        key: the text key of its reviews; a row whose texts have changed since finds no verdict.
        staged: Parquet of `drugmon_key` and `VERDICT_SCHEMA`.
    """
    source = {"staged": str(staged)}
    describe = statement("describe_staged", columns=list(VERDICT_COLUMNS))
    for name, kind, *_ in connection.execute(describe, source).fetchall():
        add = statement("add_column", relation=relation.path, column=name, type=Sql(kind))
        connection.execute(add)
    columns = [KEY, *VERDICT_COLUMNS]
    sql = statement("collect_stale", relation=relation.path, columns=columns, key=key)
    connection.execute(sql, source)
    assignments = [Sql(statement("assignment", column=name)) for name in VERDICT_COLUMNS]
    sql = statement("update_stale", relation=relation.path, assignments=assignments)
    connection.execute(sql)
