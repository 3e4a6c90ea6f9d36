"""What a nightly job remembers of its last night: which rows a report still owes, and where a
killed night stood.

A source's window opens when the last report of it was made, so that what is scored between two
nights is in the next report, and stays open until the source was scored and reported and the day is
over: a killed night's rows come into the report of the next start, and a second run on one day
reports the day again instead of nothing. What a failed scoring has finished comes into the output
later, with the time at which it was scored, which may lie before the report of that night.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import msgspec

from drugmon.data.verdicts.atomic import replacing, sink_errors
from drugmon.data.verdicts.scored import FIRST_YEAR, LAST_YEAR
from drugmon.errors import SettingsError
from drugmon.monitoring.checks.summary import Status
from drugmon.workflows.report.folder import page_of


@dataclass(frozen=True)
class NightWindow:
    """Which rows of a source are to be reported, and the report that did so.

    Attributes:
        day: the night's local date, ISO 8601.
        since: rows scored from then on are meant, ISO 8601; None for all rows.
        output: what the source's scoring writes.
        report_id: the report's; None before its making has begun.
        page: its page; None as long as there is none.
        status: what the report came to.
        rows: how many reviews it judges.
        reported: when it was made, ISO 8601; it has what was scored before.
        whole: whether the source was scored before without a failure.
    """

    day: str
    since: str | None
    output: str | None = None
    report_id: str | None = None
    page: str | None = None
    status: Status | None = None
    rows: int | None = None
    reported: str | None = None
    whole: bool = True


@dataclass(frozen=True)
class Watched:
    """A source of a job: what its scoring writes, in one line, and the folder of its reports."""

    output: str
    out: Path


@dataclass(frozen=True)
class _State:
    """The file: whether the night ended, when it began, and the windows by source."""

    finished: bool
    began: str | None
    windows: dict[str, NightWindow]


class NightState:
    """The state file of a job; every change of it is on the disk before the method returns.

    Args:
        path: the file; its folder exists. `unfinished` then tells when a killed night began, if
            one did, and `set_aside` where an odd file went, if it was none that a night leaves.
        now: when this night begins, with a time zone.
        sources: those of the job, by name. A report whose page lies in the folder was made, even
            if the night was cut off before that could be kept here; a name that is now given to
            something else begins anew. What the file has of others stays in it.

    Raises:
        SettingsError: the file is there and cannot be read.
        SinkError: it cannot be written.
    """

    def __init__(self, path: Path, now: datetime, sources: Mapping[str, Watched]) -> None:
        self._path, self._day = path, now.astimezone().date().isoformat()
        self.set_aside: Path | None = None
        earlier = self._earlier(now)
        self.unfinished: str | None = None if earlier.finished else earlier.began
        self._began = self.unfinished or now.isoformat(timespec="seconds")
        # Of a source that the settings leave out for a while, or another job that keeps its state
        # here, the window stays as it was.
        self._windows = dict(earlier.windows)
        for name, source in sources.items():
            self._windows[name] = self._open(earlier.windows.get(name), now, source)
        self._write(finished=False)

    def since(self, name: str) -> str | None:
        """When the rows that a report of this source has to cover begin."""
        return self._windows[name].since

    def reported(self, name: str) -> tuple[Path, Status, int | None] | None:
        """Page, status and rows of the report that a killed night made of this source today."""
        window = self._windows[name]
        if not self.unfinished or window.page is None or not window.whole:
            return None
        return Path(window.page), window.status or Status.UNJUDGED, window.rows

    def begin_report(self, name: str, *, whole: bool) -> str:
        """Keep that a source is being reported, and return the id of its report.

        Args:
            name: of the source.
            whole: whether it was scored without a failure.
        """
        report_id = uuid.uuid4().hex[:12]
        self._windows[name] = replace(self._windows[name], report_id=report_id, whole=whole)
        self._write(finished=False)
        return report_id

    def report(self, name: str, page: Path, status: Status, rows: int, reported: datetime) -> None:
        """Keep that a source was reported.

        Args:
            name: of the source.
            page: its page.
            status: what the report came to.
            rows: how many reviews it judges.
            reported: when it was made, with a time zone: before it read the source.
        """
        self._windows[name] = replace(
            self._windows[name],
            page=str(page),
            status=status,
            rows=rows,
            reported=reported.isoformat(),
        )
        self._write(finished=False)

    def finish(self) -> None:
        """Keep that the night has ended, well or not: the next start is a new one."""
        self._write(finished=True)

    def _earlier(self, now: datetime) -> _State:
        """What the last night left; what no night leaves is set aside, as nothing goes by it."""
        try:
            return _read(self._path)
        except OSError as error:
            raise SettingsError(f"{self._path}: cannot be read ({error.strerror})") from error
        except ValueError:
            aside = f"{self._path.name}.damaged-{now:%Y%m%dT%H%M%S}-{os.getpid()}"
            with sink_errors(self._path):
                self.set_aside = self._path.rename(self._path.with_name(aside))
        return _State(finished=True, began=None, windows={})

    def _open(self, earlier: NightWindow | None, now: datetime, source: Watched) -> NightWindow:
        if earlier is None or (earlier.output or source.output) != source.output:
            return NightWindow(self._day, None, source.output)
        window = _with_page(replace(earlier, output=source.output), source.out)
        if window.day == self._day:
            # What a finished night of today reported is reported again.
            return (
                window if self.unfinished else NightWindow(window.day, window.since, window.output)
            )
        if window.page is None or not window.whole:
            return NightWindow(self._day, window.since, window.output)
        # A clock that was ahead must not leave out what is scored until it is that late again.
        reported = datetime.fromisoformat(window.reported) if window.reported else now
        return NightWindow(self._day, min(reported, now).isoformat(), source.output)

    def _write(self, *, finished: bool) -> None:
        state = _State(finished=finished, began=self._began, windows=self._windows)
        with replacing(self._path) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")


def _with_page(window: NightWindow, out: Path) -> NightWindow:
    """The window with the page of its report, where that was made and not kept."""
    if window.page is not None or window.report_id is None:
        return window
    record = page_of(out, window.report_id)
    if record is None:
        return window
    page = out / record.page / "index.html"
    return replace(
        window,
        page=str(page),
        status=Status(record.status),
        rows=record.rows,
        reported=record.created_at.isoformat(),
    )


def _read(path: Path) -> _State:
    """What the last night left.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is there, and no night left it.
    """
    if not path.exists():
        return _State(finished=True, began=None, windows={})
    try:
        state = msgspec.json.decode(path.read_bytes(), type=_State)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    windows = state.windows.values()
    for moment in (
        state.began,
        *(m for window in windows for m in (window.since, window.reported)),
    ):
        if moment is not None:
            _check_moment(moment)
    for window in windows:
        date.fromisoformat(window.day)
        if (window.rows or 0) < 0 or "\0" in (window.page or ""):
            raise ValueError("its rows or its page cannot be")
    if not state.finished and state.began is None:
        raise ValueError("a night that did not end began at no time")
    return state


def _check_moment(text: str) -> None:
    """Raises ValueError where it is no time with a zone within the years that a report knows."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not FIRST_YEAR < moment.year < LAST_YEAR:
        raise ValueError("a time without a zone, or of another age")
