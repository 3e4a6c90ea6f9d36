from __future__ import annotations

import pytest

from drugmon.reports.pages import figure, file_names, number, p_value, points, prose, with_interval
from drugmon.statistics.figures import Interval

MINUS = "\N{MINUS SIGN}"


def test_there_is_no_negative_zero() -> None:
    assert figure(-0.0001) == "0.000"
    assert points(-0.0001) == "0"


def test_changes_have_their_sign() -> None:
    assert [points(change, 1) for change in (0.1234, -0.05, 0.0, None)] == [
        "+12.3",
        f"{MINUS}5.0",
        "0.0",
        "–",  # noqa: RUF001
    ]


def test_figures_of_any_size_are_short() -> None:
    assert [number(each) for each in (1240.0, 26.52, 0.0412, 3.0, -1.0, None)] == [
        "1,240",
        "26.5",
        "0.041",
        "3",
        f"{MINUS}1",
        "–",  # noqa: RUF001
    ]


def test_small_p_values_are_not_zero() -> None:
    assert p_value(0.0000001) == "<\N{NO-BREAK SPACE}0.001"
    assert p_value(0.0412) == "0.041"
    assert p_value(None) == "–"  # noqa: RUF001


@pytest.mark.parametrize(
    ("interval", "written"),
    [
        (Interval(0.22, 0.18, 0.26), "0.22 (0.18 to 0.26)"),
        (Interval(0.001, -0.002, 0.004), f"0.001 ({MINUS}0.002 to 0.004)"),
        (Interval(205.4, 160.2, 260.1), "205 (160 to 260)"),
        (Interval(0.5, 0.5, 0.5), "0.500"),
        (Interval(0.9951536777598649, 0.9951536777598649, 0.9951536777598646), "0.995"),
        (Interval(2.1, None, None), "2.1"),
        (Interval(None, None, None), "–"),  # noqa: RUF001
    ],
)
def test_an_interval_sets_the_decimals(interval: Interval, written: str) -> None:
    assert with_interval(interval) == written


@pytest.mark.parametrize(
    ("plain", "set_"),
    [
        ("-9 points (-19 to +1)", f"{MINUS}9 points ({MINUS}19 to +1)"),
        ("26 % to 41 %, n = 9, p < 0.001.", "26_% to 41_%, n_=_9, p_<_0.001."),
        ("run 2026-11-25, co-trimoxazole-5, 1 - 2", "run 2026-11-25, co-trimoxazole-5, 1 - 2"),
    ],
)
def test_sentences_are_set_for_reading(plain: str, set_: str) -> None:
    assert prose(plain) == set_.replace("_", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        (
            "/srv/a b/reviews.csv: is empty",
            '<span title="/srv/a">a</span> b/reviews.csv: is empty',
        ),
        (
            "was not scored: /srv/in/r.duckdb, table t: busy (see /srv/in/).",
            'was not scored: <span title="/srv/in/r.duckdb">r.duckdb</span>, table t: busy '
            '(see <span title="/srv/in/">in/</span>).',
        ),
        ("the log is /var/log/x.", 'the log is <span title="/var/log/x">x</span>.'),
        ("s3://bucket/a/b.csv and /tmp and 1/2/3", "s3://bucket/a/b.csv and /tmp and 1/2/3"),
        ("/a/<b>: a & b", '<span title="/a/&lt;b&gt;">&lt;b&gt;</span>: a &amp; b'),
    ],
)
def test_of_a_path_its_name_is_shown(sentence: str, shown: str) -> None:
    assert file_names(sentence) == shown
