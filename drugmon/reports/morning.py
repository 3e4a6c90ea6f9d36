"""The morning page: one report as self-contained HTML that says first whether something is off."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

from markupsafe import Markup

from drugmon.data.verdicts.atomic import make_folder, replacing
from drugmon.labels import LABELS
from drugmon.monitoring.checks.summary import AREAS, Check, Status, Summary
from drugmon.reports.analysts.pages import AnalystPage, EvidentlyInput, write_analyst_pages
from drugmon.reports.change_rows import WHOLE_TICKS, mover_lists, slice_rows
from drugmon.reports.night_links import LINKS
from drugmon.reports.pages import environment
from drugmon.reports.plots.forest import SCALE, forest
from drugmon.reports.plots.histogram_plot import histogram_plots
from drugmon.reports.plots.quality_plot import quality_sections
from drugmon.reports.plots.share_bars import share_bars
from drugmon.statistics.reliability import NORMAL_975
from drugmon.version import __version__

PAGE: Final = "index.html"

MOST: Final = {"reasons": 6, "histograms": 8, "slices": 12}
"""What is not folded away."""

OFF: Final = frozenset({Status.FAIL, Status.WARN, Status.UNCLEAR})
"""Where a person wants to see the rows."""

QUESTIONS: Final = {
    "freshness": "Are these the newest reviews?",
    "volume": "Did as many reviews come as on other nights?",
    "balance": "Are the labels as common as in the reference?",
    "drift": "Do the reviews and their verdicts look like the reference?",
    "quality": "Are the verdicts as right as on held-out reviews?",
}
"""What each area asks."""


WriteAnalysts = Callable[[EvidentlyInput | None, Path, str], tuple[AnalystPage, ...]]


@dataclass(frozen=True)
class Area:
    """One area of the gate: its checks, the worst of them, and that in a few words."""

    name: str
    question: str
    watched: bool
    status: Status
    says: str
    checks: tuple[Check, ...]


def write_page(
    summary: Summary,
    folder: Path,
    evidently: EvidentlyInput | None = None,
    write_analysts: WriteAnalysts = write_analyst_pages,
) -> None:
    """Write `folder/index.html`, and evidently's pages beside it where `evidently` gives rows.

    Each file appears whole or not at all. Where evidently fails, the page says so and stands.

    Raises SinkError where the folder cannot be written.

    Args:
        summary: what the page tells.
        folder: of the page.
        evidently: rows for its pages; None for none of them.
        write_analysts: writes them, as `write_analyst_pages` does.
    """
    make_folder(folder)
    analysts = write_analysts(evidently, folder, _title(summary))
    with replacing(folder / PAGE) as path:
        path.write_text(render_page(summary, analysts), encoding="utf-8")


def render_page(summary: Summary, analysts: Sequence[AnalystPage] = ()) -> str:
    """The page as an HTML document, to be written as UTF-8."""
    areas = tuple(_area(name, summary) for name in AREAS)
    return (
        environment()
        .get_template("morning.html")
        .render(
            title=_title(summary),
            summary=summary,
            when=summary.created_at.astimezone(UTC),
            areas=areas,
            tally=_tally(summary),
            tested=any(c.p_adjusted is not None for a in areas if a.watched for c in a.checks),
            unwatched=[
                a for a in areas if not a.watched and a.status in (Status.WARN, Status.FAIL)
            ],
            reasons=summary.concerns,
            margin=_margin(summary),
            forests={area.name: forest(area.checks) for area in areas},
            scale=SCALE,
            balances=share_bars(summary.balance),
            histograms=histogram_plots(summary.distributions),
            most=MOST,
            movers=mover_lists(summary.movers),
            qualities=quality_sections(summary.quality),
            cautions=dict.fromkeys(q.caution for q in summary.quality if q.caution),
            slices=slice_rows(summary.slices),
            whole=WHOLE_TICKS,
            commands=_commands(summary),
            links=Markup(LINKS),
            left_out=[*summary.left_out, *filter(None, [summary.history_note])],
            analysts=analysts,
            labels=LABELS,
            version=__version__,
        )
    )


def _commands(summary: Summary) -> Mapping[object, str | None]:
    """What lists the rows behind what is off, by the name of a check or by a slice."""
    commands: dict[object, str | None] = defaultdict(lambda: None)
    if summary.place is None or not summary.current.n:
        return commands
    for slice_ in summary.slices:
        if slice_.status in OFF:
            key = (slice_.column, slice_.value, slice_.target)
            commands[key] = summary.place.of_slice(*key)
    for check in summary.checks:
        if check.status in OFF:
            commands[check.name] = summary.place.of_check(check.name, check.about)
    return commands


def _title(summary: Summary) -> str:
    when = summary.created_at.astimezone(UTC)
    return (
        f"{summary.status.words.upper()}: {summary.source}, {when:%Y-%m-%d}, run {summary.run_id}"
    )


def _area(name: str, summary: Summary) -> Area:
    checks = tuple(check for check in summary.checks if check.area == name)
    status = max((c.status for c in checks), key=list(Status).index, default=Status.UNJUDGED)
    return Area(
        name=name,
        question=QUESTIONS[name],
        watched=name in summary.watched,
        status=status,
        says=_in_words([check.status for check in checks]),
        checks=checks,
    )


def _in_words(statuses: Sequence[Status]) -> str:
    """Count in words, the worst first: "1 fails, 2 pass, 1 not judged"."""
    words = {
        Status.FAIL: ("fails", "fail"),
        Status.WARN: ("warns", "warn"),
        Status.UNCLEAR: ("is large but may be chance", "are large but may be chance"),
        Status.PASS: ("passes", "pass"),
        Status.UNJUDGED: ("not judged", "not judged"),
    }
    counts = {status: statuses.count(status) for status in words}
    said = [f"{n} {words[status][n > 1]}" for status, n in counts.items() if n]
    return ", ".join(said) or "nothing to check"


def _tally(summary: Summary) -> str:
    watched = [check.status for check in summary.checks if check.area in summary.watched]
    return _in_words(watched)


def _margin(summary: Summary) -> float | None:
    """Half the 95 % interval of the change of a share of one half, the widest there is.

    The normal approximation of a difference of two shares of `n` and `m` rows.
    """
    if summary.reference is None or not summary.current.n or not summary.reference.n:
        return None
    return NORMAL_975 * math.sqrt(0.25 / summary.current.n + 0.25 / summary.reference.n)
