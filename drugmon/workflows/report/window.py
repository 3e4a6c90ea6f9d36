"""Which rows a report judges: dates and times as people write them, and the rows of a run."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from drugmon.data.history.runs import RunRecord
from drugmon.errors import UsageError

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
LAST_RUN: Final = "last"


@dataclass(frozen=True)
class Window:
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


def find_window(
    since: str | None,
    until: str | None,
    last: str | None,
    run: str | None,
    now: datetime,
    runs: Sequence[RunRecord],
    *,
    by_scoring: bool = True,
) -> Window:
    """Read the options of the window.

    Args:
        since: the first day or time.
        until: the first day or time behind the window.
        last: the window's length up to `now`.
        run: the id of a run, or `last`.
        now: where `last` ends.
        runs: the known runs of the source, oldest first.
        by_scoring: whether rows are dated by the time of their scoring.

    Raises:
        UsageError: they exclude each other, are no times, or there is no such run.
    """
    if sum((run is not None, last is not None, since is not None or until is not None)) > 1:
        raise UsageError("--run, --last and --since/--until exclude each other; give one of them")
    if run is not None:
        return Window(runs=find_run(run, runs))
    if last is not None:
        return Window(since=now - _length(last), by_scoring=by_scoring)
    start, end = _moment(since, "--since"), _moment(until, "--until")
    if start is not None and end is not None and start >= end:
        raise UsageError(f"--since {since} is not before --until {until}")
    return Window(since=start, until=end, by_scoring=by_scoring)


def find_run(run: str, runs: Sequence[RunRecord]) -> tuple[RunRecord, ...]:
    """The records of the run with this id, or of the newest one where it is `last`.

    Raises:
        UsageError: the history has no such run of the source.
    """
    ids = list(dict.fromkeys(record.run_id for record in runs))
    wanted = ids[-1] if run == LAST_RUN and ids else run
    found = tuple(record for record in runs if record.run_id == wanted)
    if not found:
        known = f"the newest ones are {', '.join(ids[-3:])}" if ids else "it knows of none"
        raise UsageError(f"--run {run}: the history has no such run of this source; {known}")
    return found


def runs_of_window(
    window: Window,
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
    runs: Sequence[RunRecord], window: Window, of_window: Collection[str], count: int
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


def _within(record: RunRecord, window: Window) -> bool:
    """Whether the run was at work in a window of time, even if none of its rows is left."""
    if not window.by_scoring or (window.since is None and window.until is None):
        return False
    after = window.since is None or record.finished_at >= window.since
    return after and (window.until is None or record.started_at < window.until)


def _length(last: str) -> timedelta:
    match = re.fullmatch(r"(\d+)\s*([hdw])", last.strip().lower())
    if not match or not int(match[1]):
        raise UsageError(f"--last {last}: give a number of hours, days or weeks: 36h, 7d, 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _moment(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{option} {text}: no date; write 2026-11-24 or 2026-11-24T03:00+01:00"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
