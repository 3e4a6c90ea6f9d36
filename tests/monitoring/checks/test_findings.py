from __future__ import annotations

import pytest

from drugmon.monitoring.checks.findings import Finding, moved, weigh
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
    large, small, chance = weigh(alone, Gate())
    assert (large.status, small.status) == (Status.FAIL, Status.PASS)
    assert chance.status is Status.UNCLEAR
    assert chance.says == "chance moved, p = 0.500: large, but may be chance."


def test_only_what_falls_and_rises_alike_is_off_below_no_change() -> None:
    """A macro-F1 that rose by .2 is a drop of -.2: no reason to ask for more reviews."""
    found = [
        Finding(name, name, "It moved.", "change", Interval(-0.2, -0.3, -0.1), p, Limits(0.05, 0.1))
        for name, p in (("quality.overall", 1.0), ("balance.overall", 0.001))
    ]
    better, fewer = weigh(found, Gate())
    assert better.status is Status.PASS
    assert better.says == "It moved, p = 1.000."
    assert fewer.status is Status.FAIL


@pytest.mark.parametrize(
    ("before", "after", "change", "said"),
    [
        (0.65, 0.61, None, "65.0 % → 61.0 %: -4.0 points"),
        # With one digit it would be 73.5 % → 64.6 %: -8.8 points.
        (0.7346, 0.6465, Interval(-0.0881, -0.19, 0.003), "73.46 % → 64.65 %: -8.81 points"),
        (0.6506, 0.6051, Interval(-0.0455, -0.09, -0.001), "65.1 % → 60.5 %: -4.6 points"),
        (0.1, 0.1004, None, "10.0 % → 10.0 %: 0 points"),
        (0.0, 0.3, Interval(0.3, 0.2, None), "0.0 % → 30.0 %: +30.0 points"),
        (0.1, 0.224, Interval(0.124, 0.05, 0.1), "10.0 % → 22.4 %: +12.4 points (+5.0 to +10.0)"),
    ],
)
def test_what_is_shown_adds_up(
    before: float, after: float, change: Interval | None, said: str
) -> None:
    assert moved(before, after, change).startswith(said)
    first, _, rest = moved(before, after, change).partition(" % → ")
    second, _, rest = rest.partition(" %: ")
    assert float(second) - float(first) == pytest.approx(float(rest.partition(" ")[0]))
