"""The two sides of a report: the scored reviews that are judged, and what they compare with."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from drugmon.data.duckdb.database import connect, in_memory
from drugmon.data.history.histories import history_of
from drugmon.data.history.monitored import ReportRecord, read_reports, read_run_profiles
from drugmon.data.history.runs import RunRecord, read_runs
from drugmon.data.sources import FileSource, resolve_scored
from drugmon.data.verdicts.scored import Reading, Scored, scored_files, scored_table
from drugmon.errors import AdapterError, BaseModelError, DrugmonError, UsageError
from drugmon.labels import LABEL_OF_LEVEL
from drugmon.models.adapters.adapter import REFERENCE, Adapter, open_adapter
from drugmon.models.tokens.vocabulary import Vocabulary
from drugmon.monitoring.checks.compare import Reference
from drugmon.monitoring.checks.summary import HELD_OUT
from drugmon.monitoring.profiles.aggregate import count_scored
from drugmon.monitoring.profiles.merge import merge_profiles
from drugmon.monitoring.profiles.profile import read_profile
from drugmon.monitoring.profiles.reference import Profile
from drugmon.workflows.report.window import Window, runs_before, runs_of_window, spans_of

if TYPE_CHECKING:
    from drugmon.workflows.report.report import ReportConfig

REFERENCE_OF_ADAPTER: Final = "adapter"
PREVIOUS: Final = "previous:"


@dataclass(frozen=True)
class Past:
    """What the history knows: the source's score runs, and all reports, oldest first."""

    database: Path
    runs: Sequence[RunRecord]
    reports: Sequence[ReportRecord]
    note: str | None


@dataclass(frozen=True)
class Source:
    """The open source of a report; `all_rows` is the view of all of them."""

    all_rows: Scored
    past: Past
    aside: Path

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Where the views are."""
        return self.all_rows.connection


@contextlib.contextmanager
def open_source(config: ReportConfig) -> Iterator[Source]:
    """Open what the report judges; a database is locked against writers meanwhile.

    Raises:
        SourceError: it cannot be read, or holds no verdicts.
        UsageError: a named column is not there.
        BusyError: another process did not close the database in time.
    """
    reading = Reading(config.columns, config.date_column, config.by, config.text_format)
    with contextlib.ExitStack() as stack:
        aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drugmon-report-")))
        if config.table is not None:
            database = Path(config.source)
            opened = connect(database, read_only=True, lock_timeout=config.lock_timeout)
            connection = stack.enter_context(opened)
            where = f"{database}, table {config.table}"
            scored = scored_table(
                connection, config.table, reading, where=where, view="drugmon_all"
            )
            yield Source(scored, _past_of_table(connection, database, scored.name), aside)
            return
        files = resolve_scored(config.source)
        connection = stack.enter_context(in_memory(aside / "spill"))
        scored = scored_files(connection, files, reading, aside=aside, view="drugmon_all")
        yield Source(scored, _past_of_files(files, config), aside)


def find_adapter(
    config: ReportConfig, adapters: Mapping[str, int]
) -> tuple[Adapter | None, str | None]:
    """The adapter that judged the rows, or the one that was asked for; and why there is none.

    Raises:
        AdapterError: the one that was asked for cannot be opened.
    """
    if config.adapter is not None:
        return open_adapter(config.adapter), None
    if not adapters:
        return None, "No row names the adapter that judged it."
    identity = next(iter(adapters))
    name = identity.partition("@")[0]
    try:
        adapter = open_adapter(name)
    except AdapterError as error:
        return None, f"The adapter of these verdicts, {identity}, is not at hand ({error})."
    if adapter.manifest.identity != identity:
        return None, (
            f"These verdicts are of {identity}, and the adapter at hand is "
            f"{adapter.manifest.identity}: name the right one with --adapter, or score again."
        )
    return adapter, None


def labels_of(adapter: Adapter | None) -> Mapping[str, Mapping[str, str]]:
    """The label of each level of every graded column."""
    return adapter.manifest.recipe["labels"] if adapter else LABEL_OF_LEVEL


def vocabulary_of(adapter: Adapter | None) -> Vocabulary | None:
    """The words that the adapter's base knows; None where its tokenizer is not at hand."""
    if adapter is None:
        return None
    with contextlib.suppress(BaseModelError):
        return Vocabulary(adapter.base().folder)
    return None


