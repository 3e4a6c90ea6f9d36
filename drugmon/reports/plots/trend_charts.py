"""The charts of the index: one small chart a number, all over the same nights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.checks.measures import measure_of
from drugmon.monitoring.checks.summary import AREAS, Status
from drugmon.reports.pages import number, percent, target_title
from drugmon.reports.plots.line_chart import Limit, LineChart, Series, line_chart
from drugmon.statistics.reliability import wilson

Night = Mapping[str, Any]

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


def absent_night(when: datetime) -> Night:
    """A night without numbers, at which every line breaks."""
    return {"created_at": when, "rows": None, "targets": {}, "checks": ()}


def trend_sections(nights: Sequence[Night]) -> tuple[TrendSection, ...]:
    """Lay out the charts of one source; `nights` are oldest first, and at least one."""
    checks = {area: _check_trends(area, nights) for area in AREAS}
    own = {
        "shares": list(_shares(nights)),
        "confidence": list(_confidences(nights)),
        "volume": [_volume(nights)],
        "quality": list(_qualities(nights)),
    }
    return tuple(
        TrendSection(
            key=key,
            title=title,
            trends=(*own.get(key, ()), *checks.get(key, ())[:OPEN]),
            folded=tuple(checks.get(key, ())[OPEN:]),
        )
        for key, title in TITLES.items()
        if own.get(key) or checks.get(key)
    )


def _shares(nights: Sequence[Night]) -> Iterator[Trend]:
    for target in _targets(nights):
        counts = [_of(night, target) for night in nights]
        if not any(counts):
            continue
        series = [_share_series(label, counts, nights) for label in LABELS]
        latest = ", ".join(
            f"{each.name} {percent(each.ys[-1])}" for each in series if each.ys[-1] is not None
        )
        yield _trend(target_title(target), latest, series, nights, write=percent, ceiling=1.0)


def _share_series(label: str, counts: Sequence[Night], nights: Sequence[Night]) -> Series:
    ys: list[float | None] = []
    ends: list[tuple[float | None, float | None]] = []
    for each in counts:
        n = sum(each[name] for name in LABELS) if each else 0
        ys.append(each[label] / n if n else None)
        ends.append(wilson(each[label], n) if n else (None, None))
    return Series(
        name=label,
        xs=_xs(nights),
        ys=ys,
        lows=[low for low, _ in ends],
        highs=[high for _, high in ends],
        titles=_titles(nights, [f"{label} {percent(y, 1)}" for y in ys]),
        style=label,
    )


def _confidences(nights: Sequence[Night]) -> Iterator[Trend]:
    for target in _targets(nights):
        ys = [_of(night, target).get("mean_confidence") for night in nights]
        if any(y is not None for y in ys):
            series = [
                Series("confidence", _xs(nights), ys, titles=_titles(nights, map(number, ys)))
            ]
            yield _trend(target_title(target), _last(ys), series, nights)


def _qualities(nights: Sequence[Night]) -> Iterator[Trend]:
    for target in _targets(nights):
        measured = [_of(night, target).get("macro_f1") for night in nights]
        estimated = [_of(night, target).get("estimated_macro_f1") for night in nights]
        series = [
            Series(name, _xs(nights), ys, titles=_titles(nights, map(number, ys)), style=style)
            for name, ys, style in (
                ("measured", measured, "current"),
                ("estimate", estimated, "estimate"),
            )
            if any(y is not None for y in ys)
        ]
        if series:
            latest = ", ".join(f"{each.name} {_last(each.ys)}" for each in series)
            yield _trend(f"{target_title(target)}: macro-F1", latest, series, nights)


def _volume(nights: Sequence[Night]) -> Trend:
    ys = [None if night["rows"] is None else float(night["rows"]) for night in nights]
    series = [Series("reviews", _xs(nights), ys, titles=_titles(nights, map(number, ys)))]
    return _trend("Reviews", _last(ys), series, nights, floor=0.0, write=number)


def _check_trends(area: str, nights: Sequence[Night]) -> tuple[Trend, ...]:
    """Those of the checks of an area that have an effect, the most often off first."""
    found: dict[str, list[Night]] = {}
    for index, night in enumerate(nights):
        for check in night["checks"]:
            if check["area"] == area and check["effect"] is not None:
                own = found.setdefault(check["name"], [{} for _ in nights])
                own[index] = check
    ranked = sorted(found.values(), key=_times_off, reverse=True)
    return tuple(_check_trend(each, nights) for each in ranked)


def _times_off(checks: Sequence[Night]) -> tuple[int, int]:
    statuses = [check.get("status") for check in checks]
    return statuses.count(Status.FAIL), statuses.count(Status.WARN)


def _check_trend(checks: Sequence[Night], nights: Sequence[Night]) -> Trend:
    last = next(check for check in reversed(checks) if check)
    ys = [check.get("effect") for check in checks]
    statuses = [check.get("status") for check in checks]
    series = Series(
        name=last["name"],
        xs=_xs(nights),
        ys=ys,
        lows=[check.get("low") for check in checks],
        highs=[check.get("high") for check in checks],
        titles=_titles(
            nights, [f"{number(y)}, {status}" for y, status in zip(ys, statuses, strict=True)]
        ),
        marked=[status if status in ("warn", "fail") else "" for status in statuses],
        # The largest change is now of one label, now of another: these are no line.
        kinds=[check.get("statistic") for check in checks],
    )
    told = (
        f"{number(checks[-1]['effect'])} {last['statistic'] or ''}" if checks[-1] else "not judged"
    )
    status = Status(checks[-1]["status"]) if checks[-1] else None
    return _trend(
        last["title"], told.strip(), [series], nights, limits=_limits(last), status=status
    )


def _limits(check: Night) -> list[Limit]:
    """Where the gate warns and fails, on either side of no change where both are watched."""
    sides = (1.0, -1.0) if measure_of(check["name"]).two_sided else (1.0,)
    return [
        Limit(side * check[key], kind, f"{kind}s at {number(side * check[key])}")
        for key, kind in (("warn_at", "warn"), ("fail_at", "fail"))
        for side in sides
        if check[key] is not None
    ]


def _trend(
    title: str,
    latest: str,
    series: Sequence[Series],
    nights: Sequence[Night],
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


def _targets(nights: Sequence[Night]) -> tuple[str, ...]:
    known = {target for night in nights for target in night["targets"]}
    return tuple(target for target in reversed(TARGETS) if target in known)


def _of(night: Night, target: str) -> Night:
    found: Night = night["targets"].get(target, {})
    return found


def _xs(nights: Sequence[Night]) -> list[float]:
    return [night["created_at"].timestamp() for night in nights]


def _dates(nights: Sequence[Night], most: int = 3) -> list[tuple[float, str]]:
    """At most `most` nights, evenly chosen, to label the axis with."""
    count = min(most, len(nights))
    chosen = {round(i * (len(nights) - 1) / max(count - 1, 1)) for i in range(count)}
    years = {night["created_at"].year for night in nights}
    days = (nights[-1]["created_at"] - nights[0]["created_at"]).days
    form = "%b %Y" if len(years) > 1 else "%d %b" if days else "%H:%M"
    return [
        (
            nights[i]["created_at"].timestamp(),
            nights[i]["created_at"].astimezone(UTC).strftime(form),
        )
        for i in sorted(chosen)
    ]


def _titles(nights: Sequence[Night], says: Any) -> list[str]:
    return [
        f"{night['created_at'].astimezone(UTC):%Y-%m-%d}: {each}"
        for night, each in zip(nights, says, strict=True)
    ]


def _last(ys: Sequence[float | None]) -> str:
    return number(ys[-1])
