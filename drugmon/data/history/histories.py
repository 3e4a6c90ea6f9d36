"""The history of runs and reports over files: a DuckDB database, `.drugmon/history.duckdb`.

It lies beside the output. What concerns a table is recorded in the table's own database, a run in
the transaction that writes its verdicts; the readers read either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drugmon.data.duckdb.database import connect, create, writing
from drugmon.data.history.monitored import (
    ReportCheck,
    ReportHead,
    ReportRecord,
    ReportTarget,
    RunNumbers,
    RunTarget,
    read_reports,
    read_run_targets,
    write_numbers,
    write_report,
)
from drugmon.data.history.runs import RunRecord, read_runs, write_run
from drugmon.monitoring.checks.summary import Summary


def history_of(output: Path) -> Path:
    """Return where the runs that write `output` are recorded."""
    return output.parent / ".drugmon" / "history.duckdb"


def record_run(
    record: RunRecord,
    output: Path,
    history: Path | None = None,
    lock_timeout: float = 30.0,
    numbers: RunNumbers | None = None,
) -> None:
    """Add a run to the history, which comes into being with its first run.

    Args:
        record: the run.
        output: what the run wrote; the history lies beside it.
        history: another place for it.
        lock_timeout: seconds to wait while another process has the history open.
        numbers: the monitored numbers of what it scored.

    Raises:
        SinkError: the history cannot be created or written.
        SourceError: the file is no DuckDB database.
        BusyError: another process did not close it in time.
    """
    database = history or history_of(output)
    create(database)
    with (
        connect(database, read_only=False, lock_timeout=lock_timeout) as connection,
        writing(connection, str(database)),
    ):
        write_run(connection, record)
        if numbers is not None:
            write_numbers(connection, record.run_id, record.output, numbers)


def record_report(summary: Summary, page: str, database: Path, lock_timeout: float = 30.0) -> None:
    """Add a report to the history `database`, which comes into being where there is none.

    `page` is the name of its folder within the folder of all reports.

    Raises:
        SinkError, SourceError, BusyError: as `record_run`.
    """
    create(database)
    with (
        connect(database, read_only=False, lock_timeout=lock_timeout) as connection,
        writing(connection, str(database)),
    ):
        write_report(connection, _report_record(summary, page))


def read_history(database: Path, lock_timeout: float = 30.0) -> list[RunRecord]:
    """Return the runs that a database holds, oldest first, times in UTC; none without the file.

    Raises:
        SourceError: the file is no DuckDB database.
        BusyError: another process did not close it in time.
    """
    if not database.exists():
        return []
    with connect(database, read_only=True, lock_timeout=lock_timeout) as connection:
        return read_runs(connection)


def read_run_numbers(database: Path, lock_timeout: float = 30.0) -> list[RunTarget]:
    """Return what the runs scored, per run, output and target; none without the file.

    Raises:
        SourceError, BusyError: as `read_history`.
    """
    if not database.exists():
        return []
    with connect(database, read_only=True, lock_timeout=lock_timeout) as connection:
        return read_run_targets(connection)


def read_nights(database: Path, lock_timeout: float = 30.0) -> list[dict[str, Any]]:
    """Return the reports that a database holds, oldest first, in the form that trends take.

    Each is what `ReportHead` holds (`created_at` with its zone), `targets`: {target: what
    `ReportTarget` holds}, and `checks`: a list of what `ReportCheck` holds, in the report's order.

    Raises:
        SourceError, BusyError: as `read_history`.
    """
    if not database.exists():
        return []
    with connect(database, read_only=True, lock_timeout=lock_timeout) as connection:
        return [night_of(record) for record in read_reports(connection)]


def night_of_summary(summary: Summary, page: str) -> dict[str, Any]:
    """A report that has just been made, as `read_nights` would give it; `page` is its folder."""
    return night_of(_report_record(summary, page))


def night_of(record: ReportRecord) -> dict[str, Any]:
    """A report's record as one mapping, as `read_nights` gives it."""
    return {
        **asdict(record.head),
        "targets": {each.target: _without_id(each) for each in record.targets},
        "checks": [_without_id(each) for each in record.checks],
    }


def _without_id(row: ReportTarget | ReportCheck) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name != "report_id"}


def _report_record(summary: Summary, page: str) -> ReportRecord:
    volume = summary.volume
    head = ReportHead(
        report_id=summary.run_id,
        created_at=summary.created_at,
        source=summary.source,
        adapter=summary.adapter,
        status=str(summary.status),
        reasons=list(summary.reasons),
        page=page,
        reference=summary.reference.name if summary.reference else None,
        scored_runs=list(summary.scored_runs),
        rows=volume.rows,
        empty=volume.empty,
        scored=volume.scored,
        reused=volume.reused,
        seconds=volume.seconds,
    )
    return ReportRecord(head, _report_targets(summary), _report_checks(summary))


def _report_targets(summary: Summary) -> Sequence[ReportTarget]:
    quality = {each.target: each for each in summary.quality}
    found = []
    for balance in summary.balance:
        own = quality.get(balance.target)
        measured, estimate = (own.measured, own.estimate) if own else (None, None)
        counts = {share.label: share.current_count for share in balance.shares}
        found.append(
            ReportTarget(
                report_id=summary.run_id,
                target=balance.target,
                **{label: counts.get(label, 0) for label in ("negative", "neutral", "positive")},
                none=counts.get("none", 0),
                mean_confidence=balance.mean_confidence,
                accuracy=measured.accuracy.value if measured else None,
                macro_f1=measured.macro_f1.value if measured else None,
                estimated_accuracy=estimate.accuracy.value if estimate else None,
                estimated_macro_f1=estimate.macro_f1.value if estimate else None,
            )
        )
    return found


def _report_checks(summary: Summary) -> Sequence[ReportCheck]:
    return [
        ReportCheck(
            report_id=summary.run_id,
            number=number,
            area=check.area,
            name=check.name,
            title=check.title,
            status=str(check.status),
            statistic=check.statistic,
            effect=check.effect.value if check.effect else None,
            low=check.effect.low if check.effect else None,
            high=check.effect.high if check.effect else None,
            p_value=check.p_value,
            p_adjusted=check.p_adjusted,
            warn_at=check.warn_at,
            fail_at=check.fail_at,
        )
        for number, check in enumerate(summary.checks)
    ]
