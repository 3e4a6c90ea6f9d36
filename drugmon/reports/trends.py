"""The index of all reports: how each source's numbers moved over its nights, and their pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from drugmon import __version__
from drugmon.data.verdicts.atomic import replacing
from drugmon.monitoring.checks.summary import Status
from drugmon.reports.pages import environment
from drugmon.reports.plots.trend_charts import TrendSection, trend_sections

INDEX: Final = "index.html"
RECENT: Final = 60
"""Nights whose verdicts are drawn side by side."""

SHOWN: Final = 7
"""Nights that the table shows; the others are folded away."""

Night = Mapping[str, Any]
"""One report of the history, as `drugmon.data.history.histories.read_nights` gives it."""


@dataclass(frozen=True)
class NightRow:
    """One night in the table; `page` is None where the page is no longer there."""

    when: datetime
    status: Status
    rows: int
    reasons: tuple[str, ...]
    run_id: str
    page: str | None


@dataclass(frozen=True)
class SourceTrends:
    """All nights of one source, the newest first, with what changed over them."""

    source: str
    adapter: str
    nights: tuple[NightRow, ...]
    tally: tuple[tuple[Status, int], ...]
    sections: tuple[TrendSection, ...]

    @property
    def latest(self) -> NightRow:
        """The newest night."""
        return self.nights[0]


def write_index(nights: Sequence[Night], folder: Path) -> None:
    """Write `folder/index.html`, whole or not at all.

    `nights` are in any order. A night's page is linked where it lies in `folder`.

    Raises SinkError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / INDEX) as path:
        path.write_text(render_index(nights, folder), encoding="utf-8")


def render_index(nights: Sequence[Night], folder: Path) -> str:
    """The index as an HTML document, to be written as UTF-8."""
    by_source: dict[str, list[Night]] = {}
    for night in sorted(nights, key=lambda night: night["created_at"]):
        by_source.setdefault(night["source"], []).append(night)
    return (
        environment()
        .get_template("trends.html")
        .render(
            sources=[_trends(source, own, folder) for source, own in sorted(by_source.items())],
            recent=RECENT,
            shown=SHOWN,
            version=__version__,
        )
    )


def _trends(source: str, nights: Sequence[Night], folder: Path) -> SourceTrends:
    rows = tuple(_row(night, folder) for night in reversed(nights))
    tally = ((status, sum(row.status is status for row in rows[:RECENT])) for status in Status)
    return SourceTrends(
        source=source,
        adapter=nights[-1]["adapter"],
        nights=rows,
        tally=tuple((status, number) for status, number in tally if number),
        sections=trend_sections(nights),
    )


def _row(night: Night, folder: Path) -> NightRow:
    page = night["page"]
    return NightRow(
        when=night["created_at"].astimezone(UTC),
        status=Status(night["status"]),
        rows=night["rows"],
        reasons=tuple(night["reasons"]),
        run_id=night["report_id"],
        page=page if (folder / page / INDEX).is_file() else None,
    )
