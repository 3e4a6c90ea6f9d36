"""The plots of the morning page: share bars, histograms, movers, slices and quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from drugmon.monitoring.checks.summary import Distribution, Summary, TargetQuality
from drugmon.reports.change_rows import MOST, mover_lists, slice_rows
from drugmon.reports.plots.histogram_plot import histogram_plot, histogram_plots
from drugmon.reports.plots.quality_plot import quality_sections
from drugmon.reports.plots.share_bars import share_bars
from drugmon.statistics.figures import Interval

Nights = Mapping[str, Callable[[], Summary]]


def test_bars_are_shares_and_changes_are_on_one_scale(nights: Nights) -> None:
    bars = share_bars(nights["fail"]().balance)
    for each in bars:
        for segments in (each.reference, each.current):
            assert sum(segment.width for segment in segments) == 100 or (
                abs(sum(segment.width for segment in segments) - 100) < 0.1
            )
    assert {tuple(each.ticks) for each in bars} == {tuple(bars[0].ticks)}
    assert [tick.label for tick in bars[0].ticks] == ["\N{MINUS SIGN}25", "0", "+25"]
    side = bars[1].rows[0]
    assert side.change
    assert side.change.low > bars[1].zero
    assert not side.change.cut_high


def test_no_row_for_a_label_that_nobody_has(nights: Nights) -> None:
    overall = share_bars(nights["pass"]().balance)[-1]
    assert [row.share.label for row in overall.rows] == ["negative", "neutral", "positive"]


def test_bars_of_nothing_are_empty(nights: Nights) -> None:
    assert all(each.current == () for each in share_bars(nights["none"]().balance))
    assert all(each.reference == () for each in share_bars(nights["alone"]().balance))
    assert share_bars(()) == ()


def test_a_histogram_draws_both_sides_between_its_edges() -> None:
    plot = histogram_plot(Distribution("a", "A", (0.0, 0.5, 1.0), (0.5, 0.5), (0.2, 0.8)))
    assert [(bin.x, bin.width) for bin in plot.bins] == [(0, 50), (50, 50)]
    assert plot.bins[1].height > plot.bins[0].height * 3.9
    assert plot.outline.count("V") == 3
    assert "0.50 to 1.00: 80.0" in plot.bins[1].title
    assert [tick.label for tick in plot.ticks] == ["0.00", "0.50", "1.00"]
    assert plot.top == "80\N{NO-BREAK SPACE}%"


def test_edges_that_grow_are_drawn_alike_without_their_empty_ends() -> None:
    edges = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    plot = histogram_plot(Distribution("a", "A", edges, None, (0.0, 0.5, 0.5, 0.0, 0.0)))
    assert [(bin.x, bin.width) for bin in plot.bins] == [(0, 50), (50, 50)]
    assert [tick.label for tick in plot.ticks] == ["2", "4", "8"]
    assert plot.outline == ""


def test_an_empty_histogram_is_drawn_flat() -> None:
    plot = histogram_plot(Distribution("a", "A", (1.0, 2.0, 40.0), (0.0, 0.0), (0.0, 0.0)))
    assert [bin.height for bin in plot.bins] == [0, 0]


def test_what_differs_most_comes_first() -> None:
    same = Distribution("same", "", (0.0, 0.5, 1.0), (0.5, 0.5), (0.5, 0.5))
    moved = replace(same, name="moved", current=(0.9, 0.1))
    alone = replace(same, name="alone", reference=None)
    found = histogram_plots([alone, same, moved])
    assert found[0].distribution.name == "moved"


def test_movers_go_by_kind_and_size(nights: Nights) -> None:
    words, drugs, conditions = mover_lists(nights["fail"]().movers)
    assert (words.title, drugs.title, conditions.title) == ("Words", "Drugs", "Conditions")
    assert [row.mover.name for row in drugs.rows] == ["Chantix", "Accutane", "Lexapro"]
    for row in drugs.rows:
        assert row.current
        assert not row.current.cut_high
    assert mover_lists(()) == ()


def test_many_movers_are_cut_and_unknown_kinds_kept(nights: Nights) -> None:
    one = nights["fail"]().movers[0]
    found = mover_lists([replace(one, kind="city")] * (MOST + 5))
    assert (found[0].title, len(found[0].rows)) == ("city", MOST)


def test_slices_keep_their_order(nights: Nights) -> None:
    summary = nights["fail"]()
    rows = slice_rows(summary.slices)
    assert [row.slice for row in rows] == list(summary.slices)
    assert rows[3].reference is None


def test_quality_tells_origins_apart_and_leaves_out_what_is_undefined(nights: Nights) -> None:
    measured, estimated = quality_sections(nights["fail"]().quality)
    origins = [[score.origin for score in scores] for _, scores in measured.scores]
    assert origins == [["measured", "held out"]] * 2
    assert measured.view
    assert [[score.kind for score in scores] for _, scores in estimated.scores] == (
        [["estimate", "reference"]] * 2
    )
    assert estimated.view is None
    undefined = replace(measured.quality.measured, macro_f1=Interval(None, None, None))  # type: ignore[type-var]
    (section,) = quality_sections([TargetQuality("overall", undefined, None, None, None)])
    assert [len(scores) for _, scores in section.scores] == [0, 1]
