"""Which rows a report judges: dates and times as people write them, and the rows of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
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

    `runs` are the records of one run, one for each of its outputs.
    """

    since: datetime | None = None
    until: datetime | None = None
    runs: tuple[RunRecord, ...] | None = None

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
) -> Window:
    """Read the options of the window; `runs` are the known ones of the source, oldest first.

    Raises:
        UsageError: they exclude each other, are no times, or there is no such run.
    """
    if sum((run is not None, last is not None, since is not None or until is not None)) > 1:
        raise UsageError("--run, --last and --since/--until exclude each other; give one of them")
    if run is not None:
        return Window(runs=find_run(run, runs))
    if last is not None:
        return Window(since=now - _length(last))
    start, end = _moment(since, "--since"), _moment(until, "--until")
    if start is not None and end is not None and start >= end:
        raise UsageError(f"--since {since} is not before --until {until}")
    return Window(since=start, until=end)


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


def runs_before(runs: Sequence[RunRecord], first: str | None, count: int) -> list[RunRecord]:
    """The records of the `count` runs before the run `first` (None: before none) that scored."""
    ids = list(dict.fromkeys(record.run_id for record in runs if record.scored))
    earlier = ids[: ids.index(first)] if first in ids else ids
    return [record for record in runs if record.run_id in earlier[-count:]]


def spans_of(runs: Sequence[RunRecord]) -> list[tuple[datetime, datetime]]:
    """When these runs were at work."""
    return [(record.started_at, record.finished_at) for record in runs]


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
