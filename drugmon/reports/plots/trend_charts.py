"""The charts of the index: one small chart a number, all over the same nights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from drugmon.data.history.records import ReportCheck, ReportTarget
from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.checks.measures import measure_of
from drugmon.monitoring.checks.summary import AREAS, Status
from drugmon.reports.pages import number, percent, target_title
from drugmon.reports.plots.line_chart import Limit, LineChart, Series, line_chart
from drugmon.statistics.reliability import wilson

OPEN: Final = 6
"""Charts of an area's checks that are not folded away."""

TITLES: Final = {
    "shares": "Shares of the labels",
    "confidence": "Mean confidence",
    "volume": "Volume",
    "balance": "Class balance: distance from the reference",
    "drift": "Drift",
    "quality": "Quality",
    "freshness": "Freshness",
}


@dataclass(frozen=True)
class Trend:
    """One number over the nights: `latest` in words, `status` of the newest judged night."""

    title: str
    latest: str
    status: Status | None
    chart: LineChart


@dataclass(frozen=True)
class TrendSection:
    """The charts about one subject; `folded` are those of checks that were never off."""

    key: str
    title: str
    trends: tuple[Trend, ...]
    folded: tuple[Trend, ...] = ()


class NightNumbers(Protocol):
    """What the charts take of a night: of a `ReportRecord`, or of an `AbsentNight`."""

    @property
    def created_at(self) -> datetime:
        """When it was, with a time zone."""

    @property
    def rows(self) -> int | None:
        """The reviews judged; None where there was no report."""

    @property
    def targets(self) -> Mapping[str, ReportTarget]:
        """What was found, by target."""

    @property
    def checks(self) -> Sequence[ReportCheck]:
        """What was judged."""


@dataclass(frozen=True)
class AbsentNight:
    """A night without numbers, at which every line breaks."""

    created_at: datetime
    rows: None = None
    targets: Mapping[str, ReportTarget] = field(default_factory=dict)
    checks: Sequence[ReportCheck] = ()


def trend_sections(nights: Sequence[NightNumbers]) -> tuple[TrendSection, ...]:
    """Lay out the charts of one source; `nights` are oldest first, and at least one."""
    checks = {area: _check_trends(area, nights) for area in AREAS}
    trends = {
        "shares": list(_shares(nights)),
        "confidence": list(_confidences(nights)),
        "volume": [_volume(nights)],
        "quality": list(_qualities(nights)),
    }
    return tuple(
        TrendSection(
            key=key,
            title=title,
            trends=(*trends.get(key, ()), *checks.get(key, ())[:OPEN]),
            folded=tuple(checks.get(key, ())[OPEN:]),
        )
        for key, title in TITLES.items()
        if trends.get(key) or checks.get(key)
    )


def _shares(nights: Sequence[NightNumbers]) -> Iterator[Trend]:
    for target in _targets(nights):
        counts = [night.targets.get(target) for night in nights]
        series = [_share_series(label, counts, nights) for label in LABELS]
        latest = ", ".join(
            f"{line.name} {percent(line.ys[-1])}" for line in series if line.ys[-1] is not None
        )
        yield _trend(target_title(target), latest, series, nights, write=percent, ceiling=1.0)


def _share_series(
    label: str, counts: Sequence[ReportTarget | None], nights: Sequence[NightNumbers]
) -> Series:
    ys: list[float | None] = []
    ends: list[tuple[float | None, float | None]] = []
    for target in counts:
        with_label = getattr(target, label) if target else 0
        n = sum(getattr(target, name) for name in LABELS) if target else 0
        ys.append(with_label / n if n else None)
        ends.append(wilson(with_label, n) if n else (None, None))
    return Series(
        name=label,
        xs=_xs(nights),
        ys=ys,
        lows=[low for low, _ in ends],
        highs=[high for _, high in ends],
        titles=_titles(nights, [f"{label} {percent(y, 1)}" for y in ys]),
        style=label,
    )


def _confidences(nights: Sequence[NightNumbers]) -> Iterator[Trend]:
    for target in _targets(nights):
        ys = _figures(nights, target, "mean_confidence")
        if any(y is not None for y in ys):
            series = [
                Series("confidence", _xs(nights), ys, titles=_titles(nights, map(number, ys)))
            ]
            yield _trend(target_title(target), _last(ys), series, nights)


def _qualities(nights: Sequence[NightNumbers]) -> Iterator[Trend]:
    for target in _targets(nights):
        measured = _figures(nights, target, "macro_f1")
        estimated = _figures(nights, target, "estimated_macro_f1")
        series = [
            Series(name, _xs(nights), ys, titles=_titles(nights, map(number, ys)), style=style)
            for name, ys, style in (
                ("measured", measured, "current"),
                ("estimate", estimated, "estimate"),
            )
            if any(y is not None for y in ys)
        ]
        if series:
            latest = ", ".join(f"{line.name} {_last(line.ys)}" for line in series)
            yield _trend(f"{target_title(target)}: macro-F1", latest, series, nights)


