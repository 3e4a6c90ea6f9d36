from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import drugmon.reports
from drugmon.reports.plots.charts import Scale, mark, stack, ticks
from drugmon.statistics.figures import Interval

TEMPLATES = Path(drugmon.reports.__file__).parent / "templates"
NONE = Interval(None, None, None)
figures = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 6))


def test_a_scale_goes_from_edge_to_edge() -> None:
    scale = Scale(10, 20)
    assert [scale.at(value) for value in (10, 12.5, 20, 5, 99)] == [0, 25, 100, 0, 100]
    assert Scale(10, 20, flipped=True).at(12.5) == 75


@given(figures, figures)
def test_ticks_are_few_rise_and_hold_both_ends(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert list(found) == sorted(set(found))
    assert 2 <= len(found) <= 7


def test_ticks_are_round() -> None:
    assert ticks(0, 1) == (0, 0.25, 0.5, 0.75, 1)
    assert ticks(0.03, 0.41) == (0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert ticks(3, 3) == (3, 4)


def test_a_mark_says_where_its_interval_leaves_the_scale() -> None:
    inside, beyond = Interval(0.5, 0.4, 0.6), Interval(0.5, -0.1, 1.2)
    found = mark(inside, Scale(0, 1))
    assert found
    assert (found.low, found.at, found.high, found.cut_low, found.cut_high) == (
        40,
        50,
        60,
        False,
        False,
    )
    cut = mark(beyond, Scale(0, 1))
    assert cut
    assert (cut.low, cut.high, cut.cut_low, cut.cut_high) == (0, 100, True, True)
    assert not cut.outside
    far = mark(Interval(3, 2, 4), Scale(0, 1))
    assert far
    assert far.outside
    assert mark(NONE, Scale(0, 1)) is mark(None, Scale(0, 1)) is None


def test_a_figure_without_interval_is_a_point() -> None:
    found = mark(Interval(0.25, None, None), Scale(0, 1))
    assert found
    assert found.low == found.at == found.high == 25


def test_a_stack_leaves_out_what_is_empty_and_labels_what_has_room() -> None:
    first, last = stack([("negative", 0.05), ("neutral", 0.0), ("positive", 0.95)])
    assert (first.name, first.start, first.width, first.labelled) == ("negative", 0, 5, False)
    assert (last.name, last.start, last.width, last.labelled) == ("positive", 5, 95, True)


def colours(dark: bool) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", (TEMPLATES / "page.css").read_text(), re.DOTALL)
    found: dict[str, str] = {}
    for block in blocks[: 1 + dark]:
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    return found


def contrast(one: str, other: str) -> float:
    """By the formula of the Web Content Accessibility Guidelines 2.2, 1.4.3."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("ink", "soft", "accent") for ground in ("ground", "surface")),
        *((text, "surface") for text in ("pass", "warn", "fail")),
        *((f"on-{label}", label) for label in ("negative", "neutral", "positive")),
    ],
)
def test_text_can_be_read(dark: bool, text: str, ground: str) -> None:
    found = colours(dark)
    assert contrast(found[text], found[ground]) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["negative", "positive", "soft", "pass", "warn", "fail"])
def test_marks_stand_out(dark: bool, name: str) -> None:
    found = colours(dark)
    assert contrast(found[name], found["surface"]) >= 3
