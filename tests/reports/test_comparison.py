from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from drugmon.reports.comparison import (
    EpochFigures,
    ModelComparison,
    Stage,
    Training,
    render_comparison,
)
from drugmon.reports.pages import figure
from drugmon.reports.plots.comparison_plots import plot_curve, scale_over, share_scale
from drugmon.statistics.quality import Quality, measure
from drugmon.statistics.significance import Difference, compare
from tests.reports.parsed import Page

TRUTH = np.random.default_rng(0).integers(0, 3, 200)


def make_judged(seed: int, right: float) -> tuple[np.ndarray, Quality]:
    rng = np.random.default_rng(seed)
    chosen = np.where(rng.random(200) < right, TRUTH, rng.integers(0, 3, 200))
    probabilities = np.full((200, 3), 0.1)
    probabilities[np.arange(200), chosen] = 0.8
    return chosen, measure(TRUTH, chosen, probabilities, resamples=40, seed=0)


def make_stage(title: str, seed: int, right: float, *, first: bool = False) -> Stage:
    chosen, quality = make_judged(seed, right)
    baseline, _ = make_judged(1, 0.4)
    gap: dict[str, Difference] = {}
    if not first:
        gap = {"overall": compare(TRUTH, baseline, chosen, resamples=100, seed=0)}
    training = Training(
        trainable_parameters=884_736,
        all_parameters=248_462_592,
        seconds=1234.5,
        peak_memory_bytes=7_250_000_000,
        best_epoch=2,
        epochs=[EpochFigures(1.5, 0.4), EpochFigures(0.9, 0.6), EpochFigures(0.7, 0.5)],
        before={"overall": [560, 260, 1355]},
        after={"overall": [800, 790, 810]},
    )
    return Stage(
        title=title,
        identity=f"{title}@0123456789ab",
        base="google/flan-t5-base",
        qualities={"overall": quality},
        differences=gap,
        adjusted_p={target: own.mcnemar_p for target, own in gap.items()},
        speed=33.25,
        training=None if first else training,
    )


def make_comparison(**changes: Any) -> ModelComparison:
    values: dict[str, Any] = {
        "source": "reviews.tsv",
        "rows": 200,
        "compute": "cpu bf16",
        "compared_at": datetime(2025, 3, 2, 4, 5, tzinfo=UTC),
        "stages": [
            make_stage("zero-shot", 1, 0.4, first=True),
            make_stage("lora", 2, 0.8),
            make_stage("worse", 3, 0.5),
        ],
        "missing": {"broken": "the loss is nan at step 3"},
    }
    return ModelComparison(**{**values, **changes})


def test_page_shows_the_figures_of_every_stage() -> None:
    comparison = make_comparison()
    html = render_comparison(comparison)
    for stage in comparison.stages:
        quality = stage.qualities["overall"]
        for name in ("accuracy", "macro_precision", "macro_recall", "macro_f1", "weighted_f1"):
            found = getattr(quality, name)
            low, high = figure(found.low), figure(found.high)
            assert f'{figure(found.value)}<span class="range">{low}&nbsp;to {high}' in html
        for own in quality.classes:
            assert f"{stage.title}, {own.label}: F1 {figure(own.f1.value)}" in html
    text = Page(html).text
    for words in ("884,736", "0.36\N{NO-BREAK SPACE}%", "1,234", "7.25", "33.2", "1,355", "broken"):
        assert words in text


def test_page_says_who_is_best_and_by_how_much() -> None:
    comparison = make_comparison()
    best = comparison.best("overall")
    assert best is not None
    assert best.title == "lora"
    gap = best.differences["overall"].macro_f1
    html = render_comparison(comparison)
    assert (
        f"<b>lora</b> with a macro-F1 of <b>{figure(best.qualities['overall'].macro_f1.value)}"
        in html
    )
    assert f"+{figure(gap.value)} against zero-shot" in html
    assert html.count('<span class="badge">best</span>') == 1


def test_of_several_that_tie_none_is_best() -> None:
    lora = make_stage("lora", 2, 0.8)
    comparison = make_comparison(stages=[lora, replace(lora, title="again")])
    assert comparison.best("overall") is None
    html = render_comparison(comparison)
    assert "Best on" not in html
    assert ">best<" not in html


def test_page_is_well_formed_and_every_drawing_has_words() -> None:
    page = Page(render_comparison(make_comparison()))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.references <= set(page.ids)
    assert all(page.drawings)
    assert any(words == "Loss of lora: 1.500, 0.900, 0.700" for words in page.drawings)
    assert {address[1:] for address in page.addresses} <= set(page.ids)


def test_page_loads_nothing() -> None:
    html = render_comparison(make_comparison())
    assert all(address.startswith("#") for address in Page(html).addresses)
    assert not re.search(r"https?:|@import|url\(|<script", html)
    assert "default-src 'none'" in html


def test_page_escapes_names() -> None:
    nasty = "<script>alert(1)</script>&\"'"
    stage = replace(make_stage("x", 1, 0.4, first=True), title=nasty, identity=nasty, base=nasty)
    comparison = make_comparison(
        source=nasty,
        stages=[stage, replace(make_stage("y", 2, 0.8), title=nasty + "2")],
        missing={nasty: nasty},
    )
    html = render_comparison(comparison)
    assert "<script" not in html
    assert Page(html).open == []


def test_a_stage_that_does_not_judge_a_target_is_left_out_there() -> None:
    stages = list(make_comparison().stages)
    stages[2] = replace(
        stages[2], qualities={"benefits": stages[2].qualities["overall"]}, differences={}
    )
    comparison = make_comparison(stages=stages)
    assert comparison.targets == ("overall", "benefits")
    page = Page(render_comparison(comparison))
    assert page.open == []
    assert {"overall", "benefits"} <= set(page.ids)


def test_one_balance_for_all_is_told_once() -> None:
    stages = list(make_comparison().stages)
    html = render_comparison(make_comparison())
    assert html.count("Before, all stages</th>") == 1
    assert stages[2].training is not None
    other = replace(stages[2].training, before={"overall": [1, 2, 3]})
    html = render_comparison(
        make_comparison(stages=[*stages[:2], replace(stages[2], training=other)])
    )
    assert "lora, before</th>" in html
    assert "worse, before</th>" in html


def test_scales_hold_their_values_with_round_ends() -> None:
    scale = scale_over([0.412, 0.688])
    assert (scale.low, scale.high) == (0.4, 0.7)
    assert [tick.label for tick in scale.ticks] == ["0.4", "0.5", "0.6", "0.7"]
    assert scale.at(0.4) == 0
    assert scale.at(0.7) == 100
    assert scale_over([]).high == 1
    assert [tick.label for tick in share_scale().ticks] == ["0", "0.25", "0.5", "0.75", "1"]


@pytest.mark.parametrize("losses", [[1.5, 0.9, 0.7], [2.0], [250.0, 3.0], [0.0, 0.0]])
def test_curves_stay_inside_their_drawing(losses: list[float]) -> None:
    curve = plot_curve(losses, 1, max(losses))
    assert [point.best for point in curve.points] == [True] + [False] * (len(losses) - 1)
    assert len(curve.segments) == len(losses) - 1
    for point in curve.points:
        assert curve.top <= point.y <= curve.bottom
        assert 14 <= point.x <= 94
    assert curve.ticks[0].at == curve.bottom
    falling = [point.y for point in curve.points]
    assert falling == sorted(falling), "a smaller loss is drawn lower"
