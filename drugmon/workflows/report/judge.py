"""Judging: window, sides, comparison, summary."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime

from drugmon.data.history.output import Output
from drugmon.data.verdicts.scored import Scored
from drugmon.grading import Grading
from drugmon.labels import ASPECTS
from drugmon.models.adapters.manifest import first_identity
from drugmon.monitoring.checks.compare import Comparison, compare
from drugmon.monitoring.checks.findings import Finding
from drugmon.monitoring.checks.summary import Side, Summary, Volume, verdict
from drugmon.monitoring.checks.volume import failures, freshness, not_fresh, volume
from drugmon.monitoring.profiles.reference import Profile
from drugmon.statistics.figures import Interval
from drugmon.workflows.report.config import OfAdapter, ReportConfig
from drugmon.workflows.report.place import place_of
from drugmon.workflows.report.references import Found, Missing, find_reference
from drugmon.workflows.report.sides import CurrentSide, OpenSource, find_current
from drugmon.workflows.report.window import LAST_RUN, Asked


@dataclass(frozen=True)
class Judged:
    """A summary, and the rows of both sides that it is of; `profile` is the reference's."""

    summary: Summary
    rows: Scored
    reference_rows: Scored | None
    grading: Grading
    profile: Profile | None


def judge(
    config: ReportConfig, source: OpenSource, now: datetime, on_progress: Callable[[str], None]
) -> Judged:
    """Find the judged rows and what they are compared with, compare them, and sum it up.

    Args:
        config: what, against what, by which thresholds.
        source: where the rows are.
        now: the time to judge by, with a zone.
        on_progress: told what is being done, a few words at a time.

    Raises:
        DrugmonError: any expected failure.
    """
    current = find_current(config, source, now, on_progress)
    on_progress("counting the reference")
    reference = find_reference(config, source, current)
    on_progress("comparing")
    return _summarised(config, source, now, current, reference)


def _summarised(
    config: ReportConfig,
    source: OpenSource,
    now: datetime,
    current: CurrentSide,
    reference: Found | Missing,
) -> Judged:
    name, gate = _name(config, current.rows, source.output), config.gate
    side, rows = (
        (reference.reference, reference.rows) if isinstance(reference, Found) else (None, None)
    )
    earlier = _earlier_rows(source, name)
    volume_finding, expected = volume(current.counted.profile.n, earlier, gate)
    before = [
        *failures(config.scoring.failures),
        _freshness(config, source, current, now),
        volume_finding,
    ]
    aspects = _aspects(config, current)
    is_baseline = isinstance(reference, Missing) and reference.baseline
    # A baseline is not held against the reviews that the adapter was tried on.
    held_out = {} if is_baseline else current.held_out
    compared = compare(
        current.counted, side, gate, aspects=aspects, held_out=held_out, before=before
    )
    summary = Summary(
        run_id=config.report_id or uuid.uuid4().hex[:12],
        created_at=now,
        source=name,
        adapter=current.identity,
        status=verdict(compared.checks, gate.fail_on, baseline=is_baseline),
        watched=gate.fail_on,
        alpha=gate.alpha,
        min_reviews=gate.min_reviews,
        current=_current_side(current, now),
        reference=_reference_side(reference, current, config)
        if isinstance(reference, Found)
        else None,
        volume=_volume(current, expected),
        checks=compared.checks,
        balance=compared.balance,
        distributions=compared.distributions,
        movers=compared.movers,
        quality=compared.quality,
        slices=compared.slices,
        slices_withheld=compared.slices_withheld,
        left_out=tuple(_left_out(config, source, current, reference, compared)),
        scored_runs=tuple(
            dict.fromkeys([*(run.run_id for run in current.runs), *config.scoring.runs])
        ),
        history_note=source.past.note,
        place=place_of(config, current),
    )
    return Judged(summary, current.rows, rows, current.grading, side.profile if side else None)


def _name(config: ReportConfig, rows: Scored, output: Output) -> str:
    if config.pages.name is not None:
        return config.pages.name
    return rows.name if output.table is None else output.name


def _earlier_rows(source: OpenSource, name: str) -> list[int]:
    """Rows of earlier reports of the source that is called `name`."""
    subjects: set[tuple[str, Output | None]] = {(name, source.output)}
    if source.output.table is None:
        subjects.add((name, None))  # earlier versions of drugmon did not keep what was judged
    return [report.rows for report in source.past.reports if report.subject in subjects]


def _aspects(config: ReportConfig, current: CurrentSide) -> list[str]:
    """Those whose texts are compared; an adapter's reference has all, whatever the source has."""
    from_rows = not isinstance(config.reference, OfAdapter)
    empty = not current.counted.profile.n
    return [name for name in ASPECTS if from_rows or empty or name in current.rows.has]


