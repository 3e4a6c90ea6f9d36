"""The history in an open DuckDB database: records in, records out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
import msgspec
import pyarrow as pa

from drugmon.data.duckdb.database import first_line, writing
from drugmon.data.history.migrations import LATEST, keep_copy, migrate, name_of, version_of
from drugmon.data.history.output import Output
from drugmon.data.history.places import read_output, stored_path
from drugmon.data.history.records import (
    ReportRecord,
    RunProfile,
    RunRecord,
)
from drugmon.data.queries import Sql, statement
from drugmon.data.stores.uri import Location, parse_location
from drugmon.errors import DamagedError, SourceError, UsageError

Record = TypeVar("Record")
Row = dict[str, Any]
"""A row of a table by column; what it holds is checked when a record is made of it."""

_ORDERS: Final = {
    "runs": ("finished_at", "run_id", "output_path", "output_table", "output_prefix"),
    "run_targets": ("run_id", "output_path", "output_table", "output_prefix", "target"),
    "reports": ("created_at", "report_id"),
    "report_targets": ("report_id", "target"),
    "report_checks": ("report_id", "number"),
}


class HistoryDatabase:
    """Reads and writes the history in an open database, in the caller's transaction.

    Args:
        connection: to the database.
        database: its file.

    Raises:
        SourceError: the history is of another version than this drugmon reads: of a later one, or
            of an earlier one that `migrate` has not brought up to date.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, database: Path) -> None:
        self._connection, self._database = connection, database
        self._version = version_of(connection, database)
        if self._version not in (None, LATEST):
            raise SourceError(
                f"{database}: its history is of version {self._version} and this drugmon reads "
                f"version {LATEST}; make the file writable, so that it can be brought up to date"
            )

    def add_run(self, record: RunRecord, profile: str | None = None) -> None:
        """Insert a run, and the profile of what it scored where there is one."""
        output = self._stored(record.output)
        row = {**asdict(record), **output}
        targets = row.pop("targets")
        del row["output"]
        run = {"run_id": record.run_id, **output}
        self._insert("runs", [row])
        self._insert("run_targets", [{**run, **target} for target in targets.values()])
        if profile is not None:
            self._insert("run_profiles", [{**run, "profile": profile}])

    def add_report(self, record: ReportRecord) -> None:
        """Insert a report; nothing is done where it is recorded already."""
        sql = statement("has_report", reports=name_of(self._connection, "reports"))
        if self._connection.execute(sql, {"report_id": record.report_id}).fetchall() == [(True,)]:
            return
        row = {**asdict(record), **self._stored(record.output)}
        targets, checks = row.pop("targets"), row.pop("checks")
        del row["output"]
        report = {"report_id": record.report_id}
        self._insert("reports", [row])
        self._insert("report_targets", [{**report, **target} for target in targets.values()])
        self._insert("report_checks", [{**report, **check} for check in checks])

    def runs(self) -> list[RunRecord]:
        """Return the runs, oldest first, times in UTC.

        Raises:
            DamagedError: the tables hold something else, here and below.
        """
        targets: dict[tuple[str, Output | None], dict[str, Row]] = {}
        for row in self._rows("run_targets"):
            key = (row.pop("run_id"), self._take_output(row))
            targets.setdefault(key, {})[row["target"]] = row
        rows = []
        for row in self._rows("runs"):
            output = self._take_output(row)
            numbers = targets.get((row["run_id"], output), {})
            rows.append({**row, "output": _plain(output), "targets": numbers})
        return self._checked(RunRecord, rows)

    def profiles(self, run_ids: Sequence[str]) -> list[RunProfile]:
        """Return what is kept of the rows that some runs scored."""
        if self._version is None:
            return []
        path = name_of(self._connection, "run_profiles")
        sql = statement("read_profiles", run_profiles=path)
        rows = self._fetch(sql, {"run_ids": list(run_ids)})
        profiles = [{**row, "output": _plain(self._take_output(row))} for row in rows]
        return self._checked(RunProfile, profiles)

    def reports(self) -> list[ReportRecord]:
        """Return the reports, oldest first, times in UTC."""
        targets = _by_report(self._rows("report_targets"))
        checks = _by_report(self._rows("report_checks"))
        rows = []
        for row in self._rows("reports"):
            report_id, output = row["report_id"], self._take_output(row)
            numbers = {target["target"]: target for target in targets.get(report_id, ())}
            judged = checks.get(report_id, [])
            rows.append({**row, "output": _plain(output), "targets": numbers, "checks": judged})
        return self._checked(ReportRecord, rows)

    def _stored(self, output: Output | None) -> Row:
        return {
            "output_path": stored_path(output, self._database) if output else None,
            "output_schema": output.schema if output else None,
            "output_table": output.table if output else None,
            "output_prefix": output.prefix if output else None,
        }

    def _take_output(self, row: Row) -> Output | None:
        parts = ("path", "schema", "table", "prefix")
        try:
            path, schema, table, prefix = (row.pop(f"output_{part}") for part in parts)
        except KeyError as error:
            raise DamagedError(
                f"{self._database}: its history lacks the column {error.args[0]}"
            ) from error
        return read_output(path, schema, table, prefix or "", self._database)

    def _insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        if not rows:
            return
        path = name_of(self._connection, table)
        self._connection.register("drugmon_rows", pa.Table.from_pylist(list(map(_storable, rows))))
        try:
            self._connection.execute(statement("insert_rows", table=path))
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.DataError) as error:
            raise DamagedError(
                f"{self._database}: the table {table} of its history is not drugmon's: "
                f"{first_line(error)}"
            ) from error
        self._connection.unregister("drugmon_rows")

    def _rows(self, table: str) -> list[Row]:
        if self._version is None:
            return []
        path = name_of(self._connection, table)
        order = [Sql(name) for name in _ORDERS[table]]
        return self._fetch(statement("read_rows", table=path, order=order))

    def _fetch(self, sql: str, values: Mapping[str, object] | None = None) -> list[Row]:
        try:
            arrow = self._connection.sql(sql, params=values).to_arrow_table()
        except duckdb.Error as error:
            raise DamagedError(
                f"{self._database}: its history cannot be read: {first_line(error)}"
            ) from error
        return [{name: _read(cell) for name, cell in row.items()} for row in arrow.to_pylist()]

    def _checked(self, kind: type[Record], rows: Sequence[Row]) -> list[Record]:
        try:
            return msgspec.convert(rows, list[kind], dec_hook=path_from)  # type: ignore[valid-type]
        except msgspec.ValidationError as error:
            raise DamagedError(
                f"{self._database}: its history holds something that drugmon did not write: {error}"
            ) from error


