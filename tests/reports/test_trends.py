from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drugmon.data.history.output import Output
from drugmon.data.history.records import ReportRecord, ReportTarget
from drugmon.monitoring.checks.summary import Status
from drugmon.reports.attempts import Attempt
from drugmon.reports.plots.trend_charts import trend_sections
from drugmon.reports.trends import RECENT, SHOWN, ago, render_index, write_index
from tests.reports.invented_nights import CREATED

History = Callable[[int], list[ReportRecord]]
SCRIPT = "<script>alert(1)</script>"


def rows_of(html: str) -> Sequence[str]:
    return re.findall(r'<tr><th scope="row">(.*?)</th>', html)


@pytest.mark.parametrize("count", [0, 1, 2, 30, 400])
def test_index_tells_of_every_night(history: History, tmp_path: Path, count: int) -> None:
    write_index(history(count), tmp_path, now=CREATED)
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
    folder = tmp_path / nights[-1].page
    folder.mkdir()
    (folder / "index.html").touch()
    html = render_index(nights[::-1], tmp_path)
    first, second, _ = rows_of(html)
    assert first == f'<a href="{folder.name}/index.html">2026-11-24 05:31</a>'
    assert second == "2026-11-23 05:31"
    assert "Open the newest page" in html


def test_sources_are_kept_apart(history: History, tmp_path: Path) -> None:
    other = [replace(night, source=SCRIPT) for night in history(2)]
    html = render_index([*history(3), *other], tmp_path)
    assert len(re.findall('<h2 id="source-', html)) == 2
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_sources_that_are_called_alike_are_kept_apart(history: History, tmp_path: Path) -> None:
    def of(folder: str) -> list[ReportRecord]:
        output = Output(Path("/data") / folder / "reviews.scored.parquet")
        return [replace(night, output=output) for night in history(3)]

    html = render_index([*of("x"), *of("y")], tmp_path)
    titles = re.findall('<h2 id="source-[^>]*>(.*?)</h2>', html, re.DOTALL)
    assert [re.sub(r"<.*?>|\s+", " ", title).split()[:3] for title in titles] == [
        ["reviews.scored.parquet", "in", "x"],
        ["reviews.scored.parquet", "in", "y"],
    ]
    assert len(rows_of(html)) == 6


def test_nights_from_before_belong_to_the_only_source_of_their_name(
    history: History, tmp_path: Path
) -> None:
    first, *others = history(3)
    html = render_index([replace(first, output=None), *others], tmp_path)
    assert len(re.findall('<h2 id="source-', html)) == 1


def test_a_page_elsewhere_cannot_be_linked(history: History, tmp_path: Path) -> None:
    (night,) = history(1)
    html = render_index([replace(night, page='javascript:alert(1)//"><b>')], tmp_path)
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
    last = nights[-1].targets["side_effects"]
    share = last.negative / (last.negative + last.neutral + last.positive)
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
    drift = sections["drift"]
    trends = (*drift.trends, *drift.folded)
    unknown = next(trend for trend in trends if trend.title.startswith("Words unknown"))
    assert [limit.kind for limit in unknown.chart.limits] == ["warn", "warn", "fail", "fail"]


def test_a_gap_is_no_zero(history: History) -> None:
    nights = history(5)
    nights[2] = replace(nights[2], targets={}, checks=[], rows=0)
    sections = {section.key: section for section in trend_sections(nights)}
    assert sections["shares"].trends[0].chart.lines[0].path.count("M") == 2
    assert sections["drift"].trends[0].chart.lines[0].path.count("M") == 2
    nights[-1] = replace(nights[-1], targets={}, checks=[])
    told = {trend.latest for section in trend_sections(nights) for trend in section.trends}
    assert "not judged" in told


def test_the_largest_change_of_one_label_and_of_another_are_no_line(history: History) -> None:
    def path(nights: Sequence[ReportRecord]) -> str:
        sections = {section.key: section for section in trend_sections(nights)}
        trends = (*sections["balance"].trends, *sections["balance"].folded)
        return next(each for each in trends if each.chart.lines[0].name == name).chart.lines[0].path

    nights = history(5)
    name = next(check.name for check in nights[0].checks if check.area == "balance")
    assert path(nights).count("M") == 1
    nights[2] = replace(
        nights[2],
        checks=[
            replace(check, statistic="change of another label") if check.name == name else check
            for check in nights[2].checks
        ],
    )
    assert path(nights).count("M") == 3


