from __future__ import annotations

from dataclasses import replace

import pytest

from drugmon.monitoring.checks.measures import measure_of
from drugmon.monitoring.checks.summary import Check, Status
from drugmon.reports.plots.forest import SCALE, forest
from drugmon.statistics.figures import Interval

DISTANCE = Check(
    "drift",
    "drift.drugs",
    "Drugs",
    Status.PASS,
    "says",
    "Jensen-Shannon distance",
    Interval(0.1, 0.0, 0.3),
    warn_at=0.1,
    fail_at=0.2,
)


def test_effects_are_drawn_in_units_of_their_limit() -> None:
    (row,) = forest([DISTANCE]).rows
    assert row.mark
    assert (row.zero, row.warn, row.fail) == (SCALE.at(0), SCALE.at(0.5), SCALE.at(1))
    assert (row.mark.low, row.mark.at, row.mark.high) == (
        SCALE.at(0),
        SCALE.at(0.5),
        SCALE.at(1.5),
    )


@pytest.mark.parametrize(
    ("check_id", "value", "limits", "at"),
    [
        ("drift.texts", 0.5, (0.55, 0.6), 0.0),
        ("drift.texts", 0.6, (0.55, 0.6), 1.0),
        ("volume.rows", 1.0, (0.5, 0.25), 0.0),
        ("volume.rows", 0.25, (0.5, 0.25), 1.0),
        ("balance.overall", -0.08, (0.05, 0.08), 1.0),
        ("quality.overall", -0.02, (0.05, 0.08), -0.25),
    ],
)
def test_no_change_and_direction_go_by_the_checks_id(
    check_id: str, value: float, limits: tuple[float, float], at: float
) -> None:
    check = replace(
        DISTANCE,
        name=check_id,
        measure=measure_of(check_id),
        effect=Interval(value, value - 0.01, value + 0.01),
        warn_at=limits[0],
        fail_at=limits[1],
    )
    (row,) = forest([check]).rows
    assert row.mark
    assert row.mark.at == pytest.approx(SCALE.at(at), abs=0.01)
    assert row.mark.low <= row.mark.at <= row.mark.high
    assert row.warn is not None
    assert row.zero < row.warn < SCALE.at(1)


def test_the_worst_comes_first_and_among_equals_the_nearest_to_its_limit() -> None:
    near = replace(DISTANCE, name="near", effect=Interval(0.15, 0.1, 0.2))
    warned = replace(DISTANCE, name="warned", status=Status.WARN)
    failed = replace(DISTANCE, name="failed", status=Status.FAIL)
    rows = forest([DISTANCE, warned, near, failed]).rows
    assert [row.check.name for row in rows] == ["failed", "warned", "near", "drift.drugs"]


def test_what_was_not_judged_is_gathered_by_its_reason() -> None:
    few = [replace(DISTANCE, title=t, status=Status.UNJUDGED, says="Too few.") for t in "ab"]
    found = forest([*few, replace(few[0], title="c", says="No dates.")])
    assert found.rows == ()
    assert found.unjudged == {"Too few.": ("a", "b"), "No dates.": ("c",)}


@pytest.mark.parametrize(
    "changes",
    [
        {"effect": None},
        {"effect": Interval(None, None, None)},
        {"fail_at": None},
        {"fail_at": 0.0},
    ],
)
def test_without_effect_or_limit_nothing_is_drawn(changes: dict[str, object]) -> None:
    (row,) = forest([replace(DISTANCE, **changes)]).rows  # type: ignore[arg-type]
    assert row.mark is None
