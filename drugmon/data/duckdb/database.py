"""Opening DuckDB databases: a bounded wait for the lock, and errors that say what to do."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb

from drugmon.data.queries import query
from drugmon.data.verdicts.atomic import flush, folder_beside, make_folder, sweep
from drugmon.errors import BusyError, DamagedError, SinkError, SourceError
from drugmon.signals import interruptible, passed_on

_POLL_SECONDS: Final = 0.1
_NO_DATABASE: Final = ("not a valid DuckDB database", "in-memory database")
_SAYS_DAMAGED: Final = (
    *_NO_DATABASE,
    "Corrupt database file",
    "Could not read enough bytes",
    "replaying WAL",
)
_DAMAGE: Final = (duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException)
_FULL: Final = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)))
_REFUSALS: Final = (
    *_FULL,
    *map(os.strerror, (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)),
    *map(os.strerror, (errno.EMFILE, errno.ENFILE)),
)
"""What the system says where it refuses. DuckDB takes this for fatal in the midst of a checkpoint,
and its database is whole."""
_NO_CHECKPOINT: Final = "Failed to create checkpoint"
_HOLDER: Final = re.compile(r"\(PID (\d+)\)")
_WITHOUT_VALUES: Final = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConnectionException,
    duckdb.DependencyException,
    duckdb.IOException,
    duckdb.NotImplementedException,
    duckdb.OutOfMemoryException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.TransactionException,
)
"""Errors about statements, files and the machine: their words hold nothing of the data."""

_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "TimeZone": "UTC",
    "memory_limit": "1GB",  # of buffers; what does not fit spills to temp_directory
    "autoinstall_known_extensions": False,  # no network
    "python_enable_replacements": False,  # a name in SQL is never a variable of this program
}


@contextmanager
def connect(
    database: Path, *, read_only: bool, lock_timeout: float
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that exists; leaving the context frees its lock.

    Args:
        database: the file.
        read_only: other readers may have the file open at the same time; writers may not.
        lock_timeout: seconds to wait for another process to let go of the file.

    Raises:
        SourceError: the file is missing or cannot be opened.
        DamagedError: it is no DuckDB database, or a damaged one.
        SinkError: it cannot be opened for writing.
        BusyError: another process held it for `lock_timeout` seconds.
    """
    check_exists(database)
    deadline = time.monotonic() + lock_timeout
    while True:
        try:
            # A path such as `sqlite:a/b` would name another kind of database.
            connection = duckdb.connect(
                database.absolute(),
                read_only=read_only,
                config={**_SETTINGS, "temp_directory": f"{database.absolute()}.tmp"},
            )
            break
        except duckdb.Error as error:
            failure = _open_failure(database, error, read_only, lock_timeout)
            if not isinstance(failure, BusyError) or time.monotonic() >= deadline:
                raise failure from error
            time.sleep(_POLL_SECONDS)
    with _open(connection):
        if connection.execute(query("is_in_memory")).fetchall() == [(True,)]:
            raise DamagedError(f"{database}: not a DuckDB database file")
        yield connection


