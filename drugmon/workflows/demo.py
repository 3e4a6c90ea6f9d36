"""Demo: a month of nights of invented reviews, scored and reported, in a folder of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from drugmon.config import DEMO_NIGHTS, ModelOptions
from drugmon.data.demo import Day, demo_days, demo_reviews
from drugmon.data.verdicts.atomic import make_folder, move_into_place, sink_errors
from drugmon.errors import SinkError
from drugmon.monitoring.checks.summary import Status
from drugmon.workflows.configs import DemoConfig
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import ReportResult, report
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.run import ScoreProgress
from drugmon.workflows.score.score import score

_NIGHTS_FILE: Final = "invented-reviews"
_REFERENCE_FILE: Final = "invented-reference"
_REPORTS: Final = "reports"
_NAME: Final = "invented reviews (drugmon demo)"
_MARK: Final = "README.txt"
_SAYS: Final = """drugmon demo: {nights} nights of invented reviews

No person wrote these reviews, and no drug did what they say. They are there to show what drugmon's
reports look like; {reports}/index.html is the page to open.
"""
_REPORTED_AT: Final = time(3, 15, tzinfo=UTC)


@dataclass(frozen=True)
class DemoResult:
    """The page to open, and how many nights came to which status; none where it was there."""

    index: Path
    statuses: tuple[Status, ...]


def demo(
    config: DemoConfig,
    *,
    last: date,
    on_progress: Callable[[ScoreProgress], None] = lambda _progress: None,
    on_night: Callable[[int, int], None] = lambda _done, _total: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> DemoResult:
    """Write the demo, whole or not at all; a demo that is there already is left as it is.

    Args:
        config: where, and how much.
        last: the day of the newest reviews.
        on_progress: called after every batch that is scored.
        on_night: called after every night: so many of so many are reported.
        warn: told of what the user should know although the demo goes on.

    Raises:
        SinkError: the folder holds something else, or cannot be written.
    """
    folder = config.folder
    if _is_demo(folder):
        return DemoResult(folder / _REPORTS / "index.html", ())
    aside = folder.with_name(f".{folder.name}.drugmon-demo.tmp")
    with sink_errors(folder):
        shutil.rmtree(aside, ignore_errors=True)
        make_folder(aside)
        try:
            days = demo_days(last)
            nights = [day for day in days if day.night > DEMO_NIGHTS - config.nights]
            reference = [day for day in days if day.night <= 0]
            for name, of in ((_REFERENCE_FILE, reference), (_NIGHTS_FILE, nights)):
                path = aside / f"{name}.parquet"
                pq.write_table(demo_reviews(of), path)
                scoring = ScoreConfig(str(path), ModelOptions(config.adapter), engine=config.engine)
                score(scoring, on_progress=on_progress, warn=warn)
            statuses = []
            for done, day in enumerate(nights, start=1):
                result = _report(aside, day, config.adapter, warn)
                statuses.append(result.summary.status)
                on_night(done, len(nights))
            text = _SAYS.format(nights=len(nights), reports=_REPORTS)
            (aside / _MARK).write_text(text, encoding="utf-8")
            move_into_place(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return DemoResult(folder / _REPORTS / "index.html", tuple(statuses))


def _report(folder: Path, day: Day, adapter: str, warn: Callable[[str], None]) -> ReportResult:
    """The report of one day's reviews, as if it had been made in the night after it."""
    next_day = day.date + timedelta(days=1)
    return report(
        report_config(
            str(folder / f"{_NIGHTS_FILE}.scored.parquet"),
            adapter=adapter,
            reference=str(folder / f"{_REFERENCE_FILE}.scored.parquet"),
            since=day.date.isoformat(),
            until=next_day.isoformat(),
            date_column="date",
            out=folder / _REPORTS,
            name=_NAME,
            now=datetime.combine(next_day, _REPORTED_AT),
            # evidently takes longer than all the rest: the page of the newest night has it.
            evidently=day.night == DEMO_NIGHTS,
        ),
        warn=warn,
    )


def _is_demo(folder: Path) -> bool:
    """Whether the demo is there already.

    Raises:
        SinkError: something else is.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    mark = folder / _MARK
    if mark.is_file() and mark.read_text(encoding="utf-8").startswith("drugmon demo: "):
        return True
    raise SinkError(f"{folder}: exists and is no demo of drugmon's; name another folder")