def _freshness(
    config: ReportConfig, source: OpenSource, current: CurrentSide, now: datetime
) -> Finding:
    if _is_past(config.window, source, now):
        return not_fresh("A window of the past was asked for: its age is no fault.")
    newest = current.counted.newest
    last = max(current.runs, key=lambda run: run.finished_at, default=None)
    if last is None:
        return freshness(newest, now, config.gate)
    if not last.scored and (newest is None or newest < last.started_at):
        return freshness(newest, now, config.gate, idle=last.finished_at)
    ended = last.finished_at
    return freshness(ended if newest is None else max(newest, ended), now, config.gate)


def _is_past(asked: Asked, source: OpenSource, now: datetime) -> bool:
    """Whether the window is over; one that ends in days to come is not."""
    if asked.until is not None:
        return asked.until <= now
    runs = source.past.runs
    return asked.run not in (None, LAST_RUN, runs[-1].run_id if runs else None)


def _current_side(current: CurrentSide, now: datetime) -> Side:
    window, counted = current.window, current.counted
    name = current.rows.name
    if window.runs:
        name = f"{name}, run {window.runs[0].run_id}"
    return Side(
        name,
        counted.profile.n,
        next(iter(counted.adapters), None),
        window.since or counted.since,
        window.until if window.until and window.until <= now else counted.until,
    )


def _reference_side(found: Found, current: CurrentSide, config: ReportConfig) -> Side:
    reference = found.reference
    adapter = config.adapter if reference.held_out_only else _judge(found, current)
    return Side(
        reference.name,
        reference.profile.n,
        adapter,
        reference.since,
        reference.until,
        reference.runs,
        held_out=reference.held_out_only,
    )


def _judge(found: Found, current: CurrentSide) -> str | None:
    """Who judged the reference, where that was one; what judged the rows of now goes before."""
    adapters = current.counted.adapters
    if adapters and adapters.keys() <= found.judges:
        return next(iter(adapters))
    alone = {first_identity(judge) for judge in found.judges}
    return alone.pop() if len(alone) == 1 else None


def _volume(current: CurrentSide, expected: Interval | None) -> Volume:
    counted, runs = current.counted, current.runs
    if not runs:
        return Volume(counted.profile.n, counted.empty, expected=expected)
    return Volume(
        rows=counted.profile.n,
        empty=counted.empty,
        scored=sum(run.scored for run in runs),
        reused=sum(run.reused for run in runs),
        seconds=sum(run.seconds for run in runs),
        expected=expected,
    )


def _left_out(
    config: ReportConfig,
    source: OpenSource,
    current: CurrentSide,
    reference: Found | Missing,
    compared: Comparison,
) -> Iterator[str]:
    """Sentences on what could not be compared, and why."""
    counted, date_column = current.counted, config.source.date_column
    if current.lacks_adapter:
        yield current.lacks_adapter
    if isinstance(reference, Missing):
        yield f"Nothing is compared: {reference.why}."
        if reference.baseline:
            yield "Baseline taken: the next reports of this source compare with these reviews."
    yield from counted.about_grades
    if unscored := source.all_rows.unscored:
        yield f"{unscored:,} rows are not scored yet, and not judged: run drugmon score."
    if undated := source.all_rows.undated():
        yield (
            f"{undated:,} rows have no date in {date_column} that can be read; "
            "a window by date leaves them out."
        )
    if current.ahead:
        yield (
            f"{current.ahead:,} rows are dated more than a day ahead in {date_column}: a window "
            "that ends now leaves them out."
        )
    if len(counted.adapters) > 1:
        yield _judges(counted.adapters)
    if isinstance(reference, Found) and (others := counted.adapters.keys() - reference.judges):
        yield from _not_alike(others, reference.judges)
    yield from compared.left_out


def _judges(adapters: Mapping[str, int]) -> str:
    """A sentence on who judged how many rows, from several identities."""
    rows = ", ".join(f"{name}: {count:,}" for name, count in adapters.items())
    alone = {first_identity(name) for name in adapters}
    if len(alone) == 1 and len(adapters.keys() - alone) == 1:
        return f"A cascade judged these rows ({rows})."
    if len(alone) == 1:
        return f"{len(adapters.keys() - alone)} cascades judged these rows ({rows})."
    return f"{len(adapters)} adapters judged these rows ({rows})."


def _not_alike(judges: Set[str], of_reference: Set[str]) -> Iterator[str]:
    """A sentence where what judged these rows, or some of them, judged none of the reference."""
    if of_reference:
        yield (
            f"The reference was judged by {', '.join(sorted(of_reference))}, and rows of these by "
            f"{', '.join(sorted(judges))}: what differs may be the adapter's doing, and not the "
            "reviews'."
        )
