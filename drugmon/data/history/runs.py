"""The record of a run, and the table `drugmon.runs` that keeps the records."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

import duckdb

from drugmon.data.queries import query, statement


@dataclass(frozen=True)
class RunRecord:
    """One execution of a command that changes or measures data.

    `total` reviews were seen: `scored` now, `reused` from earlier runs, `empty` without any text.
    `seconds` is the wall time; the two times have a time zone.
    """

    run_id: str
    command: str
    started_at: datetime
    finished_at: datetime
    source: str
    output: str
    adapter: str
    total: int
    scored: int
    reused: int
    empty: int
    seconds: float
    drugmon_version: str


def write_run(connection: duckdb.DuckDBPyConnection, record: RunRecord) -> None:
    """Insert the record, creating the history where there is none, in the caller's transaction."""
    schema, runs = _names(connection)
    connection.execute(statement("create_history", schema=schema))
    connection.execute(statement("create_runs", runs=runs))
    connection.execute(statement("insert_run", runs=runs), asdict(record))


def read_runs(connection: duckdb.DuckDBPyConnection) -> list[RunRecord]:
    """Return the records, oldest first, times in UTC; none where there is no history."""
    if connection.execute(query("has_runs")).fetchall() == [(False,)]:
        return []
    names = [field.name for field in fields(RunRecord)]
    sql = statement("list_runs", columns=names, runs=_names(connection)[1])
    return [
        _record(dict(zip(names, row, strict=True))) for row in connection.execute(sql).fetchall()
    ]


def _record(values: dict[str, datetime]) -> RunRecord:
    for name in ("started_at", "finished_at"):
        values[name] = values[name].replace(tzinfo=UTC)
    return RunRecord(**values)  # type: ignore[arg-type]


def _names(connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str], tuple[str, str, str]]:
    # The database's name comes first: a file drugmon.duckdb is called like the schema.
    ((catalog,),) = connection.execute(query("catalog")).fetchall()
    return (catalog, "drugmon"), (catalog, "drugmon", "runs")
