"""Report: compare scored reviews with a reference, judge them, write the page and the history."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from drugmon.data.history.histories import read_nights, record_report
from drugmon.data.history.runs import RunRecord
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.scored import Scored
from drugmon.errors import DrugmonError
from drugmon.labels import ASPECTS
from drugmon.monitoring.checks.compare import Reference, compare
from drugmon.monitoring.checks.findings import Finding
from drugmon.monitoring.checks.gate import Gate, read_gate
from drugmon.monitoring.checks.record import report_record
from drugmon.monitoring.checks.summary import Check, Side, Status, Summary, Volume, verdict
from drugmon.monitoring.checks.volume import failures, freshness, not_fresh, volume
from drugmon.monitoring.profiles.aggregate import Counted, count_scored
from drugmon.monitoring.profiles.reference import Profile
from drugmon.reports.analysts.pages import write_analyst_pages
from drugmon.reports.analysts.process import AnalystProcess
from drugmon.reports.effects import badness
from drugmon.reports.retention import prune
from drugmon.statistics.figures import Interval
from drugmon.workflows.report.folder import sample_sides, write_report_index, write_report_page
from drugmon.workflows.report.sides import (
    PREVIOUS,
    REFERENCE_OF_ADAPTER,
    Source,
    find_adapter,
    find_reference,
    labels_of,
    open_source,
    vocabulary_of,
)
from drugmon.workflows.report.window import LAST_RUN, Window, find_run, find_window


@dataclass(frozen=True)
class ReportConfig:
    """What to judge, against what, by which thresholds, and where the page goes.

    Attributes:
        source: a scored file, a glob or folder of them, or a database with `table`.
        table: the scored table; its companion is joined, or its own verdict columns are read.
        adapter: a name or folder; None for the adapter that the rows name.
        reference: `adapter`, `previous:N` (the N runs before), or a file of scored reviews.
        since: the first day or time of the window, ISO 8601; read in UTC where it has no zone.
        until: the first day or time behind the window.
        last: the window's length up to now, such as `7d`, `36h` or `2w`.
        run: the id of a score run whose rows are meant, or `last`.
        date_column: what dates a row; None for the time when it was scored.
        by: columns whose values are looked at one by one; `drug` and `condition` go by meaning.
        out: the folder that holds the reports.
        name: what pages, history and index call the source; None for the file's or table's name.
        keep: so many reports of the source stay in `out`, the newest; None for all.
        fail_on: the areas that decide the status; None for what the gate's file says.
        gate: a TOML file of thresholds; None for the packaged ones.
        history: another place for the history of files.
        columns: column names by field, as for scoring.
        lock_timeout: seconds to wait for a database that another process has open.
        text_format: of text files.
        scored: the ids of the score runs behind the source, where the caller has just made them.
        failures: sentences on what went wrong before, such as a source that was not scored; each
            is a failed check of the area `freshness`.
        now: the time to judge freshness and `last` by; None for the clock's.
        evidently: whether evidently's pages lie beside the page; they take most of the time.
    """

    source: str
    table: str | None = None
    adapter: str | None = None
    reference: str = REFERENCE_OF_ADAPTER
    since: str | None = None
    until: str | None = None
    last: str | None = None
    run: str | None = None
    date_column: str | None = None
    by: tuple[str, ...] = ("drug", "condition")
    out: Path = Path("reports")
    name: str | None = None
    keep: int | None = None
    fail_on: tuple[str, ...] | None = None
    gate: Path | None = None
    history: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    lock_timeout: float = 30.0
    text_format: TextFormat = DEFAULT_TEXT_FORMAT
    scored: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    now: datetime | None = None
    evidently: bool = True


@dataclass(frozen=True)
class ReportResult:
    """The report's numbers, its page `<out>/<date>-<run>/index.html`, and the index of all.

    `removed` are the folders of old reports that went.
    """

    summary: Summary
    page: Path
    index: Path
    removed: Sequence[Path] = ()

    @property
    def failed(self) -> bool:
        """Whether the gate failed: exit code 4."""
        return self.summary.status is Status.FAIL


def report(
    config: ReportConfig,
    *,
    on_progress: Callable[[str], None] = lambda _step: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> ReportResult:
    """Judge what `config` names and write its page, `summary.json` and history.

    Args:
        config: what, against what, and where to.
        on_progress: told what is being done, a few words at a time.
        warn: told of what the user should know although the report goes on.

    Raises:
        DrugmonError: any expected failure; no page folder is left half-written.
    """
    gate = read_gate(config.gate, config.fail_on)
    now = config.now or datetime.now(UTC)
    on_progress("reading")
    with AnalystProcess() if config.evidently else nullcontext() as analysts:
        with open_source(config) as source:
            judged = _judge(config, source, gate, now, on_progress)
            sample = None
            if analysts:
                on_progress("sampling rows for evidently")
                sample = sample_sides(
                    judged.rows, judged.reference_rows, judged.labels, judged.profile
                )
        on_progress("writing the page")
        write_analysts = analysts.write if analysts else write_analyst_pages
        page = write_report_page(judged.summary, config.out, sample, write_analysts)
    database, note = source.past.database, source.past.note
    try:
        record_report(
            report_record(judged.summary, page.parent.name), database, config.lock_timeout
        )
        nights = read_nights(database, config.lock_timeout)
    except DrugmonError as error:
        warn(f"the report is not in the history: {error}")
        nights = []
    if note and not nights:
        warn(note)
    # Before the index is written, as it links the pages that are there.
    removed = _remove_old(config, judged.summary.source, warn)
    index = write_report_index(nights, config.out, now)
    return ReportResult(judged.summary, page, index, removed)


def _remove_old(config: ReportConfig, source: str, warn: Callable[[str], None]) -> Sequence[Path]:
    if config.keep is None:
        return []
    try:
        return prune(config.out, source, config.keep)
    except OSError as error:
        warn(f"old reports cannot be removed: {error.filename}: {error.strerror}")
        return []


@dataclass(frozen=True)
class _Judged:
    summary: Summary
    rows: Scored
    reference_rows: Scored | None
    labels: Mapping[str, Mapping[str, str]]
    profile: Profile | None


def _judge(
    config: ReportConfig,
    source: Source,
    gate: Gate,
    now: datetime,
    on_progress: Callable[[str], None],
) -> _Judged:
    window = _window(config, source, now)
    rows = source.all_rows
    if not window.everything:
        rows = rows.window(
            "drugmon_current", since=window.since, until=window.until, spans=window.spans
        )
    adapters = dict(rows.rows("count_adapters")) or dict(source.all_rows.rows("count_adapters"))
    adapter, lacks_adapter = find_adapter(config, adapters)
    vocabulary = vocabulary_of(adapter)
    on_progress("counting the reviews")
    current = count_scored(rows, labels_of(adapter), vocabulary)
    on_progress("counting the reference")
    reference, reference_rows, lacks_reference = find_reference(
        config, source, adapter, window, rows, vocabulary
    )
    on_progress("comparing")
    runs = _runs_behind(config, source, window)
    name = _name(config, rows)
    volume_finding, expected = volume(current.profile.n, _earlier_rows(source, name), gate)
    before = [
        *failures(config.failures),
        _freshness(config, window, current, runs, now, gate),
        volume_finding,
    ]
    from_file = config.reference != REFERENCE_OF_ADAPTER
    aspects = [name for name in ASPECTS if from_file or name in rows.has or not current.profile.n]
    compared = compare(current, reference, gate, aspects=aspects, before=before)
    notes = [lacks_adapter] if lacks_adapter else []
    if lacks_reference:
        notes.append(f"Nothing is compared: {lacks_reference}.")
    summary = Summary(
        run_id=uuid.uuid4().hex[:12],
        created_at=now,
        source=name,
        adapter=adapter.manifest.identity if adapter else next(iter(adapters), "unknown"),
        status=verdict(compared.checks, gate.fail_on),
        reasons=_reasons(compared.checks, gate),
        watched=gate.fail_on,
        alpha=gate.alpha,
        min_reviews=gate.min_reviews,
        current=_side(rows, window, current),
        reference=_reference_side(reference, config),
        volume=_volume(current, runs, expected),
        checks=compared.checks,
        balance=compared.balance,
        distributions=compared.distributions,
        movers=compared.movers,
        quality=compared.quality,
        slices=compared.slices,
        slices_withheld=compared.slices_withheld,
        left_out=(*notes, *_about_rows(current, config), *compared.left_out),
        scored_runs=tuple(dict.fromkeys([*(run.run_id for run in runs), *config.scored])),
        history_note=source.past.note,
    )
    profile = reference.profile if reference else None
    return _Judged(summary, rows, reference_rows, labels_of(adapter), profile)


def _window(config: ReportConfig, source: Source, now: datetime) -> Window:
    """The window asked for; where it is compared with runs before, the last run's rows."""
    runs = source.past.runs
    window = find_window(
        config.since,
        config.until,
        config.last,
        config.run,
        now,
        runs,
        by_scoring=config.date_column is None,
    )
    if window.everything and config.reference.startswith(PREVIOUS) and runs:
        return Window(runs=find_run(LAST_RUN, runs))
    return window


