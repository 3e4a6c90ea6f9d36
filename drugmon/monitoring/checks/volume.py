"""Did the night run, and on how much: the age of the newest verdict, and the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np

from drugmon.monitoring.checks.findings import Finding, percent
from drugmon.monitoring.checks.gate import Gate, Limits
from drugmon.monitoring.checks.summary import Status
from drugmon.statistics.figures import Interval

CLOCKS_DIFFER: Final = 1.0
"""Hours by which verdicts may be dated after the report: two machines have two clocks."""

_SPREAD = 3 * 1.4826
"""Three standard deviations, as multiples of the median absolute deviation of a normal variable."""


def freshness(
    newest: datetime | None, now: datetime, gate: Gate, idle: datetime | None = None
) -> Finding:
    """How old the newest verdict is, or the newest run, which found nothing new to score.

    Args:
        newest: when the newest verdict was given; None where that is not known.
        now: the time to judge by.
        gate: the thresholds.
        idle: when the newest run ended, where it scored nothing; None where it did.
    """
    name, title = "freshness.newest", "Newest verdicts"
    moment = max(filter(None, (newest, idle)), default=None)
    if moment is None:
        return Finding(name, title, "There is no verdict whose time is known.", status=Status.FAIL)
    hours = (now - moment).total_seconds() / 3600
    if hours < -CLOCKS_DIFFER:
        says = (
            f"The newest verdicts are dated {moment:%Y-%m-%d %H:%M} UTC, {_ago(-hours)} after this "
            "report: a clock is wrong, or was when they were scored. How old they are is not known."
        )
        return Finding(name, title, says, status=Status.FAIL)
    hours = max(0.0, hours)
    limits = Limits(gate.freshness.warn, gate.freshness.fail)
    status = Status.PASS
    if hours >= limits.warn:
        status = Status.FAIL if hours >= limits.fail else Status.WARN
    return Finding(
        name,
        title,
        _newest_told(newest, moment, _ago(hours)),
        "hours since the newest verdicts or run",
        Interval(hours, None, None),
        limits=limits,
        status=status,
    )


def _newest_told(newest: datetime | None, moment: datetime, ago: str) -> str:
    if moment == newest:
        return f"The newest verdicts are from {moment:%Y-%m-%d %H:%M} UTC, {ago} ago."
    says = f"The newest run ended {moment:%Y-%m-%d %H:%M} UTC, {ago} ago, and had nothing to score"
    if newest is None:
        return f"{says}."
    return f"{says}: the newest verdicts are from {newest:%Y-%m-%d %H:%M} UTC."


def not_fresh(reason: str) -> Finding:
    """Freshness where a window of the past was asked for."""
    return Finding("freshness.newest", "Newest verdicts", reason)


def failures(sentences: Sequence[str]) -> list[Finding]:
    """What went wrong before the report, as failed checks."""
    return [
        Finding(f"freshness.run.{number}", "Scoring", sentence, status=Status.FAIL)
        for number, sentence in enumerate(sentences, 1)
    ]


def volume(rows: int, earlier: Sequence[int], gate: Gate) -> tuple[Finding, Interval | None]:
    """Rows against those of earlier reports of the source, and the range to expect.

    The range is the median, and three robust standard deviations of the logarithms about it.
    """
    name, title = "volume.rows", "Number of reviews"
    if not rows:
        return Finding(name, title, "There are no reviews.", status=Status.FAIL), None
    counts = [count for count in earlier if count > 0]
    if len(counts) < gate.volume.nights:
        says = (
            f"{_reviews(rows)}; to say how many are usual takes {gate.volume.nights} earlier "
            f"reports that had any (known: {len(counts)})."
        )
        return Finding(name, title, says), None
    logs = np.log(counts)
    median = float(np.median(logs))
    reach = max(float(np.log(1.25)), _SPREAD * float(np.median(np.abs(logs - median))))
    expected = Interval(*(float(np.exp(end)) for end in (median, median - reach, median + reach)))
    return _judged(rows, expected, gate), expected


def _reviews(rows: int) -> str:
    return f"{rows:,} review{'' if rows == 1 else 's'}"


def _judged(rows: int, expected: Interval, gate: Gate) -> Finding:
    usual, low, high = expected.value or 1.0, expected.low or 0.0, expected.high or 0.0
    share, limits = rows / usual, Limits(gate.volume.warn, gate.volume.fail)
    status = Status.PASS
    if not low <= rows <= high:
        if share <= limits.fail:
            status = Status.FAIL
        elif share <= limits.warn or share >= 1 / max(limits.warn, 1e-9):
            status = Status.WARN
    return Finding(
        "volume.rows",
        "Number of reviews",
        f"{_reviews(rows)}, {percent(share)} of the usual {usual:,.0f} "
        f"({low:,.0f} to {high:,.0f} are to be expected).",
        "share of the usual number of reviews",
        Interval(share, None, None),
        limits=limits,
        status=status,
    )


def _ago(hours: float) -> str:
    return f"{hours / 24:.0f} days" if hours >= 72 else f"{hours:.1f} hours"