def test_aspects_that_a_source_lacks_have_no_charts(history: History, tmp_path: Path) -> None:
    nights = history(5)
    for number, night in enumerate(nights):
        targets = {
            name: own if name == "overall" else ReportTarget(name, 0, 0, 0, 200, *[None] * 5)
            for name, own in night.targets.items()
        }
        nights[number] = replace(night, targets=targets)
    sections = {section.key: section for section in trend_sections(nights)}
    assert [trend.title for trend in sections["shares"].trends] == ["Overall"]
    assert [trend.title for trend in sections["confidence"].trends] == ["Overall"]
    html = render_index(nights, tmp_path)
    assert "Overall" in html
    assert "<h4>Benefits" not in html


def test_many_checks_are_folded_away(history: History) -> None:
    nights = history(4)
    for number, night in enumerate(nights):
        drift = next(check for check in night.checks if check.name == "drift.drugs")
        more = [replace(drift, name=f"drift.{i}", status="pass") for i in range(9)]
        nights[number] = replace(night, checks=[*night.checks, *more])
    section = next(each for each in trend_sections(nights) if each.key == "drift")
    assert (len(section.trends), len(section.folded)) == (6, 10), "seven of the night and nine more"


DAY = timedelta(days=1)
NO_REPORT = "reviews was not scored: the table is gone"


def attempts_of(nights: Sequence[ReportRecord]) -> list[Attempt]:
    """The attempts behind the reports `nights`, each begun a minute before its report."""
    return [
        Attempt(
            night.report_id.rjust(12, "0"),
            "job",
            night.source,
            night.created_at - timedelta(minutes=1),
            24.0,
            night.created_at,
            Status(night.status),
            night.page,
            night.rows,
        )
        for night in nights
    ]


def latest_of(html: str) -> str:
    """The block that stands first, without its tags."""
    block = re.findall(r'<div class="latest.*?</div>', html, flags=re.DOTALL)[0]
    return " ".join(re.sub(r"<[^>]*>", " ", block).split())


def test_a_night_without_a_report_stands_first_and_breaks_the_lines(
    history: History, tmp_path: Path
) -> None:
    nights = history(4)
    failed = replace(
        attempts_of(nights[-1:])[0],
        attempt="f" * 12,
        began=CREATED + DAY,
        ended=CREATED + DAY,
        status=None,
        page=None,
        rows=None,
        failures=(NO_REPORT,),
    )
    attempts = [*attempts_of(nights), failed]
    html = render_index(nights, tmp_path, attempts, CREATED + DAY + timedelta(minutes=5))
    assert html.index('<div class="latest fail">') > 0
    latest = latest_of(html)
    assert latest.startswith(
        "no report 2026-11-25 05:31 UTC the newest attempt began 5 minutes ago"
    )
    assert NO_REPORT in latest
    assert "The newest report is of 2026-11-24 05:31 UTC: pass." in latest
    assert "The next night is due 2026-11-26 05:31 UTC." in latest
    assert rows_of(html)[:2] == ["2026-11-25 05:31", "2026-11-24 05:31"]
    assert "<title>NO REPORT: drugmon, all nights" in html
    assert '<rect class="no-report"' in html
    assert "4 pass, 1 no report" in html or "3 pass, 1 warn, 1 no report" in html
    assert "<p>\N{EN DASH}</p>" in html, "the newest figure is not yesterday's"


def test_two_missed_nights_are_a_gap(history: History, tmp_path: Path) -> None:
    nights = history(6)
    del nights[3:5]
    html = render_index(nights, tmp_path, attempts_of(nights), CREATED)
    assert rows_of(html)[1] == "2026-11-22 to 2026-11-23"
    assert html.count('<rect class="did-not-run"') == 2
    assert "No attempt is known of 2 nights, 2026-11-22 to 2026-11-23" in html
    volume = html[html.index(">Volume<") :]
    path = re.findall(r'<path class="line current" d="([^"]*)"', volume)[0]
    assert path.count("M") == 2, "the line breaks at the gap"
    assert latest_of(html).startswith("pass ")