def _runs_behind(config: ReportConfig, source: Source, window: Window) -> list[RunRecord]:
    """The records of the runs whose rows are judged, as far as they are known."""
    if window.runs is not None:
        return list(window.runs)
    if config.scored:
        return [run for run in source.past.runs if run.run_id in config.scored]
    if window.everything and source.past.runs:
        return list(find_run(LAST_RUN, source.past.runs))
    since, until = window.since, window.until
    return [
        run
        for run in source.past.runs
        if (since is None or run.finished_at >= since) and (until is None or run.started_at < until)
    ]


def _freshness(
    config: ReportConfig,
    window: Window,
    current: Counted,
    runs: Sequence[RunRecord],
    now: datetime,
    gate: Gate,
) -> Finding:
    if config.until is not None or (config.run not in (None, LAST_RUN)):
        return not_fresh("A window of the past was asked for: its age is no fault.")
    moments = [run.finished_at for run in runs if window.runs is None or run in window.runs]
    known = [moment for moment in (current.newest, *moments) if moment is not None]
    return freshness(max(known, default=None), now, gate)


def _name(config: ReportConfig, rows: Scored) -> str:
    if config.name is not None:
        return config.name
    return rows.name if config.table is None else f"{Path(config.source).name}, table {rows.name}"


def _earlier_rows(source: Source, name: str) -> list[int]:
    """Rows of earlier reports of the source that is called `name`."""
    return [each.head.rows for each in source.past.reports if each.head.source == name]


