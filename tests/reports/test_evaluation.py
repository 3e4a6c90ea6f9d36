from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from drugmon.reports.evaluation import Evaluation, LeftOut, render_evaluation
from drugmon.reports.pages import count, figure, percent, target_title
from drugmon.statistics.quality import Quality, measure
from tests.reports.parsed import Page


def make_quality(n: int = 300, seed: int = 0) -> Quality:
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet((1, 1, 2), size=n)
    labels = (probabilities.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    return measure(labels, probabilities.argmax(axis=1), probabilities, resamples=50, seed=seed)


def make_evaluation(**changes: object) -> Evaluation:
    values = {
        "source": "reviews.tsv",
        "adapter": "minilm-druglib",
        "base": "minilm",
        "evaluated_at": datetime(2025, 3, 2, 4, 5, tzinfo=UTC),
        "rows": 1036,
        "qualities": {"overall": make_quality(), "benefits": make_quality(seed=1)},
        "left_out": [LeftOut("benefits", "no grade", 29), LeftOut(None, "no text", 1)],
    }
    return Evaluation(**{**values, **changes})  # type: ignore[arg-type]


def test_page_shows_figures_with_intervals() -> None:
    evaluation = make_evaluation()
    html = render_evaluation(evaluation)
    for quality in evaluation.qualities.values():
        for interval in (quality.accuracy, quality.macro_f1, quality.kappa, quality.ece):
            assert figure(interval.value) in html
            assert f"{figure(interval.low)}&nbsp;to {figure(interval.high)}" in html
        for row in quality.confusion:
            for cell in row:
                assert f"<b>{cell}</b><span>{percent(cell / sum(row))}</span>" in html


def test_page_says_what_was_measured() -> None:
    zone = timezone(timedelta(hours=2))
    evaluation = make_evaluation(evaluated_at=datetime(2025, 3, 2, 1, 30, tzinfo=zone))
    text = Page(render_evaluation(evaluation)).text
    for words in (
        "minilm-druglib",
        "reviews.tsv",
        "1,036",
        "2025-03-01 23:30 UTC",
        "no grade",
        "29",
    ):
        assert words in text


def test_page_is_well_formed_and_labelled() -> None:
    page = Page(render_evaluation(make_evaluation()))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.references <= set(page.ids)
    assert {"overall-plot-title", "overall-plot-text", "benefits-matrix"} <= page.references


def test_page_loads_nothing() -> None:
    html = render_evaluation(make_evaluation())
    assert all(address.startswith("#") for address in Page(html).addresses)
    assert not re.search(r"https?:|@import|url\(|<script", html)
    assert "default-src 'none'" in html


def test_page_escapes_names() -> None:
    nasty = "<script>alert(1)</script>&\"'"
    html = render_evaluation(
        make_evaluation(source=nasty, adapter=nasty, base=nasty, left_out=[LeftOut(None, nasty, 1)])
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 6
    assert Page(html).open == []


def test_page_follows_the_order_of_targets_and_omits_unmeasured_ones() -> None:
    html = render_evaluation(make_evaluation())
    assert html.index('id="benefits"') < html.index('id="overall"')
    assert 'id="comments"' not in html


def test_page_draws_every_bin() -> None:
    quality = make_quality()
    html = render_evaluation(make_evaluation(qualities={"overall": quality}))
    assert html.count("<circle") == len(quality.reliability)
    for each in quality.reliability:
        assert f"right {each.accuracy.value:.3f} of {each.count} rows" in html


@pytest.mark.parametrize("qualities", [{}, {"overall": measure([], [], np.empty((0, 3)), seed=0)}])
def test_page_of_no_rows(qualities: dict[str, Quality]) -> None:
    html = render_evaluation(make_evaluation(qualities=qualities, left_out=[]))
    assert Page(html).open == []
    assert ("No rows to draw." if qualities else "No target could be measured") in html
    assert "nan" not in Page(html).text.lower().split()


def test_page_names_a_class_without_rows() -> None:
    quality = measure([0, 2], [0, 2], [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], resamples=5, seed=0)
    html = render_evaluation(make_evaluation(qualities={"overall": quality}))
    assert "No row is truly neutral, so that label is left out of the macro figures." in html


def test_figures_are_written_alike() -> None:
    assert figure(0.5) == "0.500"
    assert figure(-0.25) == "\N{MINUS SIGN}0.250"
    assert figure(None) == "\N{EN DASH}"
    assert count(3107) == "3,107"
    assert percent(0.254) == "25\N{NO-BREAK SPACE}%"
    assert percent(None) == "\N{EN DASH}"
    assert target_title("side_effects") == "Side effects"
