"""The two sides of a report: the scored reviews that are judged, and what they compare with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import duckdb

from drugmon.data.copies import copied
from drugmon.data.duckdb.database import connect, in_memory
from drugmon.data.history.database import HistoryDatabase
from drugmon.data.history.files import Recorded, read_history, update_history
from drugmon.data.history.output import MAIN, Output
from drugmon.data.history.places import histories_of, history_of_folder
from drugmon.data.history.records import ReportRecord, RunRecord
from drugmon.data.resolve import names_folder, resolve_scored
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.atomic import temporary_folder
from drugmon.data.verdicts.columns import VerdictChoice
from drugmon.data.verdicts.scored import Reading, Scored
from drugmon.data.verdicts.scored_views import scored_files, scored_table
from drugmon.errors import AdapterError, BaseModelError, BusyError, DrugmonError
from drugmon.grading import Grading, GradingChoice
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.adapters.manifest import first_identity, rule_of
from drugmon.models.tokens.vocabulary import Vocabulary
from drugmon.monitoring.profiles.aggregate import Counted, count_scored
from drugmon.monitoring.profiles.profile import read_profile
from drugmon.statistics.figures import Quality
from drugmon.workflows.report.config import Previous, ReportConfig, ScoredSource
from drugmon.workflows.report.window import LAST_RUN, ReportWindow, find_run, find_window


@dataclass(frozen=True)
class Past:
    """What the histories know: the source's score runs, and all reports, oldest first.

    Of several histories, as of files in several folders, the first takes the report.
    """

    databases: Sequence[Path]
    runs: Sequence[RunRecord]
    reports: Sequence[ReportRecord]
    note: str | None

    @property
    def database(self) -> Path:
        """The history that takes the report."""
        return self.databases[0]


@dataclass(frozen=True)
class OpenSource:
    """The open source of a report.

    Attributes:
        all_rows: the view of all of them.
        output: what is judged, however it is called.
        past: what the history knows of it.
        aside: a folder for what is laid aside while the report is made.
    """

    all_rows: Scored
    output: Output
    past: Past
    aside: Path

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Where the views are."""
        return self.all_rows.connection


@dataclass(frozen=True)
class CurrentSide:
    """The judged rows.

    Attributes:
        window: which rows of the source they are.
        rows: the view of them.
        counted: what they come to.
        runs: the records of the score runs that they are of, as far as these are known.
        adapter: what judged them; None where it is not at hand.
        identity: `name@digest` of that, as the rows or the adapter say.
        lacks_adapter: a sentence on why the adapter is not at hand, or None.
        grading: what the graded columns mean.
        vocabulary: the words that the adapter's base knows; None where it is not at hand.
        ahead: how many rows are dated behind a window that ends now.
    """

    window: ReportWindow
    rows: Scored
    counted: Counted
    runs: tuple[RunRecord, ...]
    adapter: Adapter | None
    identity: str
    lacks_adapter: str | None
    grading: Grading
    vocabulary: Vocabulary | None
    ahead: int = 0

    @cached_property
    def held_out(self) -> Mapping[str, Quality]:
        """The adapter's figures on its held-out reviews, by target."""
        return {} if self.adapter is None else _reference_of(self.adapter)


