"""What a night leaves in the folder of all reports, also where no source could be reported.

That is an entry a source, and an index that has it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from drugmon.data.history.files import read_history
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.history.records import ReportRecord
from drugmon.data.stores.uri import parse_location
from drugmon.errors import DrugmonError
from drugmon.reports.attempts import Attempt, write_attempts
from drugmon.workflows.nightly.config import NightlyConfig, Task
from drugmon.workflows.nightly.log import NAME
from drugmon.workflows.nightly.night_report import scored_source
from drugmon.workflows.nightly.result import SourceNight
from drugmon.workflows.report.folder import write_report_index

_log = logging.getLogger(NAME)


class NightAttempts:
    """The attempts of one night; what cannot be written is a warning, and never ends the night."""

    def __init__(self, config: NightlyConfig) -> None:
        self._config = config
        began, night = datetime.now(UTC), secrets.token_hex(6)
        self._attempts = [
            Attempt(night, config.name, task.name, began, config.every.total_seconds() / 3600)
            for task in config.tasks
        ]

    def begin(self) -> None:
        """Keep that the night has begun: if nothing more comes, the index tells of that."""
        self._write()

    def end(self, nights: Sequence[SourceNight]) -> None:
        """Keep what became of every source."""
        ended = datetime.now(UTC)
        self._attempts = [
            replace(
                attempt,
                ended=ended,
                status=night.status,
                page=night.page.parent.name if night.page else None,
                rows=night.rows,
                failures=tuple(night.failures),
            )
            for attempt, night in zip(self._attempts, nights, strict=True)
        ]
        self._write()

    def cut_off(self, reason: str) -> None:
        """Keep that the night was cut off."""
        ended, failure = datetime.now(UTC), f"the night was cut off: {reason}"
        self._attempts = [
            replace(attempt, ended=ended, failures=(failure,)) for attempt in self._attempts
        ]
        self._write()

    def _write(self) -> None:
        by_folder: dict[Path, list[tuple[Task, Attempt]]] = {}
        for task, attempt in zip(self._config.tasks, self._attempts, strict=True):
            folder = task.report.pages.out
            by_folder.setdefault(folder, []).append((task, attempt))
        for folder, entries in by_folder.items():
            try:
                write_attempts(folder, [attempt for _, attempt in entries])
                write_report_index(_nights_of([task for task, _ in entries]), folder)
            except (DrugmonError, OSError) as error:
                _log.warning("the index of all nights does not tell of this one: %s", error)


def _nights_of(tasks: Sequence[Task]) -> list[ReportRecord]:
    """The reports in the histories of `tasks`, as far as those can be read without waiting."""
    by_id: dict[str, ReportRecord] = {}
    for database in dict.fromkeys(map(history_of_task, tasks)):
        try:
            nights = read_history(database, lock_timeout=0).reports
        except (DrugmonError, OSError):
            continue  # the folder itself has the newest nights
        by_id |= {night.report_id: night for night in nights}
    return list(by_id.values())


def history_of_task(task: Task) -> Path:
    """Where the reports of a source are recorded."""
    if task.score.database.table:
        return Path(task.score.source)
    return task.score.history or history_of(parse_location(scored_source(task.score)))


def output_of(task: Task) -> str:
    """What the scoring of a source writes, in one line; a table is called as the settings do."""
    output = Output.of_file(scored_source(task.score), task.score.prefix)
    table = task.score.database.table
    return str(replace(output, table=table.lower()) if table else output)
