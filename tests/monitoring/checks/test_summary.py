from __future__ import annotations

import pytest

from drugmon.monitoring.checks.summary import HELD_OUT, Side, Status, worst


@pytest.mark.parametrize(
    ("side", "told"),
    [
        (
            Side(f"{HELD_OUT} of minilm-druglib", 466, None),
            "466 held-out reviews of minilm-druglib",
        ),
        (Side("reviews.scored.csv", 3107, None), "3,107 reviews of reviews.scored.csv"),
        (Side("the 7 runs before", 1, None), "1 review of the 7 runs before"),
    ],
)
def test_a_side_is_told_as_one_says_it(side: Side, told: str) -> None:
    assert side.told == told


def test_what_was_not_judged_is_no_sign_of_trouble() -> None:
    assert worst([Status.UNJUDGED, Status.WARN, Status.PASS]) is Status.WARN
    assert worst([Status.UNJUDGED]) is Status.PASS