@contextlib.contextmanager
def open_source(config: ScoredSource) -> Iterator[OpenSource]:
    """Open what the report judges; a database is locked against writers meanwhile.

    Raises:
        SourceError: it cannot be read, or holds no verdicts.
        UsageError: a named column is not there.
        BusyError: another process did not close the database in time.
    """
    columns, text_format = config.reading.columns, config.reading.text_format
    meant = VerdictChoice(config.prefix)
    reading = Reading(columns, config.date_column, config.by, text_format, meant)
    with contextlib.ExitStack() as stack:
        aside = stack.enter_context(temporary_folder())
        if config.database.table is not None:
            database = Path(config.path)
            note = _update(database, config.database.lock_timeout)
            opened = connect(database, read_only=True, lock_timeout=config.database.lock_timeout)
            connection = stack.enter_context(opened)
            where = f"{database}, table {config.database.table}"
            scored = scored_table(
                connection, config.database.table, reading, where=where, view="drugmon_all"
            )
            schema, table = scored.table or (MAIN, config.database.table)
            output = Output.of_table(database, schema, table, scored.prefix)
            past = _past_of_table(connection, database, output, note)
            yield OpenSource(scored, output, past, aside)
            return
        files = copied(resolve_scored(config.path, partitions=config.partitions), aside)
        connection = stack.enter_context(in_memory(aside / "spill"))
        scored = scored_files(connection, files, reading, aside=aside, view="drugmon_all")
        # Of several files, what names them: the same every night, however many there are by then.
        output = Output.of_file(config.path, scored.prefix)
        yield OpenSource(scored, output, _past_of_files(files, config, scored.prefix), aside)


def find_adapter(
    asked: str | None, adapters: Mapping[str, int]
) -> tuple[Adapter | None, str | None]:
    """The adapter that judged the rows, or the one that was asked for; and why there is none.

    Of a cascade that is the first one, which judges every row.

    Raises:
        AdapterError: the one that was asked for cannot be opened.
    """
    identity = first_identity(next(iter(adapters), ""))
    if asked is not None:
        return open_adapter(asked).under(rule_of(identity)), None
    if not adapters:
        return None, "No row names the adapter that judged it."
    name = identity.partition("@")[0]
    try:
        adapter = open_adapter(name).under(rule_of(identity))
    except AdapterError as error:
        return None, f"The adapter of these verdicts, {identity}, is not at hand ({error})."
    if adapter.manifest.identity != identity:
        return None, (
            f"These verdicts are of {identity}, and the adapter at hand is "
            f"{adapter.manifest.identity}: name the right one with --adapter, or score again."
        )
    return adapter, None


def grading_of(adapter: Adapter | None, choice: GradingChoice) -> Grading:
    """What the graded columns mean: as the adapter was taught, unless the user says otherwise."""
    return choice.over(adapter.manifest.grading if adapter else Grading())


def vocabulary_of(adapter: Adapter | None) -> Vocabulary | None:
    """The words that the adapter's base knows; None where its tokenizer is not at hand."""
    if adapter is None:
        return None
    with contextlib.suppress(BaseModelError):
        return Vocabulary(adapter.base().folder)
    return None


def find_current(
    config: ReportConfig, source: OpenSource, now: datetime, on_progress: Callable[[str], None]
) -> CurrentSide:
    """Find and count the rows that are judged, and who judged them.

    Args:
        config: what is asked for.
        source: the open source.
        now: the time to judge a window's length by.
        on_progress: told what is being done.

    Raises:
        UsageError: there is no such run.
        SourceError: a verdict or a cell cannot be read.
        AdapterError: the adapter that was asked for cannot be opened.
    """
    window = _window(config, source, now)
    rows = source.all_rows
    if not window.everything:
        rows = rows.window(
            "drugmon_current", since=window.since, until=window.until, spans=window.spans
        )
    adapters = dict(rows.rows("count_adapters")) or dict(source.all_rows.rows("count_adapters"))
    adapter, lacks_adapter = find_adapter(config.adapter, adapters)
    grading = grading_of(adapter, config.source.grading)
    vocabulary = vocabulary_of(adapter)
    on_progress("counting the reviews")
    return CurrentSide(
        window=window,
        rows=rows,
        counted=count_scored(rows, grading, vocabulary),
        runs=tuple(_runs_behind(config.scoring.runs, source.past.runs, window)),
        adapter=adapter,
        identity=adapter.manifest.identity if adapter else next(iter(adapters), "unknown"),
        lacks_adapter=lacks_adapter,
        grading=grading,
        vocabulary=vocabulary,
        ahead=_ahead(config, source, window),
    )


def _ahead(config: ReportConfig, source: OpenSource, window: ReportWindow) -> int:
    if config.window.length is None or window.until is None:
        return 0
    return int(source.all_rows.window("ahead", since=window.until).rows("count_rows")[0][0])


