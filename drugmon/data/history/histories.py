"""The history of runs and reports over files: a DuckDB database, `.drugmon/history.duckdb`.

It lies beside the output. What concerns a table is recorded in the table's own database, a run in
the transaction that writes its verdicts; the readers read either.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from drugmon.data.duckdb.database import connect, create, writing
from drugmon.data.history.monitored import (
    ReportCheck,
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


def record_report(record: ReportRecord, database: Path, lock_timeout: float = 30.0) -> None:
    """Add a report to the history `database`, which comes into being where there is none.

    Raises:
        SinkError, SourceError, BusyError: as `record_run`.
    """
    create(database)
    with (
        connect(database, read_only=False, lock_timeout=lock_timeout) as connection,
        writing(connection, str(database)),
    ):
        write_report(connection, record)


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


def night_of(record: ReportRecord) -> dict[str, Any]:
    """A report's record as one mapping, as `read_nights` gives it."""
    return {
        **asdict(record.head),
        "targets": {each.target: _without_id(each) for each in record.targets},
        "checks": [_without_id(each) for each in record.checks],
    }


def _without_id(row: ReportTarget | ReportCheck) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name != "report_id"}