@contextmanager
def in_memory(temporary: Path | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory; what does not fit spills to the folder `temporary`, if any."""
    settings = {**_SETTINGS, "temp_directory": str(temporary or "")}
    with _open(duckdb.connect(":memory:", config=settings)) as connection:
        yield connection


@contextmanager
def _open(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    with passed_on(), connection, interruptible(connection):
        connection.execute(query("hide_progress"))
        yield connection


@contextmanager
def at_most(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Break off what the connection runs in the body after so many seconds.

    Raises:
        TimeoutError: it was broken off.
    """
    over = threading.Event()

    def stop() -> None:
        over.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if not over.is_set():
            raise
        raise TimeoutError from error
    finally:
        timer.cancel()


def close_off(connection: duckdb.DuckDBPyConnection, *, folder: Path | None = None) -> None:
    """Let statements reach no file, network or extension from here on, nor change a setting.

    The open database itself and, where one is given, the files in `folder` stay within reach.
    """
    if folder is not None:
        connection.execute(query("allow_folder"), {"folders": [f"{folder.resolve()}/"]})
    connection.execute(query("deny_external_access"))
    connection.execute(query("lock_settings"))


def check_exists(database: Path) -> None:
    """Make sure that there is a file to open.

    Raises:
        SourceError: there is none.
    """
    if not database.is_file():
        raise SourceError(f"{database}: no such database file; check the path")


def create(database: Path) -> None:
    """Create an empty database where there is none; a kill never leaves half of one.

    Raises:
        SinkError: the folder or the file cannot be written.
    """
    try:
        make_folder(database.parent)
        if database.exists():
            sweep(database)
            return
        with folder_beside(database) as folder:
            aside = (folder / database.name).absolute()
            duckdb.connect(aside).close()
            with suppress(FileExistsError):  # another process has created it meanwhile
                os.link(aside, database)
            flush(database.parent)
    except (OSError, duckdb.IOException) as error:
        says = f"{database}: cannot be created: {first_line(error)}{_remedy(error)}"
        raise SinkError(says) from error


@contextmanager
def writing(connection: duckdb.DuckDBPyConnection, where: str) -> Iterator[None]:
    """Run the body as one transaction, committed at its end and moved into the database file.

    Raises:
        SinkError: DuckDB cannot do it; the message names `where`.
        DamagedError: the database is damaged.
    """
    state = "it is as it was"
    try:
        connection.execute(query("begin"))
        yield
        connection.execute(query("commit"))
        state = "but everything is in its write-ahead log"
        connection.execute(query("checkpoint"))
    except duckdb.Error as error:
        kind = DamagedError if is_damage(error) else SinkError
        says = f"{where}: cannot be written, {state}: {first_line(error)}{_remedy(error)}"
        raise kind(says) from error


def is_damage(error: duckdb.Error) -> bool:
    """Whether an error says that a database file is damaged, and not that the system refuses it."""
    if _refusal(error):
        return False
    if any(said in str(error) for said in _SAYS_DAMAGED):
        return True
    # A checkpoint that fails, for want of memory say, leaves all in the log.
    return isinstance(error, _DAMAGE) and _NO_CHECKPOINT not in str(error)


def _refusal(error: Exception) -> str:
    """What the system says in an error, if it is the system that refuses."""
    if not isinstance(error, (OSError, duckdb.FatalException, *_WITHOUT_VALUES)):
        return ""
    return next((says for says in _REFUSALS if says in str(error)), "")


def _remedy(error: Exception) -> str:
    return "; make room and run again" if _refusal(error) in _FULL else ""


def first_line(error: Exception) -> str:
    """Return what DuckDB says, without its hints, its copy of the statement, and any value.

    Of an error about data (a conversion, a constraint) its kind is told: its words hold the value,
    which may be a review.
    """
    says = str(error).partition("\n")[0].removesuffix(".")
    if isinstance(error, duckdb.Error) and not isinstance(error, _WITHOUT_VALUES):
        kind, refusal = says.partition(":")[0], _refusal(error)
        return f"{kind}: {refusal}" if refusal else kind
    return says


def _open_failure(
    database: Path, error: duckdb.Error, read_only: bool, lock_timeout: float
) -> BusyError | SourceError | SinkError:
    message = str(error)
    if "Could not set lock" in message:
        holder = _HOLDER.search(message)
        pid = f" (pid {holder[1]})" if holder else ""
        return BusyError(
            f"{database}: another process{pid} has it open and did not close it within "
            f"{lock_timeout:g} s; stop it, or wait longer with --lock-timeout SECONDS"
        )
    if any(said in message for said in _NO_DATABASE):
        return DamagedError(f"{database}: not a DuckDB database file")
    if is_damage(error):
        return DamagedError(f"{database}: a damaged DuckDB database: {first_line(error)}")
    kind = SourceError if read_only else SinkError
    return kind(f"{database}: cannot be opened: {first_line(error)}")