def _window(config: ReportConfig, source: OpenSource, now: datetime) -> ReportWindow:
    """The window asked for; where it is compared with runs before, the last run's rows.

    That is the last one that scored: after it others may have found nothing new.
    """
    runs = source.past.runs
    by_scoring = config.source.date_column is None
    window = find_window(config.window, now, runs, by_scoring=by_scoring)
    if window.everything and isinstance(config.reference, Previous) and runs:
        scored = [run for run in runs if run.scored]
        return ReportWindow(runs=find_run(LAST_RUN, scored or runs))
    return window


def _runs_behind(
    scored: Sequence[str], runs: Sequence[RunRecord], window: ReportWindow
) -> Sequence[RunRecord]:
    """The records of the runs whose rows are judged, of which `scored` are known to be such."""
    if window.runs is not None:
        return window.runs
    named = [run for run in runs if run.run_id in scored]
    if scored and (window.everything or not window.by_scoring):
        return named
    if window.everything:
        return find_run(LAST_RUN, runs) if runs else []
    since, until = window.since, window.until
    return [
        run
        for run in runs
        if run in named
        or (
            (since is None or run.finished_at >= since)
            and (until is None or run.started_at < until)
        )
    ]


def _reference_of(adapter: Adapter) -> Mapping[str, Quality]:
    return {} if adapter.reference is None else read_profile(adapter.reference).quality


def _update(database: Path, lock_timeout: float) -> str | None:
    """Bring a database's history up to date; why that failed, where it did."""
    try:
        update_history(database, lock_timeout)
    except BusyError:
        raise
    except DrugmonError as error:
        return f"the history could not be read: {error}"
    return None


def _past_of_table(
    connection: duckdb.DuckDBPyConnection, database: Path, output: Output, note: str | None
) -> Past:
    if note is not None:
        return Past([database], [], [], note)
    try:
        history = HistoryDatabase(connection, database)
        recorded = Recorded(history.runs(), history.reports())
    except DrugmonError as error:
        return Past([database], [], [], f"the history could not be read: {error}")
    return Past([database], *_concerning({output}, recorded), None)


def _past_of_files(files: Sequence[FileSource], config: ScoredSource, prefix: str) -> Past:
    """The history that was named, or those beside the files; the first one's takes the report."""
    databases = databases_of(files, config)
    outputs = {Output.of_file(file.output, prefix) for file in files}
    runs: list[RunRecord] = []
    reports: list[ReportRecord] = []
    notes = []
    for database in databases:
        try:
            of_outputs, of_reports = _concerning(
                outputs, read_history(database, config.database.lock_timeout)
            )
        except DrugmonError as error:
            notes.append(f"the history could not be read: {error}")
            continue
        runs += of_outputs
        reports += of_reports
    if not notes and not any(database.exists() for database in databases):
        notes.append("there is no history yet")
    runs.sort(key=lambda run: (run.finished_at, run.run_id))
    return Past(databases, runs, reports, "; ".join(notes) or None)


def databases_of(files: Sequence[FileSource], config: ScoredSource) -> Sequence[Path]:
    """The histories of scored files: the one that was named, else where scoring recorded its runs.

    Args:
        files: those that `config` names.
        config: what is judged.
    """
    if config.history:
        return [config.history]
    places = [histories_of(file.output) for file in files]
    if config.partitions and names_folder(config.path):
        first = [history_of_folder(config.path)]
    else:
        first = [likeliest for likeliest, *_ in places]
    others = [database for both in places for database in both if database.exists()]
    return list(dict.fromkeys([*first, *others]))


def _concerning(
    outputs: Set[Output], recorded: Recorded
) -> tuple[list[RunRecord], Sequence[ReportRecord]]:
    """The score runs that wrote one of `outputs`, and all reports."""
    runs = [run for run in recorded.runs if run.command == "score" and run.output in outputs]
    return runs, recorded.reports
