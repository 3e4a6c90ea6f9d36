"""Which rows a report judges: dates and times as people write them, and the rows of a run."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from drugmon.data.history.records import RunRecord
from drugmon.data.verdicts.scored import FIRST_YEAR, LAST_YEAR
from drugmon.errors import UsageError

_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_MOST_HOURS: Final = 100 * 366 * 24
LAST_RUN: Final = "last"

AHEAD: Final = timedelta(days=1)
"""How far behind now a date may lie that is no mistake."""


@dataclass(frozen=True)
class ReportWindow:
    """Rows dated from `since` to before `until`, or scored by `runs`; all rows where all is None.

    `runs` are the records of one run, one for each of its outputs. `by_scoring` says that a row's
    date is the time of its scoring, and not a column of the source.
    """

    since: datetime | None = None
    until: datetime | None = None
    runs: tuple[RunRecord, ...] | None = None
    by_scoring: bool = True

    @property
    def everything(self) -> bool:
        """Whether no row is left out."""
        return self.since is None and self.until is None and self.runs is None

    @property
    def spans(self) -> list[tuple[datetime, datetime]] | None:
        """When the rows were scored; None for any time."""
        return None if self.runs is None else spans_of(self.runs)


@dataclass(frozen=True)
class Asked:
    """Which rows are asked for: those of a time, of the last `length`, of a run, or (none) all.

    The times have a zone. `run` is a run's id, or `last`.
    """

    since: datetime | None = None
    until: datetime | None = None
    length: timedelta | None = None
    run: str | None = None


def ask_window(since: str | None, until: str | None, last: str | None, run: str | None) -> Asked:
    """Read the options of the window.

    Args:
        since: the first day or time.
        until: the first day or time behind the window.
        last: the window's length up to now.
        run: the id of a run, or `last`.

    Raises:
        UsageError: they exclude each other, or are no times.
    """
    if sum((run is not None, last is not None, since is not None or until is not None)) > 1:
        raise UsageError("--run, --last and --since/--until exclude each other; give one of them")
    start, end = _moment(since, "--since"), _moment(until, "--until")
    if start is not None and end is not None and start >= end:
        raise UsageError(f"--since {since} is not before --until {until}")
    return Asked(start, end, None if last is None else parse_length(last), run)


def find_window(
    asked: Asked, now: datetime, runs: Sequence[RunRecord], *, by_scoring: bool
) -> ReportWindow:
    """The window that is asked for.

    Args:
        asked: the options.
        now: where a length ends.
        runs: the known runs of the source, oldest first.
        by_scoring: whether rows are dated by the time of their scoring.

    Raises:
        UsageError: there is no such run.
    """
    if asked.run is not None:
        return ReportWindow(runs=find_run(asked.run, runs))
    if asked.length is None:
        return ReportWindow(asked.since, asked.until, by_scoring=by_scoring)
    # What is dated by day is of tomorrow already in some places, and never of next year.
    until = None if by_scoring else now + AHEAD
    return ReportWindow(now - asked.length, until, by_scoring=by_scoring)


def find_run(run: str, runs: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """The records of the run with this id, or of the newest one where it is `last`.

    Raises:
        UsageError: the history has no such run of the source.
    """
    ids = list(dict.fromkeys(record.run_id for record in runs))
    wanted = ids[-1] if run == LAST_RUN and ids else run
    records = tuple(record for record in runs if record.run_id == wanted)
    if not records:
        newest = f"the newest ones are {', '.join(ids[-3:])}" if ids else "it knows of none"
        raise UsageError(f"--run {run}: the history has no such run of this source; {newest}")
    return records


def runs_of_window(
    window: ReportWindow,
    runs: Sequence[RunRecord],
    scored_at: Sequence[datetime],
    scored: Collection[str],
) -> frozenset[str]:
    """The ids of the runs of a window: those that scored some row of it, or were at work in it.

    Args:
        window: the window.
        runs: the known runs of the source.
        scored_at: when the window's rows were scored, in order.
        scored: ids of runs that the window is made for, whether their rows are in it or not.
    """
    named = {*scored, *(record.run_id for record in window.runs or ())}
    return frozenset(
        record.run_id
        for record in runs
        if record.run_id in named or _scored_some(record, scored_at) or _within(record, window)
    )


def runs_before(
    runs: Sequence[RunRecord], window: ReportWindow, of_window: Collection[str], count: int
) -> list[RunRecord]:
    """The records of the `count` newest runs that scored, before a window and apart from it.

    Args:
        runs: the known runs of the source, oldest first.
        window: the window.
        of_window: the ids of its runs, as `runs_of_window` gives them.
        count: how many runs; each may have several records.
    """
    places = [place for place, record in enumerate(runs) if record.run_id in of_window]
    if places:
        earlier = runs[: places[-1]]
    elif window.by_scoring:
        earlier = [run for run in runs if window.since and run.finished_at < window.since]
    else:
        earlier = runs
    ids = dict.fromkeys(
        record.run_id for record in earlier if record.scored and record.run_id not in of_window
    )
    newest = list(ids)[-count:]
    return [record for record in runs if record.run_id in newest]


def spans_of(runs: Sequence[RunRecord]) -> list[tuple[datetime, datetime]]:
    """When these runs were at work."""
    return [(record.started_at, record.finished_at) for record in runs]


def _scored_some(record: RunRecord, scored_at: Sequence[datetime]) -> bool:
    place = bisect_left(scored_at, record.started_at)
    return place < len(scored_at) and scored_at[place] <= record.finished_at


def _within(record: RunRecord, window: ReportWindow) -> bool:
    """Whether the run was at work in a window of time, even if none of its rows is left."""
    if not window.by_scoring or (window.since is None and window.until is None):
        return False
    after = window.since is None or record.finished_at >= window.since
    return after and (window.until is None or record.started_at < window.until)


def parse_length(text: str) -> timedelta:
    """Read the length of a window, such as `36h`, `7d` or `2w`.

    Raises:
        UsageError: it is none, or more than a century.
    """
    match = re.fullmatch(r"([0-9]{1,9})\s*([hdw])", text.strip().lower())
    if match is None or not int(match[1]):
        raise UsageError(f"--last {text}: give a number of hours, days or weeks: 36h, 7d, 2w")
    hours = int(match[1]) * _HOURS[match[2]]
    if hours > _MOST_HOURS:
        raise UsageError(f"--last {text}: is longer than a century; leave it out for all rows")
    return timedelta(hours=hours)


def _moment(text: str | None, option: str) -> datetime | None:
    """The first moment of a day, a month or a time as ISO 8601 has them."""
    if text is None:
        return None
    written = text.strip()
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}", written):
        written += "-01"
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise UsageError(
            f"{option} {text}: no date; write 2026-11-24 or 2026-11-24T03:00+01:00"
        ) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise UsageError(f"{option} {text}: give a year from {FIRST_YEAR} to {LAST_YEAR}")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
