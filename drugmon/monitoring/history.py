"""The history of runs over files: a DuckDB database beside the output, `.drugmon/history.duckdb`.

A run over a table is recorded in the table's own database, in the transaction that writes its
verdicts; `read_history` reads either.
"""

from __future__ import annotations

from pathlib import Path

from drugmon.data.database import connect, create, writing
from drugmon.data.runs import RunRecord, read_runs, write_run


def history_of(output: Path) -> Path:
    """Return where the runs that write `output` are recorded."""
    return output.parent / ".drugmon" / "history.duckdb"


def record_run(
    record: RunRecord, output: Path, history: Path | None = None, lock_timeout: float = 30.0
) -> None:
    """Add a run to the history, which comes into being with its first run.

    Args:
        record: the run.
        output: what the run wrote; the history lies beside it.
        history: another place for it.
        lock_timeout: seconds to wait while another process has the history open.

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
