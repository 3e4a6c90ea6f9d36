"""What a report compares with: found where it lies, or the reason why there is nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from drugmon.data.copies import copied
from drugmon.data.duckdb.database import connect
from drugmon.data.history.database import HistoryDatabase
from drugmon.data.resolve import resolve_scored
from drugmon.data.verdicts.columns import VerdictChoice
from drugmon.data.verdicts.scored import Reading, Scored
from drugmon.data.verdicts.scored_views import scored_files
from drugmon.errors import UsageError
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.adapters.manifest import first_identity
from drugmon.monitoring.checks.compare import ReferenceSide
from drugmon.monitoring.checks.summary import HELD_OUT
from drugmon.monitoring.profiles.aggregate import Counted, count_scored
from drugmon.monitoring.profiles.merge import merge_profiles
from drugmon.monitoring.profiles.profile import read_profile
from drugmon.monitoring.profiles.reference import Profile
from drugmon.workflows.report.config import Files, OfAdapter, Previous, ReportConfig, ScoredSource
from drugmon.workflows.report.sides import CurrentSide, OpenSource
from drugmon.workflows.report.window import runs_before, runs_of_window, spans_of


@dataclass(frozen=True)
class Found:
    """A reference, and its rows where it is not a profile alone.

    `judges` are the identities of what judged them, as far as they are known.
    """

    reference: ReferenceSide
    rows: Scored | None
    judges: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Missing:
    """Nothing to compare with; `why` is the end of a sentence.

    `baseline` says that the judged rows are the first of their source: later ones compare with
    them.
    """

    why: str
    baseline: bool = False


def find_reference(
    config: ReportConfig, source: OpenSource, current: CurrentSide
) -> Found | Missing:
    """Find what `config` names.

    Raises:
        DrugmonError: scored reviews that were named cannot be used.
    """
    match config.reference:
        case OfAdapter():
            return _of_adapter(current.adapter)
        case Previous(count):
            return _of_runs(count, config, source, current)
        case Files(path):
            return _of_files(path, config.source, source, current)


def _of_adapter(adapter: Adapter | None) -> Found | Missing:
    if adapter is None:
        return Missing("there is no adapter whose reference would serve")
    if adapter.reference is None:
        return Missing(
            f"{adapter.manifest.name} keeps no profile of {adapter.manifest.rule} labels: compare "
            "with runs before (--reference previous:7), or train it again"
        )
    profile = read_profile(adapter.reference)
    if not profile.n:
        return Missing(f"the reference of {adapter.manifest.name} was made of no review")
    name = f"{HELD_OUT} of {adapter.manifest.name}"
    return Found(ReferenceSide(name, profile, [], profile.quality, held_out_only=True), None)


def _of_files(path: str, config: ScoredSource, source: OpenSource, current: CurrentSide) -> Found:
    everything = _reference_rows(path, config, source)
    # A file may hold the judged rows as well: none of them is compared with itself.
    rows, shared = everything.without("drugmon_reference_apart", current.rows)
    counted = count_scored(rows, current.grading, current.vocabulary)
    if not counted.profile.n:
        which = "no rows but those judged here" if shared else "no rows"
        raise UsageError(f"--reference {path}: has {which}; name scored reviews from another time")
    side = replace(
        _of_rows(rows.name, counted, current), shared=shared, about_grades=counted.about_grades
    )
    return Found(side, rows, frozenset(counted.adapters))


def _of_rows(name: str, counted: Counted, current: CurrentSide) -> ReferenceSide:
    """The reference that rows at hand are."""
    return ReferenceSide(
        name,
        counted.profile,
        counted.texts,
        current.held_out,
        since=counted.since,
        until=counted.until,
    )


def _reference_rows(path: str, config: ScoredSource, source: OpenSource) -> Scored:
    """The rows of scored files; a column to slice by may be one that only the judged side has."""
    aside = source.aside / "reference"
    aside.mkdir()
    files = copied(resolve_scored(path, partitions=config.partitions), aside)
    meant = VerdictChoice(source.output.prefix, only=False)
    by_meaning = [name for name in config.by if name in ("drug", "condition")]
    for by in (config.by, by_meaning):
        reading = Reading(config.reading.columns, None, by, config.reading.text_format, meant)
        try:
            return scored_files(
                source.connection, files, reading, aside=aside, view="drugmon_reference"
            )
        except UsageError:
            if by is by_meaning:
                raise
    raise AssertionError("one of the two ways returns or raises")


def _of_runs(
    count: int, config: ReportConfig, source: OpenSource, current: CurrentSide
) -> Found | Missing:
    """The rows of the runs before, or the profiles that were kept of them where these are gone."""
    past, window = source.past.runs, current.window
    of_window = runs_of_window(window, past, current.rows.scored_at(), config.scoring.runs)
    runs = runs_before(past, window, of_window, count)
    ids = tuple(dict.fromkeys(record.run_id for record in runs))
    if not ids:
        return Missing(
            "the history knows of no run of this source before those judged here",
            baseline=bool(of_window and current.counted.profile.n),
        )
    name = f"the {len(ids)} runs before" if len(ids) > 1 else f"run {ids[0]}"
    # The window may be wider than its runs: none of its rows is compared with itself.
    rows = source.all_rows.window("drugmon_reference", spans=spans_of(runs), without=current.rows)
    counted = count_scored(rows, current.grading, current.vocabulary)
    if counted.profile.n and counted.profile.n >= sum(record.scored for record in runs) / 2:
        side = replace(_of_rows(name, counted, current), runs=ids)
        return Found(side, rows, frozenset(counted.adapters))
    profiles = _kept_profiles(config.source.database.lock_timeout, source, ids)
    if not profiles:
        return Missing("the rows of the earlier runs are gone, and no profile was kept of them")
    reference = ReferenceSide(
        name,
        merge_profiles(profiles),
        [],
        current.held_out,
        since=min(record.started_at for record in runs),
        until=max(record.finished_at for record in runs),
        runs=ids,
    )
    judges = frozenset(record.adapter for record in runs)
    return Found(reference, None, judges | frozenset(map(first_identity, judges)))


def _kept_profiles(lock_timeout: float, source: OpenSource, ids: Sequence[str]) -> list[Profile]:
    """What the history keeps of the rows that runs scored into this source."""
    outputs = {record.output for record in source.past.runs}
    profiles = []
    for database in filter(Path.exists, source.past.databases):
        with contextlib.ExitStack() as stack:
            connection = source.connection
            if source.output.table is None:
                opened = connect(database, read_only=True, lock_timeout=lock_timeout)
                connection = stack.enter_context(opened)
            kept = HistoryDatabase(connection, database).profiles(ids)
        profiles += [
            Profile.from_dict(json.loads(run.profile), str(database))
            for run in kept
            if run.output in outputs
        ]
    return profiles
