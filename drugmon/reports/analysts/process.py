"""The analysts' pages in a process of their own.

Importing evidently takes longer than judging most nights: here it happens meanwhile, on another
core. And whatever evidently does to its process, the morning page stands.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from drugmon import signals
from drugmon.closing import Closing
from drugmon.errors import DrugmonError
from drugmon.reports.analysts.pages import (
    MAKERS,
    AnalystPage,
    EvidentlyInput,
    import_evidently,
    write_analyst_pages,
)


class AnalystProcess(Closing):
    """Starts at once, and is gone when the `with` block ends."""

    def __enter__(self) -> Self:
        # A fresh interpreter: a fork would copy the locks of DuckDB's threads.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with signals.spawning():
            self._process.start()
        theirs.close()
        return self

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def write(
        self, data: EvidentlyInput | None, folder: Path, heading: str
    ) -> tuple[AnalystPage, ...]:
        """Do `write_analyst_pages`, once; pages tell where the process does not live to its end.

        Raises:
            SinkError: a page cannot be written.
        """
        try:
            self._pipe.send((data, folder, heading))
            answer: tuple[AnalystPage, ...] | DrugmonError = self._pipe.recv()
        except (EOFError, OSError):
            problem = "evidently's process was stopped, maybe for want of memory."
            return tuple(replace(page, problem=problem) for page, _ in MAKERS)
        if isinstance(answer, DrugmonError):
            raise answer
        return answer


def _serve(pipe: Connection) -> None:
    with contextlib.suppress(Exception):  # told by the page that needs it
        import_evidently()
    with contextlib.suppress(EOFError):  # the parent needs no page, or is gone
        given = pipe.recv()
        try:
            pipe.send(write_analyst_pages(*given))
        except DrugmonError as error:
            pipe.send(error)