def find_reference(
    config: ReportConfig,
    source: Source,
    adapter: Adapter | None,
    window: Window,
    judged: Scored,
    vocabulary: Vocabulary | None,
) -> tuple[Reference | None, Scored | None, str | None]:
    """The reference, its rows where there are any, and why there is no reference.

    Raises:
        DrugmonError: a reference that was named cannot be used.
    """
    held_out = {} if adapter is None else _profile_of(adapter).quality
    if config.reference == REFERENCE_OF_ADAPTER:
        if adapter is None:
            return None, None, "there is no adapter whose reference would serve"
        name = f"{HELD_OUT} of {adapter.manifest.name}"
        return Reference(name, _profile_of(adapter), [], held_out), None, None
    if config.reference.startswith(PREVIOUS):
        return _previous(config, source, adapter, window, judged, vocabulary)
    reading = Reading(config.columns, None, config.by, config.text_format)
    all_rows = _reference_rows(config.reference, source, reading)
    # A file may hold the judged rows as well: none of them is compared with itself.
    scored, shared = all_rows.without("drugmon_reference_apart", judged)
    counted = count_scored(scored, labels_of(adapter), vocabulary)
    if not counted.profile.n:
        which = "no rows but those judged here" if shared else "no rows"
        raise UsageError(
            f"--reference {config.reference}: has {which}; name scored reviews from another time"
        )
    reference = Reference(
        scored.name,
        counted.profile,
        counted.texts,
        held_out,
        counted.since,
        counted.until,
        shared=shared,
    )
    return reference, scored, None


def _reference_rows(path: str, source: Source, reading: Reading) -> Scored:
    files = resolve_scored(path)
    aside = source.aside / "reference"
    aside.mkdir()
    lenient = Reading(
        reading.columns,
        None,
        [name for name in reading.by if name in ("drug", "condition")],
        reading.text_format,
    )
    try:
        return scored_files(
            source.connection, files, reading, aside=aside, view="drugmon_reference"
        )
    except UsageError:  # a column to slice by that only the current side has
        return scored_files(
            source.connection, files, lenient, aside=aside, view="drugmon_reference"
        )


def _previous(
    config: ReportConfig,
    source: Source,
    adapter: Adapter | None,
    window: Window,
    judged: Scored,
    vocabulary: Vocabulary | None,
) -> tuple[Reference | None, Scored | None, str | None]:
    of_window = runs_of_window(window, source.past.runs, judged.scored_at(), config.scored)
    runs = runs_before(source.past.runs, window, of_window, _count(config.reference))
    ids = tuple(dict.fromkeys(record.run_id for record in runs))
    if not ids:
        return None, None, "the history knows of no run of this source before those judged here"
    name = f"the {len(ids)} runs before" if len(ids) > 1 else f"run {ids[0]}"
    held_out = {} if adapter is None else _profile_of(adapter).quality
    # The window may be wider than its runs: none of its rows is compared with itself.
    rows = source.all_rows.window("drugmon_reference", spans=spans_of(runs), without=judged)
    counted = count_scored(rows, labels_of(adapter), vocabulary)
    if counted.profile.n >= sum(record.scored for record in runs) / 2:
        profile, texts, since, until = (
            counted.profile,
            counted.texts,
            counted.since,
            counted.until,
        )
        return Reference(name, profile, texts, held_out, since, until, ids), rows, None
    profiles = _kept_profiles(source, ids)
    if not profiles:
        return None, None, "the rows of the earlier runs are gone, and no profile was kept of them"
    since = min(record.started_at for record in runs)
    until = max(record.finished_at for record in runs)
    profile = merge_profiles(profiles)
    return Reference(name, profile, [], held_out, since, until, ids), None, None


def _kept_profiles(source: Source, ids: Sequence[str]) -> list[Profile]:
    """What the history keeps of the rows that runs scored into this source."""
    import json

    past = source.past
    outputs = {record.output for record in past.runs}
    if past.database == Path(source.all_rows.where.partition(", table ")[0]):
        found = read_run_profiles(source.connection, ids)
    else:
        with connect(past.database, read_only=True, lock_timeout=30.0) as connection:
            found = read_run_profiles(connection, ids)
    where = str(past.database)
    return [
        Profile.from_dict(json.loads(text), where) for _, output, text in found if output in outputs
    ]


def _count(reference: str) -> int:
    number = reference.removeprefix(PREVIOUS)
    if not number.isdigit() or not int(number):
        raise UsageError(f"--reference {reference}: give how many runs: previous:7")
    return int(number)


def _profile_of(adapter: Adapter) -> Profile:
    return read_profile(adapter.folder / REFERENCE)


def _past_of_table(connection: duckdb.DuckDBPyConnection, database: Path, name: str) -> Past:
    runs = [
        run
        for run in read_runs(connection)
        if run.command == "score" and _table_of(run.output) in (name, name.rpartition(".")[2])
    ]
    return Past(database, runs, read_reports(connection), None)


def _past_of_files(files: Sequence[FileSource], config: ReportConfig) -> Past:
    database = config.history or history_of(files[0].path)
    names = {file.path.name for file in files}
    try:
        if not database.exists():
            return Past(database, [], [], "there is no history yet")
        with connect(database, read_only=True, lock_timeout=config.lock_timeout) as connection:
            runs = [run for run in read_runs(connection) if Path(run.output).name in names]
            return Past(database, runs, read_reports(connection), None)
    except DrugmonError as error:
        return Past(database, [], [], f"the history could not be read: {error}")


def _table_of(output: str) -> str:
    return output.rpartition(", table ")[2].rpartition(".")[2]
