"""What a signal does: it unwinds the work, also where DuckDB turned it into an error of its own."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

_INTERRUPTED_QUERY: Final = "Query interrupted"


class Terminated(BaseException):
    """The process was asked to end (SIGTERM): unwinds like ^C and leaves nothing half-done."""


_received: list[type[BaseException]] = []


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
