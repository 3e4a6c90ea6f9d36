"""The history of runs and reports over files: a DuckDB database, `.drugmon/history.duckdb`.

It lies beside the output. What concerns a table is recorded in the table's own database, a run in
the transaction that writes its verdicts; `read_history` reads either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from drugmon.data.duckdb.database import connect, create
from drugmon.data.history.database import HistoryDatabase, writing_history
from drugmon.data.history.migrations import LATEST, holds_nothing_else, version_of
from drugmon.data.history.places import history_of
from drugmon.data.history.records import ReportRecord, RunRecord
from drugmon.data.verdicts.atomic import sink_errors
from drugmon.errors import DamagedError, DrugmonError

_MAGIC: Final = b"DUCK"
_HEADER_BYTES: Final = 16


@dataclass(frozen=True)
class Recorded:
    """All that a history holds, oldest first, times in UTC."""

    runs: Sequence[RunRecord] = ()
    reports: Sequence[ReportRecord] = ()


def read_history(database: Path, lock_timeout: float = 30.0) -> Recorded:
    """Return what a database holds, brought up to date before; nothing without the file.

    Raises:
        SourceError: the file cannot be read, or its history is of a later version.
        DamagedError: it is no DuckDB database, is damaged, or its history is not drugmon's.
        SinkError: it cannot be brought up to date.
        BusyError: another process did not close it in time.
    """
    if not database.exists():
        return Recorded()
    update_history(database, lock_timeout)
    with connect(database, read_only=True, lock_timeout=lock_timeout) as connection:
        history = HistoryDatabase(connection, database)
        return Recorded(history.runs(), history.reports())


def update_history(database: Path, lock_timeout: float = 30.0) -> None:
    """Bring the history of an existing database up to date, where it has an older one.

    Raises:
        SourceError, DamagedError, SinkError, BusyError: as `read_history`.
    """
    with connect(database, read_only=True, lock_timeout=lock_timeout) as connection:
        version = version_of(connection, database)
    if version not in (None, LATEST):
        with _open_for_writing(database, lock_timeout):
            pass


def sound_history(database: Path, lock_timeout: float, warn: Callable[[str], None]) -> Recorded:
    """Read a history file that is about to be written; a damaged one is set aside, and told.

    Raises:
        SourceError: it cannot be opened, or is of a later version.
        SinkError: it cannot be brought up to date, or not be set aside.
        BusyError: another process did not close it in time.
    """
    try:
        return read_history(database, lock_timeout)
    except DamagedError as error:
        _set_aside(database, error, warn)
        return Recorded()


def record_run(
    record: RunRecord,
    database: Path,
    lock_timeout: float = 30.0,
    *,
    profile: str | None = None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> None:
    """Add a run to the history, which comes into being with its first run.

    Args:
        record: the run.
        database: the history file.
        lock_timeout: seconds to wait while another process has the history open.
        profile: of what it scored, as JSON.
        warn: told where a damaged history was set aside.

    Raises:
        SinkError: the history cannot be created or written.
        SourceError: it is of a later version.
        BusyError: another process did not close it in time.
    """
    _write(database, lock_timeout, warn, lambda history: history.add_run(record, profile))


def record_report(
    record: ReportRecord,
    database: Path,
    lock_timeout: float = 30.0,
    *,
    warn: Callable[[str], None] = lambda _warning: None,
) -> None:
    """Add a report to the history in `database`, unless it is there; as `record_run`.

    Args:
        record: the report.
        database: the history file.
        lock_timeout: seconds to wait while another process has it open.
        warn: told where a damaged history was set aside.
    """
    _write(database, lock_timeout, warn, lambda history: history.add_report(record))


def _write(
    database: Path,
    lock_timeout: float,
    warn: Callable[[str], None],
    add: Callable[[HistoryDatabase], None],
) -> None:
    try:
        with _open_for_writing(database, lock_timeout) as history:
            add(history)
    except DamagedError as error:
        _set_aside(database, error, warn)
        with _open_for_writing(database, lock_timeout) as history:
            add(history)


@contextmanager
def _open_for_writing(database: Path, lock_timeout: float) -> Iterator[HistoryDatabase]:
    create(database)
    with (
        connect(database, read_only=False, lock_timeout=lock_timeout) as connection,
        writing_history(connection, database, str(database)) as history,
    ):
        yield history


def _set_aside(database: Path, error: DamagedError, warn: Callable[[str], None]) -> None:
    """Rename a damaged history, so that the next record begins a new one.

    What somebody named as a history by mistake is left alone: the error stands.
    """
    if not _was_history(database):
        raise error
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    aside = database.with_name(f"{database.name}.damaged-{now}-{os.getpid()}")
    with sink_errors(database):
        for path, name in ((database, aside), (_log_of(database), _log_of(aside))):
            if path.exists():
                path.rename(name)
    warn(f"the history was damaged and is now {aside}; a new one begins ({error})")


def _was_history(database: Path) -> bool:
    """Whether a damaged file was a DuckDB database, and of a history alone as far as it tells."""
    with database.open("rb") as file:
        is_database = _MAGIC in file.read(_HEADER_BYTES)
    if not is_database and database != history_of(database.parent.parent / "any"):
        return False
    try:
        with connect(database, read_only=True, lock_timeout=0) as connection:
            return holds_nothing_else(connection)
    except (DrugmonError, duckdb.Error):
        return True


def _log_of(database: Path) -> Path:
    """DuckDB's write-ahead log."""
    return database.with_name(f"{database.name}.wal")
