from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from drugmon.monitoring.checks.summary import Status
from drugmon.reports.plots.trend_charts import trend_sections
from drugmon.reports.trends import RECENT, SHOWN, render_index, write_index

History = Callable[[int], list[dict[str, Any]]]
SCRIPT = "<script>alert(1)</script>"


def rows_of(html: str) -> Sequence[str]:
    return re.findall(r'<tr><th scope="row">(.*?)</th>', html)


@pytest.mark.parametrize("count", [0, 1, 2, 30, 400])
def test_index_tells_of_every_night(history: History, tmp_path: Path, count: int) -> None:
    write_index(history(count), tmp_path)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len(rows_of(html)) == count
    assert html.count('<rect class="') == min(count, RECENT)
    assert html.count("<details>") <= 1 + (count > SHOWN)
    assert not re.search(r"https?:|@import|url\(|<script|\bnan\b|\bNone\b", html)
    assert len(html.encode()) < 1_000_000
    if not count:
        assert "No report has been made yet" in html


def test_newest_night_comes_first_and_links_where_its_page_is(
    history: History, tmp_path: Path
) -> None:
    nights = history(3)
    folder = tmp_path / nights[-1]["page"]
    folder.mkdir()
    (folder / "index.html").touch()
    html = render_index(nights[::-1], tmp_path)
    first, second, _ = rows_of(html)
    assert first == f'<a href="{folder.name}/index.html">2026-11-24 05:31</a>'
    assert second == "2026-11-23 05:31"
    assert "Open the newest page" in html


def test_sources_are_kept_apart(history: History, tmp_path: Path) -> None:
    other = [{**night, "source": SCRIPT} for night in history(2)]
    html = render_index([*history(3), *other], tmp_path)
    assert len(re.findall('<h2 id="source-', html)) == 2
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_page_elsewhere_cannot_be_linked(history: History, tmp_path: Path) -> None:
    (night,) = history(1)
    html = render_index([{**night, "page": 'javascript:alert(1)//"><b>'}], tmp_path)
    assert "javascript" not in html


def test_charts_follow_the_numbers(history: History) -> None:
    nights = history(30)
    sections = {section.key: section for section in trend_sections(nights)}
    shares = {trend.title: trend for trend in sections["shares"].trends}
    assert list(shares) == ["Overall", "Comments", "Side effects", "Benefits"]
    negative = shares["Side effects"].chart.lines[0]
    assert negative.name == "negative"
    assert negative.dots[-1].y < negative.dots[0].y  # higher up: the share rose
    assert len(negative.dots) == 30
    last = nights[-1]["targets"]["side_effects"]
    share = last["negative"] / (last["negative"] + last["neutral"] + last["positive"])
    assert f"2026-11-24: negative {share * 100:.1f}" in negative.dots[-1].title
    assert {trend.title for trend in sections["quality"].trends[:4]} == {
        f"{title}: macro-F1" for title in shares
    }


def test_checks_that_were_off_come_first_with_their_limits(history: History) -> None:
    sections = {section.key: section for section in trend_sections(history(30))}
    drugs = sections["drift"].trends[0]
    assert drugs.title == "Which drugs are reviewed"
    assert drugs.status is Status.WARN
    assert [limit.kind for limit in drugs.chart.limits] == ["warn", "fail"]
    marks = [dot.marked for dot in drugs.chart.lines[0].dots]
    assert (marks.count("fail"), marks.count("warn")) == (3, 6)


def test_changes_have_limits_on_both_sides(history: History) -> None:
    sections = {section.key: section for section in trend_sections(history(9))}
    unknown = next(t for t in sections["drift"].trends if t.title.startswith("Words unknown"))
    assert [limit.kind for limit in unknown.chart.limits] == ["warn", "warn", "fail", "fail"]


def test_a_gap_is_no_zero(history: History) -> None:
    nights = history(5)
    nights[2] = {**nights[2], "targets": {}, "checks": [], "rows": 0}
    sections = {section.key: section for section in trend_sections(nights)}
    assert sections["shares"].trends[0].chart.lines[0].path.count("M") == 2
    assert sections["drift"].trends[0].chart.lines[0].path.count("M") == 2
    nights[-1] = {**nights[-1], "targets": {}, "checks": []}
    told = {trend.latest for section in trend_sections(nights) for trend in section.trends}
    assert "not judged" in told


def test_many_checks_are_folded_away(history: History) -> None:
    nights = history(4)
    for night in nights:
        drift = next(check for check in night["checks"] if check["name"] == "drift.drugs")
        night["checks"] += [{**drift, "name": f"drift.{i}", "status": "pass"} for i in range(9)]
    section = next(each for each in trend_sections(nights) if each.key == "drift")
    assert (len(section.trends), len(section.folded)) == (6, 9)
