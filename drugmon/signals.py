"""What a signal does: it unwinds the work, also where DuckDB turned it into an error of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final, Protocol

_INTERRUPTED_QUERY: Final = "Query interrupted"
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


class Interruptible(Protocol):
    """A connection to a database."""

    def interrupt(self) -> None:
        """End the query that runs, if one does."""


class Terminated(BaseException):
    """The process was asked to end (SIGTERM): unwinds like ^C and leaves nothing half-done."""


_received: list[type[BaseException]] = []
_connections: list[Interruptible] = []


def install() -> None:
    """Let SIGTERM raise `Terminated` in the main thread."""
    _received.clear()
    signal.signal(signal.SIGTERM, _terminate)


@contextlib.contextmanager
def passed_on() -> Iterator[None]:
    """Raise again, as what it was, a signal that a running query has turned into an error.

    DuckDB looks for signals while it runs, ends the query, and says no more than that it was
    interrupted: a SIGTERM or ^C would end as a bug.

    Raises:
        Terminated, KeyboardInterrupt: a query was ended by a signal.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) != _INTERRUPTED_QUERY:
            raise
        raise (_received[-1] if _received else KeyboardInterrupt) from error


@contextlib.contextmanager
def interruptible(connection: Interruptible) -> Iterator[None]:
    """Let a signal end the query that `connection` runs in the body.

    Python handles a signal in the main thread, once that is back from the query. DuckDB looks for
    signals while the main thread computes, and not while it sleeps until other threads are done. So
    the signal is written into a pipe as well, and a thread that reads it ends the queries of all
    connections. It starts with the first of them, where the main thread opens that and nobody else,
    such as an event loop, has signals written into a pipe.
    """
    _connections.append(connection)
    try:
        if len(_connections) > 1 or threading.current_thread() is not threading.main_thread():
            yield
            return
        with _watched():
            yield
    finally:
        _connections.remove(connection)


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if before != -1:
        signal.set_wakeup_fd(before)
    watcher = threading.Thread(target=_interrupt_all, args=(reader,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        if before == -1:
            signal.set_wakeup_fd(-1)
        os.close(writer)  # what the watcher reads then is the end
        watcher.join()
        os.close(reader)


def _interrupt_all(reader: int) -> None:
    """Interrupt the queries of all connections whenever `reader` tells of a signal to end."""
    while numbers := os.read(reader, 64):
        if any(number in _ENDING for number in numbers):
            for connection in tuple(_connections):
                with contextlib.suppress(Exception):  # it was closed meanwhile
                    connection.interrupt()


def check() -> None:
    """Raise again what was asked for, where whoever handled an error may have swallowed it.

    Raises:
        Terminated: a SIGTERM came.
    """
    if _received:
        raise _received[-1]


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    _received.append(Terminated)
    raise Terminated
