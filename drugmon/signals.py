"""What a signal does: it unwinds the work, also where DuckDB turned it into an error of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
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
_spawning = False
"""Whether the main thread starts a process, so that signals wait."""


def install() -> None:
    """Let SIGTERM raise `Terminated` in the main thread, ^C `KeyboardInterrupt`; both are noted."""
    _received.clear()
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's & ignores it
        signal.signal(signal.SIGINT, _interrupt)


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
        Terminated, KeyboardInterrupt: a SIGTERM, a ^C came.
    """
    if _received:
        raise _received[-1]


@contextlib.contextmanager
def spawning() -> Iterator[None]:
    """Start processes in the body: a ^C reaches none of them, and no signal tears their start.

    A ^C goes to the whole group; this process hears it and ends the others. One that is torn from
    its parent while it starts would print a traceback, or wait for work for ever.

    Raises:
        Terminated, KeyboardInterrupt: at the end of the body, as a signal came in it.
    """
    global _spawning
    # Handlers run in the main thread alone, whichever thread the system gives the signal to.
    _spawning = threading.current_thread() is threading.main_thread()
    heard = len(_received)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _spawning = False
    if len(_received) > heard:
        check()


def settle(code: int) -> None:
    """Let a signal end the process at once, with `code`: what it came to is known and told.

    Its end may take a while, as Python waits for threads, and has no place to unwind to.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        os._exit(code)

    for number, handler in zip(_ENDING, (_terminate, _interrupt), strict=True):
        if signal.getsignal(number) is handler:
            signal.signal(number, end)


def leave() -> None:
    """End the process, with 0, where threads compute what nobody waits for any more.

    Python waits for them at its end: for minutes, where gradients go through a large model.
    """
    if threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    _note(Terminated)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    _note(KeyboardInterrupt)


def _note(ending: type[BaseException]) -> None:
    _received.append(ending)
    if not _spawning:
        raise ending
