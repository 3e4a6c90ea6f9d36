from __future__ import annotations

import pytest

from drugmon.monitoring.checks.findings import Finding, points, weigh
from drugmon.monitoring.checks.gate import Gate, Limits
from drugmon.monitoring.checks.summary import Status
from drugmon.statistics.figures import Interval


def finding(name: str, p_value: float | None, effect: float = 0.2) -> Finding:
    return Finding(
        f"drift.{name}",
        name,
        f"{name} moved.",
        "change",
        Interval(effect, None, None),
        p_value,
        Limits(0.05, 0.1),
    )


def test_sentences_tell_the_p_value_that_judged() -> None:
    found = weigh([finding("words", 0.01), finding("drugs", 0.02), finding("new", None)], Gate())
    assert [each.says for each in found] == [
        "words moved, p = 0.020.",
        "drugs moved, p = 0.020.",
        "new moved.",
    ]
    assert [each.p_adjusted for each in found[:2]] == pytest.approx([0.02, 0.02])
    assert weigh([finding("words", 1e-6)], Gate())[0].says == "words moved, p < 0.001."


def test_both_significance_and_size_are_needed_to_fail() -> None:
    alone = [finding("large", 0.001), finding("small", 0.001, 0.01), finding("chance", 0.5)]
    statuses = [each.status for each in weigh(alone, Gate())]
    assert statuses == [Status.FAIL, Status.PASS, Status.PASS]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Interval(0.124, 0.05, 0.19), "+12 points (+5 to +19)"),
        (Interval(-0.001, -0.031, 0.004), "0 points (-3 to 0)"),
        (Interval(0.1, None, None), "+10 points"),
        (Interval(None, None, None), "-"),
    ],
)
def test_points_are_signed_unless_they_round_to_nothing(change: Interval, said: str) -> None:
    assert points(change) == said
