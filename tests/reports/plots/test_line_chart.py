from __future__ import annotations

from itertools import pairwise

from drugmon.reports.plots.line_chart import Limit, Series, line_chart


def test_a_line_breaks_where_a_night_has_no_figure() -> None:
    series = Series("a", [0, 1, 2, 3], [0.0, 1.0, None, 1.0], [0, 1, None, 1], [0, 1, None, 1])
    (line,) = line_chart([series], []).lines
    assert line.path == "M0,100L33.33,0 M100,0"
    assert line.area.count("M") == line.area.count("Z") == 2
    assert [dot.x for dot in line.dots] == [0, 33.33, 100]


def test_a_chart_holds_its_limits_and_one_point_stands_in_the_middle() -> None:
    chart = line_chart([Series("a", [5], [0.1])], [(5, "today")], limits=[Limit(0.3, "fail", "")])
    assert chart.x_ticks[0].at == 50
    assert chart.lines[0].dots[0].x == 50
    assert 0 <= chart.limits[0].at < chart.lines[0].dots[0].y


def test_many_points_are_drawn_as_a_line_only() -> None:
    xs = list(range(61))
    series = Series("a", xs, [float(x) for x in xs], marked=["fail", *[""] * 60])
    chart = line_chart([series], [])
    assert not chart.has_dots
    assert [dot.marked for dot in chart.lines[0].dots if dot.marked] == ["fail"]


def test_names_of_lines_do_not_cover_each_other() -> None:
    near = [Series(name, [0, 1], [0.5, 0.5]) for name in ("a", "b", "c")]
    places = [name.at for name in line_chart(near, []).names]
    assert all(b - a >= 10 for a, b in pairwise(places))
    assert line_chart(near[:1], []).names == ()


def test_no_series_is_no_error() -> None:
    assert line_chart([], []).lines == ()
    assert line_chart([Series("a", [0.0], [None])], []).lines[0].dots == ()


def test_only_neighbours_of_one_kind_are_joined() -> None:
    kinds = ["negative", "negative", "neutral", "negative", "negative"]
    series = Series("s", [0, 1, 2, 3, 4], [1.0, 2.0, -1.0, 2.0, 1.0], kinds=kinds)
    (line,) = line_chart([series], []).lines
    assert [piece.count("L") for piece in line.path.split()] == [1, 0, 1]
    assert len(line.dots) == 5