@contextmanager
def writing_history(
    connection: duckdb.DuckDBPyConnection, database: Path, where: str
) -> Iterator[HistoryDatabase]:
    """Run the body as one transaction, in which the history is made or brought up to date first.

    Args:
        connection: to the database, open for writing.
        database: its file.
        where: what messages call it.

    Raises:
        SourceError: the history is of a later version.
        DamagedError: it is damaged, or its tables are not drugmon's.
        SinkError: it cannot be written; it is as it was.
    """
    keep_copy(connection, database)
    with writing(connection, where):
        migrate(connection, database)
        yield HistoryDatabase(connection, database)


def path_from(kind: type, value: object) -> Location:
    """Make a `Location` of text, as msgspec's `dec_hook`.

    Raises:
        ValueError: it is none, which msgspec tells with its place.
    """
    if kind is not Location:
        raise NotImplementedError(f"{kind} of {type(value)}")
    if not isinstance(value, str):
        raise ValueError(f"a path or URI is text, not {type(value).__name__}")
    try:
        return parse_location(value)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _by_report(rows: Iterable[Row]) -> dict[str, list[Row]]:
    by_report: dict[str, list[Row]] = {}
    for row in rows:
        by_report.setdefault(row.pop("report_id"), []).append(row)
    return by_report


def _plain(output: Output | None) -> Row | None:
    return None if output is None else {**asdict(output), "path": str(output.path)}


def _read(cell: object) -> object:
    """Times in UTC; a number that is NaN or infinite tells nothing, and is none."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return cell.astimezone(UTC) if isinstance(cell, datetime) else cell


def _storable(row: Mapping[str, object]) -> Row:
    """Texts without what UTF-8 cannot hold: names of files may have it."""
    return {name: _encodable(cell) for name, cell in row.items()}


def _encodable(cell: object) -> object:
    if isinstance(cell, str):
        return cell.encode("utf-8", "backslashreplace").decode("utf-8")
    return [_encodable(item) for item in cell] if isinstance(cell, list | tuple) else cell
