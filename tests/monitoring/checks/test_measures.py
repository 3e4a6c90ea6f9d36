from __future__ import annotations

import pytest

from drugmon.monitoring.checks.measures import Measure, Unit, measure_of


@pytest.mark.parametrize(
    ("check_id", "measure"),
    [
        ("drift.texts", Measure(Unit.AUC, no_change=0.5)),
        ("volume.rows", Measure(Unit.RATIO, no_change=1.0)),
        ("balance.overall", Measure(Unit.POINTS, two_sided=True)),
        ("balance.slices", Measure(Unit.POINTS, two_sided=True)),
        ("drift.repeats", Measure(Unit.POINTS)),
        ("drift.probabilities.side_effects", Measure(Unit.DISTANCE)),
        ("quality.comments", Measure(Unit.SCORE)),
        ("freshness.run.2", Measure(Unit.HOURS)),
        ("a.check.of.tomorrow", Measure(Unit.DISTANCE)),
    ],
)
def test_a_check_is_measured_by_its_id(check_id: str, measure: Measure) -> None:
    assert measure_of(check_id) == measure
