"""What a nightly job remembers of its last night: which rows a report still owes, and where a
killed night stood.

A source's window opens when a night begins and stays open until the source was reported and the
day is over: a killed night's rows come into the report of the next start, and a second run on one
day reports the day again instead of nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from drugmon.data.verdicts.atomic import replacing
from drugmon.errors import SettingsError
from drugmon.monitoring.checks.summary import Status


@dataclass(frozen=True)
class Window:
    """Which rows of a source are to be reported, and the report that did so.

    Attributes:
        day: the night's local date, ISO 8601.
        since: rows scored from then on are meant, ISO 8601; None for all rows.
        page: the report's page; None as long as there is none.
        status: what the report came to.
        rows: how many reviews it judges.
    """

    day: str
    since: str | None
    page: str | None = None
    status: str | None = None
    rows: int | None = None


class NightState:
    """The state file of a job; every change of it is on the disk before the method returns.

    Args:
        path: the file; its folder exists. `unfinished` then tells when a killed night began, if
            one did.
        now: when this night begins, with a time zone.
        names: the sources of the job.

    Raises:
        SettingsError: the file is damaged.
        SinkError: it cannot be written.
    """

    def __init__(self, path: Path, now: datetime, names: tuple[str, ...]) -> None:
        self._path, self._day = path, now.astimezone().date().isoformat()
        earlier = _read(path)
        self.unfinished: str | None = None if earlier["finished"] else earlier["began"]
        self._began = self.unfinished or now.isoformat(timespec="seconds")
        self._windows = {name: self._open(earlier["windows"].get(name), now) for name in names}
        self._write(finished=False)

    def since(self, name: str) -> str | None:
        """When the rows that a report of this source has to cover begin."""
        return self._windows[name].since

    def reported(self, name: str) -> tuple[Path, Status, int | None] | None:
        """Page, status and rows of the report that a killed night made of this source today."""
        window = self._windows[name]
        if not self.unfinished or window.page is None:
            return None
        return Path(window.page), Status(window.status or Status.UNJUDGED), window.rows

    def report(self, name: str, page: Path, status: Status, rows: int) -> None:
        """Keep that a source was reported."""
        window = self._windows[name]
        self._windows[name] = replace(window, page=str(page), status=status, rows=rows)
        self._write(finished=False)

    def finish(self) -> None:
        """Keep that the night has ended, well or not: the next start is a new one."""
        self._write(finished=True)

    def _open(self, earlier: Mapping[str, Any] | None, now: datetime) -> Window:
        if earlier is None:
            return Window(self._day, None)
        window = Window(**earlier)
        if window.day == self._day:
            # What a finished night of today reported is reported again.
            return window if self.unfinished else replace(window, page=None, status=None, rows=None)
        if window.page is None:
            return replace(window, day=self._day)
        return Window(self._day, now.isoformat())

    def _write(self, *, finished: bool) -> None:
        windows = {name: asdict(window) for name, window in self._windows.items()}
        whole = {"finished": finished, "began": self._began, "windows": windows}
        with replacing(self._path) as temporary:
            temporary.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"finished": True, "began": None, "windows": {}}
    try:
        whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for window in whole["windows"].values():
            Window(**window)
        return {name: whole[name] for name in ("finished", "began", "windows")}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(
            f"{path}: not what a night left behind; remove it, and the next report covers all rows"
        ) from error
