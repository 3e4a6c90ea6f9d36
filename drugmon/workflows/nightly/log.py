"""The log file of a nightly job, rotated by size."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from drugmon.data.verdicts.atomic import open_own, sink_errors
from drugmon.wording import one_line
from drugmon.workflows.nightly.settings import Log

NAME: Final = "drugmon.nightly"
"""The logger that a night speaks to; the command line adds standard error to it."""

LAST: Final = {"last": True}
"""Marks the record that sums up the night."""

_FORMAT: Final = "%(asctime)s %(levelname)s drugmon nightly: %(message)s"
_TIME: Final = "%Y-%m-%dT%H:%M:%S%z"
_BYTES_PER_MB: Final = 1_000_000


class _OneLine(logging.Formatter):
    """One line a record, whatever names stand in it."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


class _LogFile(RotatingFileHandler):
    def _open(self) -> TextIOWrapper[BufferedWriter]:
        """Open the log, never through a symbolic link."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = open_own(Path(self.baseFilename), flags)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding=self.encoding)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A log that cannot be written, as on a full disk, is no reason to end the night."""


@contextmanager
def log_file(config: Log, path: Path) -> Iterator[None]:
    """Write what the night says to the log file, too.

    Args:
        config: whether there is a file, and when it is rotated.
        path: the file.

    Raises:
        SinkError: the file cannot be written.
    """
    logger = logging.getLogger(NAME)
    logger.setLevel(logging.INFO)
    if not config.file:
        yield
        return
    with sink_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(
            path,
            maxBytes=round(config.max_mb * _BYTES_PER_MB),
            backupCount=config.keep,
            encoding="utf-8",
        )
    handler.setFormatter(_OneLine(_FORMAT, _TIME))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):  # what could not be written is still in its buffer
            handler.close()
