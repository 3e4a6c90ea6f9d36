"""The nights of one source in the order of time: reports, attempts without one, missing nights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise, zip_longest
from statistics import median_low
from typing import Final

from drugmon.data.history.records import ReportRecord
from drugmon.monitoring.checks.summary import Status
from drugmon.reports.attempts import Attempt

_LATE: Final = 1.5
"""A night is missing where the next one comes later than so many times the usual interval."""

_REGULAR_GAPS: Final = 5
_REGULAR_SHARE: Final = 0.8
_REGULAR_SPREAD: Final = 0.25
_SAME_NIGHT: Final = timedelta(hours=12)


class NightOutcome(StrEnum):
    """What became of a night: the status of its report, or why there is none."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNJUDGED = "unjudged"
    UNCLEAR = "unclear"
    BASELINE = "baseline taken"
    NO_REPORT = "no report"
    NOT_ENDED = "not ended"
    MISSING = "did not run"

    @property
    def tone(self) -> Status:
        """How it is coloured."""
        if self in (NightOutcome.NO_REPORT, NightOutcome.MISSING):
            return Status.FAIL
        return (
            Status.UNJUDGED
            if self in (NightOutcome.NOT_ENDED, NightOutcome.BASELINE)
            else Status(self)
        )

    @classmethod
    def of(cls, status: str) -> NightOutcome:
        """The outcome of a report that came to `status`."""
        return cls(Status(status).words)


@dataclass(frozen=True)
class Entry:
    """One night of a source, or several in a row that did not run.

    Attributes:
        when: when its report was made, else when it began, or should have begun; in UTC.
        outcome: what became of it.
        began: when it began, as far as that is known.
        rows: the reviews that were judged; None without a report.
        reasons: sentences on why the outcome is no pass.
        page: the report's folder within the folder of all reports.
        report: what the history keeps of the report; None where it has none.
        every: the job's interval; None where no job made it.
        nights: how many nights that did not run it stands for; 1 for all others.
        until: the last of those.
    """

    when: datetime
    outcome: NightOutcome
    began: datetime
    rows: int | None = None
    reasons: tuple[str, ...] = ()
    page: str | None = None
    report: ReportRecord | None = None
    every: timedelta | None = None
    nights: int = 1
    until: datetime | None = None


def timeline(
    reports: Iterable[ReportRecord], attempts: Iterable[Attempt], now: datetime
) -> list[Entry]:
    """Return the nights of one source, oldest first.

    Args:
        reports: what the history keeps of its reports, in any order.
        attempts: the attempts of its job, in any order.
        now: up to when nights may be missing.
    """
    entries = {report.page: _of_report(report) for report in reports}
    others = []
    for attempt in attempts:
        entry = entries.get(attempt.page) if attempt.page is not None else None
        if entry is not None and attempt.page is not None:
            entries[attempt.page] = _with_attempt(entry, attempt)
        else:
            others.append(_of_attempt(attempt))
    return _with_missing(sorted([*entries.values(), *others], key=lambda entry: entry.when), now)


def interval(entries: Sequence[Entry]) -> timedelta | None:
    """From one night to the next: what the newest job says, else what the nights themselves show.

    None where they follow no rule.
    """
    said = [entry.every for entry in entries if entry.every is not None]
    if said:
        return said[-1]
    gaps = [later.began - earlier.began for earlier, later in pairwise(entries)]
    gaps = [gap for gap in gaps if gap > _SAME_NIGHT]
    if len(gaps) < _REGULAR_GAPS:
        return None
    usual = median_low(gaps)
    near = sum(abs(gap - usual) <= usual * _REGULAR_SPREAD for gap in gaps)
    return usual if near >= _REGULAR_SHARE * len(gaps) else None


def _of_report(report: ReportRecord) -> Entry:
    when = report.created_at.astimezone(UTC)
    return Entry(
        when,
        NightOutcome.of(report.status),
        when,
        rows=report.rows,
        reasons=tuple(report.reasons),
        page=report.page,
        report=report,
    )


def _with_attempt(entry: Entry, attempt: Attempt) -> Entry:
    failures = tuple(failure for failure in attempt.failures if failure not in entry.reasons)
    every = timedelta(hours=attempt.every_hours)
    # A night that was cut off and gone on with has one report: its first start counts.
    began = min(entry.began, attempt.began) if entry.every else attempt.began
    return replace(entry, began=began, every=every, reasons=(*failures, *entry.reasons))


def _of_attempt(attempt: Attempt) -> Entry:
    reasons = attempt.failures
    if attempt.status is not None:
        outcome = NightOutcome.of(attempt.status)
    elif attempt.ended is not None:
        outcome = NightOutcome.NO_REPORT
    else:
        outcome = NightOutcome.NOT_ENDED
        reasons = ("It began, and has not ended: it is at work, or it was killed.",)
    return Entry(
        attempt.began,
        outcome,
        attempt.began,
        rows=attempt.rows,
        reasons=reasons,
        page=attempt.page,
        every=timedelta(hours=attempt.every_hours),
    )


def _with_missing(entries: Sequence[Entry], now: datetime) -> list[Entry]:
    """The entries, and the nights that are missing between them and up to `now`.

    Once a job makes the nights, what somebody reports by hand is none of them, and cannot stand in
    for one that did not run.
    """
    first = next((n for n, entry in enumerate(entries) if entry.every), len(entries))
    before = entries[:first]
    nights = [*before, *(entry for entry in entries[first:] if entry.every)]
    usual = interval(before)
    complete = list(entries)
    for entry, later in zip_longest(nights, nights[1:]):
        every = (later.every if later and entry.every else None) or entry.every or usual
        if every is not None:
            complete += _missing(entry, later.began if later else now, every)
    return sorted(complete, key=lambda entry: entry.when)


def _missing(entry: Entry, until: datetime, every: timedelta) -> list[Entry]:
    gap = until - entry.began
    nights = round(gap / every) - 1 if gap > every * _LATE else 0
    if nights < 1:
        return []
    first, last = entry.began + every, entry.began + nights * every
    reason = (
        f"No attempt is known of {first:%Y-%m-%d %H:%M} UTC."
        if nights == 1
        else f"No attempt is known of {nights} nights, "
        f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, all about {first:%H:%M} UTC."
    )
    return [
        Entry(
            first,
            NightOutcome.MISSING,
            first,
            reasons=(reason,),
            every=entry.every,
            nights=nights,
            until=last,
        )
    ]