def _volume(nights: Sequence[NightNumbers]) -> Trend:
    ys = [None if night.rows is None else float(night.rows) for night in nights]
    series = [Series("reviews", _xs(nights), ys, titles=_titles(nights, map(number, ys)))]
    return _trend("Reviews", _last(ys), series, nights, floor=0.0, write=number)


def _check_trends(area: str, nights: Sequence[NightNumbers]) -> tuple[Trend, ...]:
    """Those of the checks of an area that have an effect, the most often off first."""
    by_name: dict[str, list[ReportCheck | None]] = {}
    for index, night in enumerate(nights):
        for check in night.checks:
            if check.area == area and check.effect is not None:
                by_name.setdefault(check.name, [None] * len(nights))[index] = check
    ranked = sorted(by_name.values(), key=_times_off, reverse=True)
    return tuple(_check_trend(checks, nights) for checks in ranked)


def _times_off(checks: Sequence[ReportCheck | None]) -> tuple[int, int]:
    statuses = [check.status if check else None for check in checks]
    return statuses.count(Status.FAIL), statuses.count(Status.WARN)


def _check_trend(checks: Sequence[ReportCheck | None], nights: Sequence[NightNumbers]) -> Trend:
    last = next(check for check in reversed(checks) if check)
    ys = [check.effect if check else None for check in checks]
    statuses = [check.status if check else None for check in checks]
    series = Series(
        name=last.name,
        xs=_xs(nights),
        ys=ys,
        lows=[check.low if check else None for check in checks],
        highs=[check.high if check else None for check in checks],
        titles=_titles(
            nights, [f"{number(y)}, {status}" for y, status in zip(ys, statuses, strict=True)]
        ),
        marked=[status if status in ("warn", "fail") else "" for status in statuses],
        # The largest change is now of one label, now of another: these are no line.
        kinds=[check.statistic if check else None for check in checks],
    )
    newest = checks[-1]
    told = f"{number(newest.effect)} {last.statistic or ''}" if newest else "not judged"
    status = Status(newest.status) if newest else None
    return _trend(last.title, told.strip(), [series], nights, limits=_limits(last), status=status)


def _limits(check: ReportCheck) -> list[Limit]:
    """Where the gate warns and fails, on either side of no change where both are watched."""
    sides = (1.0, -1.0) if measure_of(check.name).two_sided else (1.0,)
    return [
        Limit(side * limit, kind, f"{kind}s at {number(side * limit)}")
        for limit, kind in ((check.warn_at, "warn"), (check.fail_at, "fail"))
        for side in sides
        if limit is not None
    ]


def _trend(
    title: str,
    latest: str,
    series: Sequence[Series],
    nights: Sequence[NightNumbers],
    *,
    limits: Sequence[Limit] = (),
    status: Status | None = None,
    floor: float | None = None,
    ceiling: float | None = None,
    write: Callable[[float], str] | None = None,
) -> Trend:
    chart = line_chart(
        series, _dates(nights), limits=limits, floor=floor, ceiling=ceiling, write=write
    )
    return Trend(title, latest, status, chart)


def _targets(nights: Sequence[NightNumbers]) -> tuple[str, ...]:
    """Those that got a label on any night: of aspects that a source lacks there are no charts."""
    labelled = {
        name
        for night in nights
        for name, target in night.targets.items()
        if any(getattr(target, label) for label in LABELS)
    }
    return tuple(target for target in reversed(TARGETS) if target in labelled)


def _figures(nights: Sequence[NightNumbers], target: str, name: str) -> list[float | None]:
    """One of the figures of a target, night by night; None where there is none."""
    return [getattr(night.targets.get(target), name, None) for night in nights]


def _xs(nights: Sequence[NightNumbers]) -> list[float]:
    return [night.created_at.timestamp() for night in nights]


def _dates(nights: Sequence[NightNumbers], most: int = 3) -> list[tuple[float, str]]:
    """At most `most` nights, evenly chosen, to label the axis with."""
    count = min(most, len(nights))
    chosen = {round(i * (len(nights) - 1) / max(count - 1, 1)) for i in range(count)}
    years = {night.created_at.year for night in nights}
    days = (nights[-1].created_at - nights[0].created_at).days
    form = "%b %Y" if len(years) > 1 else "%d %b" if days else "%H:%M"
    return [
        (
            nights[i].created_at.timestamp(),
            nights[i].created_at.astimezone(UTC).strftime(form),
        )
        for i in sorted(chosen)
    ]


def _titles(nights: Sequence[NightNumbers], says: Iterable[str]) -> list[str]:
    return [
        f"{night.created_at.astimezone(UTC):%Y-%m-%d}: {said}"
        for night, said in zip(nights, says, strict=True)
    ]


def _last(ys: Sequence[float | None]) -> str:
    return number(ys[-1])
