from __future__ import annotations

import shlex

import pytest

from drugmon.data.condition import check_condition
from drugmon.monitoring.checks.rows import RowsPlace, between
from drugmon.wording import LIKE_TEXT

PLACE = RowsPlace(
    "data/my reviews.csv",
    prefix="dm_",
    options=("--delimiter", ";"),
    window=("--since", "2026-01-01", "--date-column", "day"),
    scored="(a OR b)",
    columns={"drug": "urlDrugName"},
)


def where_of(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("--where") + 1]


def test_a_label_that_moved_is_shown_by_its_probability() -> None:
    assert shlex.split(PLACE.of_check("balance.overall", "negative")) == [
        *("drugmon", "show", "data/my reviews.csv", "--prefix", "dm_", "--delimiter", ";"),
        *("--since", "2026-01-01", "--date-column", "day"),
        *("--where", "(a OR b) AND dm_overall_sentiment = 'negative'"),
        "--sort=-dm_overall_p_negative",
    ]


@pytest.mark.parametrize(
    ("check", "sort"),
    [
        ("quality.comments", "--sort=comments_confidence"),
        ("drift.probabilities.overall", "--sort=overall_confidence"),
        ("freshness.newest", "--sort=-drugmon_scored_at"),
        ("drift.texts", None),
    ],
)
def test_other_checks_are_shown_in_an_order_that_tells(check: str, sort: str | None) -> None:
    words = shlex.split(RowsPlace("r.csv", table="t").of_check(check, None))
    assert words == ["drugmon", "show", "r.csv", "--table", "t", *([sort] if sort else [])]


def test_a_slice_is_shown_by_its_column() -> None:
    command = PLACE.of_slice("drug", "st. john's wort", "benefits")
    assert command is not None
    assert where_of(command) == "(a OR b) AND dm_benefits_sentiment = 'negative'"
    words = shlex.split(command)
    assert words[words.index("--slice") + 1] == "urlDrugName=st. john's wort"
    assert PLACE.of_slice("drug", LIKE_TEXT, "benefits") is None
    assert PLACE.of_slice("country", "fr", "benefits") is None


def test_spans_are_a_condition_that_show_takes() -> None:
    moment = "2026-01-02T03:04:05+00:00"
    check_condition(between("dm_", [(moment, moment), (moment, moment)]))