def test_nights_of_another_adapter_are_told(history: History, tmp_path: Path) -> None:
    nights = history(6)
    newest = nights[-1].adapter
    assert f"; adapter {newest}.</p>" in render_index(nights, tmp_path)
    mixed = [replace(night, adapter="other@1") for night in nights[:4]] + nights[4:]
    told = f"; adapter {newest} since 2026-11-23, other@1 before.</p>"
    assert told in render_index(mixed, tmp_path)


def test_a_report_by_hand_stands_in_for_no_night(history: History, tmp_path: Path) -> None:
    """The job runs about 05:30; somebody looks in the evening, and the next night does not run."""
    nights = history(6)
    attempts = attempts_of(nights)
    del attempts[4], nights[4]
    by_hand = [
        replace(nights[place], report_id=f"b{place}", page=f"2026-11-20-b{place}", created_at=when)
        for place, when in ((3, nights[3].created_at + DAY / 2), (4, CREATED + DAY / 2))
    ]
    html = render_index([*nights, *by_hand], tmp_path, attempts, CREATED + 0.6 * DAY)
    assert rows_of(html)[:4] == [
        *("2026-11-24 17:31", "2026-11-24 05:31", "2026-11-23 05:30", "2026-11-22 17:31")
    ]
    assert html.count('<rect class="did-not-run"') == 1
    assert "The next night is due 2026-11-25 05:30 UTC." in latest_of(html)


def test_a_job_misses_no_night_from_before_it_was_there(history: History, tmp_path: Path) -> None:
    nights = history(30)
    some = [nights[0], nights[3], *nights[28:]]
    html = render_index(some, tmp_path, attempts_of(nights[28:]), CREATED)
    assert "did not run<" not in html
    assert "The next night is due" in latest_of(html)


def test_what_did_not_run_until_now_stands_first(history: History, tmp_path: Path) -> None:
    nights = history(3)
    html = render_index(nights, tmp_path, attempts_of(nights), CREATED + 3.2 * DAY)
    latest = latest_of(html)
    assert latest.startswith("did not run 2026-11-25 to 2026-11-26 UTC the newest attempt began 3 ")
    assert "The newest report is of 2026-11-24 05:31 UTC: pass." in latest
    assert "The next night is due 2026-11-28 05:30 UTC." in latest


def test_a_night_that_has_not_ended_is_no_pass(history: History, tmp_path: Path) -> None:
    nights = history(3)
    (last,) = attempts_of(nights[-1:])
    begun = replace(last, began=CREATED + DAY, ended=None, status=None, page=None, rows=None)
    begun = replace(begun, attempt="e" * 12)
    html = render_index(nights, tmp_path, [*attempts_of(nights), begun], CREATED + DAY)
    assert latest_of(html).startswith("not ended 2026-11-25 05:31 UTC")
    assert '<div class="latest unjudged">' in html


def test_a_first_night_that_failed_has_an_entry(tmp_path: Path, history: History) -> None:
    (last,) = attempts_of(history(1))
    failed = replace(last, status=None, page=None, rows=None, failures=(NO_REPORT,))
    html = render_index([], tmp_path, [failed], CREATED)
    assert latest_of(html).startswith("no report 2026-11-24 05:30 UTC")
    assert rows_of(html) == ["2026-11-24 05:30"]
    assert "<h3>Volume" not in html


def test_nights_without_a_rule_miss_none(history: History, tmp_path: Path) -> None:
    nights = history(30)
    some = [nights[number] for number in (0, 1, 5, 6, 14, 15, 29)]
    html = render_index(some, tmp_path, (), CREATED + 40 * DAY)
    assert "did not run<" not in html
    assert "is due" not in html


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(seconds=30), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=119), "1 hour"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_ages_are_told_in_their_largest_unit(age: timedelta, told: str) -> None:
    assert ago(age) == told
