"""What a night leaves in the folder of all reports, also where no source could be reported.

That is an entry a source, and an index that has it.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from drugmon.checked import parse_toml
from drugmon.data.history.files import read_history
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.history.records import ReportRecord
from drugmon.data.resolve import resolve_scored
from drugmon.data.sources import FileSource
from drugmon.data.stores.uri import is_uri, parse_location
from drugmon.errors import DrugmonError, SettingsError
from drugmon.reports.attempts import Attempt, read_attempts, write_attempts
from drugmon.workflows.nightly.config import NightlyConfig, Task, path_in
from drugmon.workflows.nightly.log import NAME
from drugmon.workflows.nightly.result import SourceNight
from drugmon.workflows.nightly.written import scored_source
from drugmon.workflows.report.config import ScoredSource
from drugmon.workflows.report.folder import write_report_index
from drugmon.workflows.report.options import PageOptions
from drugmon.workflows.report.sides import databases_of

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


def settings_failed(settings: Path, error: SettingsError) -> None:
    """Keep that a night could not begin for its settings, where earlier ones left their attempts.

    Each source of the job's newest night has it; where none is known, there is nothing to tell.
    """
    began, night = datetime.now(UTC), secrets.token_hex(6)
    for folder in _likely_outs(settings):
        try:
            of_job = [attempt for attempt in read_attempts(folder) if attempt.job == settings.stem]
            newest = [attempt for attempt in of_job if attempt.attempt == of_job[-1].attempt]
            if newest:
                ended = datetime.now(UTC)
                failed = [
                    replace(
                        attempt,
                        attempt=night,
                        began=began,
                        ended=ended,
                        status=None,
                        page=None,
                        rows=None,
                        failures=(str(error),),
                    )
                    for attempt in newest
                ]
                write_attempts(folder, failed)
                write_report_index([], folder)
        except (DrugmonError, OSError) as problem:
            _log.warning("the index of all nights does not tell of this one: %s", problem)


def _likely_outs(settings: Path) -> list[Path]:
    """The folders of reports that wrong settings name, as far as they can be read."""
    values: object = {}
    with contextlib.suppress(OSError, SettingsError):
        values = parse_toml(settings.read_bytes(), str(settings))
    named = [str(PageOptions().out)]
    for table in _tables_in(values):
        report = table.get("report")
        if isinstance(report, Mapping) and isinstance(report.get("out"), str):
            named.append(report["out"])
    folder = settings.resolve().parent
    with contextlib.suppress(SettingsError, ValueError):
        return list(dict.fromkeys(path_in(folder, out) for out in named))
    return []


def _tables_in(values: object) -> Iterator[Mapping[str, object]]:
    """A settings file, and its sources."""
    if isinstance(values, Mapping):
        yield values
        sources = values.get("source")
        yield from (
            (table for table in sources if isinstance(table, Mapping))
            if isinstance(sources, list)
            else ()
        )


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
    """Where the reports of a source are recorded, or will be with its first one."""
    scored = task.score
    if scored.database.table:
        return Path(scored.source)
    source, partitions = scored_source(scored), scored.folders.partitions
    files: Sequence[FileSource] = []
    if not is_uri(source):  # a store is not asked for what lies on this machine
        with contextlib.suppress(DrugmonError):  # nothing is scored yet
            files = resolve_scored(source, partitions=partitions)
    judged = ScoredSource(source, history=scored.history, partitions=partitions)
    return next(iter(databases_of(files, judged)), history_of(parse_location(source)))


def output_of(task: Task) -> str:
    """What the scoring of a source writes, in one line; a table is called as the settings do."""
    output = Output.of_file(scored_source(task.score), task.score.prefix)
    table = task.score.database.table
    return str(replace(output, table=table.lower()) if table else output)