def _reasons(checks: Sequence[Check], gate: Gate) -> tuple[str, ...]:
    off = [
        check
        for check in checks
        if check.status in (Status.FAIL, Status.WARN) and check.area in gate.fail_on
    ]
    return tuple(check.says for check in sorted(off, key=badness, reverse=True))


def _side(rows: Scored, window: Window, current: Counted) -> Side:
    adapter = next(iter(current.adapters), None)
    since, until = window.since or current.since, window.until or current.until
    name = rows.name
    if window.runs:
        name = f"{name}, run {window.runs[0].run_id}"
    return Side(name, current.profile.n, adapter, since, until)


def _reference_side(reference: Reference | None, config: ReportConfig) -> Side | None:
    if reference is None:
        return None
    return Side(
        reference.name,
        reference.profile.n,
        config.adapter,
        reference.since,
        reference.until,
        reference.runs,
    )


def _volume(current: Counted, runs: Sequence[RunRecord], expected: Interval | None) -> Volume:
    if not runs:
        return Volume(current.profile.n, current.empty, expected=expected)
    return Volume(
        rows=current.profile.n,
        empty=current.empty,
        scored=sum(run.scored for run in runs),
        reused=sum(run.reused for run in runs),
        seconds=sum(run.seconds for run in runs),
        expected=expected,
    )


def _about_rows(current: Counted, config: ReportConfig) -> list[str]:
    found = []
    if current.undated and config.date_column:
        found.append(
            f"{current.undated:,} rows have no date in {config.date_column} that can be read; "
            "a window by date leaves them out."
        )
    if len(current.adapters) > 1:
        rows = ", ".join(f"{name}: {count:,}" for name, count in current.adapters.items())
        found.append(f"{len(current.adapters)} adapters judged these rows ({rows}).")
    return found
