"""Monitored numbers in the history: the tables of what runs wrote and of what reports found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import duckdb

from drugmon.data.queries import query, statement

Row = TypeVar("Row")


@dataclass(frozen=True)
class RunTarget:
    """The verdicts that a run gave for one target; means are None where there is none."""

    run_id: str
    output: str
    target: str
    negative: int
    neutral: int
    positive: int
    none: int
    mean_confidence: float | None
    mean_p_negative: float | None
    mean_p_neutral: float | None
    mean_p_positive: float | None


@dataclass(frozen=True)
class RunNumbers:
    """What a run's history keeps of the rows that it scored: per target, and a profile as JSON."""

    targets: Sequence[RunTarget]
    profile: str


@dataclass(frozen=True)
class ReportTarget:
    """One target in a report: verdicts, and quality as measured and as estimated."""

    report_id: str
    target: str
    negative: int
    neutral: int
    positive: int
    none: int
    mean_confidence: float | None
    accuracy: float | None
    macro_f1: float | None
    estimated_accuracy: float | None
    estimated_macro_f1: float | None


@dataclass(frozen=True)
class ReportCheck:
    """One check of a report; `low` and `high` bound the effect's 95 % interval."""

    report_id: str
    number: int
    area: str
    name: str
    title: str
    status: str
    statistic: str | None
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_adjusted: float | None
    warn_at: float | None
    fail_at: float | None


@dataclass(frozen=True)
class ReportHead:
    """One report. `page` is its folder's name within the folder of all reports."""

    report_id: str
    created_at: datetime
    source: str
    adapter: str
    status: str
    reasons: list[str]
    page: str
    reference: str | None
    scored_runs: list[str]
    rows: int
    empty: int
    scored: int | None
    reused: int | None
    seconds: float | None


@dataclass(frozen=True)
class ReportRecord:
    """A report with its targets and checks."""

    head: ReportHead
    targets: Sequence[ReportTarget]
    checks: Sequence[ReportCheck]


class _Statements(NamedTuple):
    """The table of a kind of row, and the statements about it."""

    table: str
    create: str
    insert: str
    select: str


_STATEMENTS = {
    RunTarget: _Statements(
        "run_targets", "create_run_targets", "insert_run_target", "list_run_targets"
    ),
    ReportHead: _Statements("reports", "create_reports", "insert_report", "list_reports"),
    ReportTarget: _Statements(
        "report_targets", "create_report_targets", "insert_report_target", "list_report_targets"
    ),
    ReportCheck: _Statements(
        "report_checks", "create_report_checks", "insert_report_check", "list_report_checks"
    ),
}


def write_numbers(
    connection: duckdb.DuckDBPyConnection, run_id: str, output: str, numbers: RunNumbers
) -> None:
    """Insert what a run wrote, beside its record, in the caller's transaction."""
    _insert(connection, RunTarget, numbers.targets)
    where = {"run_profiles": _name(connection, "run_profiles")}
    connection.execute(statement("create_run_profiles", **where))
    values = {"run_id": run_id, "output": output, "profile": numbers.profile}
    connection.execute(statement("insert_run_profile", **where), values)


def write_report(connection: duckdb.DuckDBPyConnection, record: ReportRecord) -> None:
    """Insert a report, creating the history where there is none, in the caller's transaction."""
    ((catalog,),) = connection.execute(query("catalog")).fetchall()
    connection.execute(statement("create_history", schema=(catalog, "drugmon")))
    _insert(connection, ReportHead, [record.head])
    _insert(connection, ReportTarget, record.targets)
    _insert(connection, ReportCheck, record.checks)


def read_run_targets(connection: duckdb.DuckDBPyConnection) -> list[RunTarget]:
    """Return the numbers of all runs; none where the history is older than they are."""
    return _select(connection, RunTarget)


def read_run_profiles(
    connection: duckdb.DuckDBPyConnection, run_ids: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Return (run id, output, profile as JSON) of the runs named."""
    if not _has(connection, "run_profiles"):
        return []
    sql = statement("list_run_profiles", run_profiles=_name(connection, "run_profiles"))
    return connection.execute(sql, {"run_ids": list(run_ids)}).fetchall()


def read_reports(connection: duckdb.DuckDBPyConnection) -> list[ReportRecord]:
    """Return the reports, oldest first, times in UTC; none where the history has no reports."""
    targets = _by_report(_select(connection, ReportTarget))
    checks = _by_report(_select(connection, ReportCheck))
    return [
        ReportRecord(head, targets.get(head.report_id, []), checks.get(head.report_id, []))
        for head in _select(connection, ReportHead)
    ]


def _by_report(rows: Sequence[Any]) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.report_id, []).append(row)
    return found


def _insert(connection: duckdb.DuckDBPyConnection, kind: type[Any], rows: Sequence[Any]) -> None:
    own = _STATEMENTS[kind]
    where = {own.table: _name(connection, own.table)}
    connection.execute(statement(own.create, **where))
    for row in rows:
        connection.execute(statement(own.insert, **where), asdict(row))


def _select(connection: duckdb.DuckDBPyConnection, kind: type[Row]) -> list[Row]:
    own = _STATEMENTS[kind]
    if not _has(connection, own.table):
        return []
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    sql = statement(own.select, columns=names, **{own.table: _name(connection, own.table)})
    return [kind(*map(_with_zone, row)) for row in connection.execute(sql).fetchall()]


def _with_zone(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _has(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return connection.execute(query("has_table"), {"name": table}).fetchall() == [(True,)]


def _name(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[str, str, str]:
    ((catalog,),) = connection.execute(query("catalog")).fetchall()
    return (catalog, "drugmon", table)
