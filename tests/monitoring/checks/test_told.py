from __future__ import annotations

import pytest

from drugmon.monitoring.checks.measures import measure_of
from drugmon.monitoring.checks.summary import Check, Status
from drugmon.monitoring.checks.told import told_effect, told_limit
from drugmon.statistics.figures import Interval


def check(check_id: str, effect: tuple[float, float | None, float | None]) -> Check:
    area = check_id.partition(".")[0]
    return Check(
        area,
        check_id,
        "title",
        Status.PASS,
        "says",
        effect=Interval(*effect),
        warn_at=0.05,
        fail_at=0.08,
        measure=measure_of(check_id),
    )


@pytest.mark.parametrize(
    ("check_id", "effect", "told"),
    [
        ("balance.overall", (-0.04, -0.09, 0.01), "-4.0 points (-9.0 to +1.0)"),
        ("balance.overall", (0.04996, 0.0, 0.1), "+4.996 points (0.000 to +10.000)"),
        ("balance.overall", (-0.04996, -0.1, 0.0), "-4.996 points (-10.000 to 0.000)"),
        ("balance.overall", (0.05, 0.01, 0.09), "+5.0 points (+1.0 to +9.0)"),
        ("balance.slices", (0.0, 0.0, 0.0), "0.0 points"),
        ("drift.lengths", (0.0496, 0.02, 0.3), "0.0496 (0.0200 to 0.3000)"),
        ("drift.texts", (0.63, 0.59, 0.67), "0.63 (0.59 to 0.67)"),
        ("freshness.newest", (2.13, None, None), "2.1"),
        ("quality.overall", (-0.002, -0.08, 0.08), "0.00 (-0.08 to 0.08)"),
    ],
)
def test_an_effect_is_told_in_its_unit_and_never_looks_like_a_limit_that_it_is_not(
    check_id: str, effect: tuple[float, float | None, float | None], told: str
) -> None:
    assert told_effect(check(check_id, effect)) == told


def test_limits_are_told_in_the_unit_of_the_effect() -> None:
    shares, distance = check("balance.overall", (0, 0, 0)), check("drift.lengths", (0, 0, 0))
    assert told_limit(shares, 0.05) == "5 points"
    assert told_limit(distance, 0.12) == "0.12"
    assert told_limit(distance, None) == ""
