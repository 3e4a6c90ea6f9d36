"""The index of all reports: how each source's numbers moved over its nights, and their pages."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

from drugmon.data.history.output import Output
from drugmon.data.history.records import ReportRecord
from drugmon.data.verdicts.atomic import make_folder, replacing
from drugmon.monitoring.checks.summary import Status
from drugmon.reports.attempts import Attempt
from drugmon.reports.pages import environment
from drugmon.reports.plots.trend_charts import AbsentNight, TrendSection, trend_sections
from drugmon.reports.timeline import Entry, NightOutcome, interval, timeline
from drugmon.version import __version__

INDEX: Final = "index.html"
RECENT: Final = 60
"""Nights whose outcomes are drawn side by side."""

SHOWN: Final = 7
"""Nights that the table shows; the others are folded away."""


@dataclass(frozen=True)
class SourceTrends:
    """All nights of one source, the newest first, with what changed over them.

    `judges` are the adapters of its reports with the first night of each, the newest first; one
    that came back is there again.

    `strip` is what the newest nights came to, oldest first, one item a night; `due` is when the
    next night should begin, None where that is not known; `age` is that of the newest attempt.
    """

    source: str
    judges: tuple[tuple[str, datetime], ...]
    nights: tuple[Entry, ...]
    strip: tuple[tuple[datetime, NightOutcome], ...]
    sections: tuple[TrendSection, ...]
    due: datetime | None
    age: str

    @property
    def latest(self) -> Entry:
        """The newest night, whatever became of it."""
        return self.nights[0]

    @property
    def latest_report(self) -> Entry | None:
        """The newest night that has a report, where that is not the newest night."""
        reported = (night for night in self.nights if night.rows is not None)
        newest = next(reported, None)
        return None if newest is self.latest else newest

    @property
    def tally(self) -> Sequence[tuple[NightOutcome, int]]:
        """How many of the nights of the strip came to what."""
        counts = Counter(outcome for _, outcome in self.strip)
        return [(outcome, counts[outcome]) for outcome in NightOutcome if counts[outcome]]

    @property
    def held(self) -> int:
        """How many attempts there were."""
        return sum(night.outcome is not NightOutcome.MISSING for night in self.nights)


def write_index(
    nights: Sequence[ReportRecord],
    folder: Path,
    attempts: Sequence[Attempt] = (),
    now: datetime | None = None,
) -> None:
    """Write `folder/index.html`, whole or not at all.

    Args:
        nights: the reports of all sources, in any order; a page is linked where it lies in
            `folder`.
        folder: the folder of all reports.
        attempts: what jobs attempted, in any order.
        now: by which ages and missing nights go; None for the clock's.

    Raises:
        SinkError: the folder cannot be written.
    """
    make_folder(folder)
    with replacing(folder / INDEX) as path:
        path.write_text(render_index(nights, folder, attempts, now), encoding="utf-8")


def render_index(
    nights: Sequence[ReportRecord],
    folder: Path,
    attempts: Sequence[Attempt] = (),
    now: datetime | None = None,
) -> str:
    """The index as an HTML document, to be written as UTF-8; arguments as of `write_index`.

    Args:
        nights: the reports, oldest first.
        folder: of all reports, which links are relative to.
        attempts: the nights, whether they ended or not.
        now: to tell what is late by; None for the clock.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    by_title = _by_title(nights)
    attempted = _titles_of(attempts, by_title)
    sources = [
        _trends(
            title,
            timeline(by_title.get(title, ()), attempted.get(title, ()), now),
            now,
        )
        for title in sorted({*by_title, *attempted})
    ]
    template = environment().get_template("trends.html")
    return template.render(
        sources=sources,
        worst=_worst([source.latest.outcome for source in sources]),
        recent=RECENT,
        shown=SHOWN,
        now=now,
        version=__version__,
        is_there=lambda page: page is not None and (folder / page / INDEX).is_file(),
    )


def _by_title(nights: Sequence[ReportRecord]) -> dict[str, list[ReportRecord]]:
    """The nights of every source; what is called alike gets its folder into its title."""
    outputs: dict[str, set[Output]] = {}
    for night in nights:
        of_source = outputs.setdefault(night.source, set())
        if night.output is not None:
            of_source.add(night.output)
    by_title: dict[str, list[ReportRecord]] = {}
    for night in nights:
        by_title.setdefault(_title(night, outputs[night.source]), []).append(night)
    return by_title


def _title(night: ReportRecord, called_alike: Iterable[Output]) -> str:
    folders = {output: output.path.parent.name for output in called_alike}
    if len(folders) < 2:
        return night.source
    if night.output is None:
        return f"{night.source}, from before its folder was noted"
    if len(set(folders.values())) == len(folders):
        return f"{night.source} in {folders[night.output]}"
    return f"{night.source}: {night.output}"


def _titles_of(
    attempts: Sequence[Attempt], by_title: Mapping[str, Sequence[ReportRecord]]
) -> dict[str, list[Attempt]]:
    """The attempts by the title of their source: that of the pages which its job has made of it."""
    of_page = {night.page: title for title, nights in by_title.items() for night in nights}
    of_job = {
        (attempt.job, attempt.source): of_page[attempt.page]
        for attempt in attempts
        if attempt.page in of_page
    }
    titled: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        title = of_job.get((attempt.job, attempt.source), attempt.source)
        titled.setdefault(title, []).append(attempt)
    return titled


def ago(age: timedelta) -> str:
    """Write an age in its largest unit: "2 hours", "3 days"."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        number = int(age.total_seconds() // length)
        # "1 day" could be nearly two.
        if number >= 2 or (number and unit != "day"):
            return f"{number} {unit}{'s' if number > 1 else ''}"
    return "less than a minute"


def _worst(outcomes: Sequence[NightOutcome]) -> NightOutcome | None:
    ranked = sorted(outcomes, key=lambda outcome: list(Status).index(outcome.tone))
    return ranked[-1] if ranked else None


def _trends(source: str, entries: Sequence[Entry], now: datetime) -> SourceTrends:
    reports = [entry.report for entry in entries if entry.report is not None]
    drawn = [entry.report or AbsentNight(entry.when) for entry in entries]
    attempted = [entry for entry in entries if entry.outcome is not NightOutcome.MISSING]
    every, newest = interval(entries), attempted[-1]
    of_job = next((entry for entry in reversed(attempted) if entry.every), newest)
    return SourceTrends(
        source=source,
        judges=tuple(_judges(reports)),
        nights=tuple(reversed(entries)),
        strip=tuple(_strip(entries)[-RECENT:]),
        sections=trend_sections(drawn) if reports else (),
        due=_due(of_job.began, every, now) if every else None,
        age=ago(max(now - newest.began, timedelta())),
    )


def _judges(reports: Sequence[ReportRecord]) -> list[tuple[str, datetime]]:
    runs = groupby(reports, key=lambda report: report.adapter)
    first = [(adapter, next(nights).created_at.astimezone(UTC)) for adapter, nights in runs]
    return first[::-1]


def _due(began: datetime, every: timedelta, now: datetime) -> datetime:
    """When the first night after `now` should begin."""
    return began + max(1, math.floor((now - began) / every) + 1) * every


def _strip(entries: Sequence[Entry]) -> list[tuple[datetime, NightOutcome]]:
    """One item a night: those that did not run one by one."""
    strip = []
    for entry in entries:
        step = ((entry.until or entry.when) - entry.when) / max(entry.nights - 1, 1)
        nights = min(entry.nights, RECENT)
        strip += [(entry.when + number * step, entry.outcome) for number in range(nights)]
    return strip
