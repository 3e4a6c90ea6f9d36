from __future__ import annotations

import pytest

from drugmon.monitoring.checks.summary import AREAS, HELD_OUT, Check, Side, Status, verdict, worst


@pytest.mark.parametrize(
    ("side", "told"),
    [
        (
            Side(f"{HELD_OUT} of minilm-druglib", 466, None, held_out=True),
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
    assert worst([Status.UNJUDGED]) is Status.UNJUDGED
    assert worst([]) is Status.UNJUDGED


@pytest.mark.parametrize(
    ("statuses", "watched", "status"),
    [
        ({"freshness": "pass", "volume": "unjudged", "drift": "unjudged"}, AREAS, "unjudged"),
        ({"freshness": "pass", "volume": "pass", "drift": "unjudged"}, AREAS, "unjudged"),
        ({"freshness": "pass", "volume": "fail", "drift": "unjudged"}, AREAS, "fail"),
        ({"freshness": "pass", "drift": "unjudged", "balance": "pass"}, AREAS, "pass"),
        ({"freshness": "pass", "drift": "unjudged"}, ("freshness",), "pass"),
        ({"freshness": "pass", "drift": "pass"}, (), "unjudged"),
        ({"freshness": "pass", "drift": "pass", "quality": "unjudged"}, ("quality",), "unjudged"),
    ],
)
def test_a_night_of_which_no_verdict_could_be_judged_does_not_pass(
    statuses: dict[str, str], watched: tuple[str, ...], status: str
) -> None:
    checks = [Check(area, area, area, Status(each), "") for area, each in statuses.items()]
    assert verdict(checks, watched) is Status(status)
