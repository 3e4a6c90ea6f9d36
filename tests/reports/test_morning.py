from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from drugmon.errors import SinkError
from drugmon.monitoring.checks.summary import Status, Summary
from drugmon.reports.morning import render_page, write_page
from drugmon.statistics.figures import Interval
from tests.reports.parsed import Page

SCRIPT = "<script>alert(1)</script>"
Nights = Mapping[str, Callable[[], Summary]]


def words(html: str) -> str:
    """The page's text, with every run of white space as one blank."""
    return " ".join(Page(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)).text.split())


def test_page_is_well_formed_and_labelled(night: Summary) -> None:
    page = Page(render_page(night))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert all(page.drawings)
    if SCRIPT not in night.source:
        assert page.references <= set(page.ids)


def test_page_loads_nothing_and_is_small(night: Summary) -> None:
    html = render_page(night)
    local = {"../index.html", "summary.json", "drift.html", "quality.html"}
    assert all(each.startswith("#") or each in local for each in Page(html).addresses)
    assert not re.search(r"https?:|@import|url\(|<script", html)
    assert "default-src 'none'" in html
    assert len(html.encode()) < 300_000


def test_page_holds_no_undefined_figure(night: Summary) -> None:
    said = words(render_page(night))
    assert not re.search(r"\b(None|nan|inf)\b", said)
    assert "\N{MINUS SIGN}0 " not in said


@pytest.mark.parametrize("name", ["pass", "warn", "fail", "none", "few", "alone"])
def test_verdict_comes_first_with_what_it_rests_on(nights: Nights, name: str) -> None:
    summary = nights[name]()
    said = words(render_page(summary))
    start = said.index(summary.status + " ")
    assert start < 150
    head = said[start : said.index("Class balance")]
    for reason in summary.reasons:
        assert reason in head
    assert f"{summary.created_at.day} November 2026, 05:31 UTC" in head
    for fact in (summary.run_id, summary.adapter, summary.source):
        assert fact in head
    if summary.current.n:
        assert f"{summary.current.n} reviews of {summary.current.name}" in head
    if summary.reference:
        assert "against 3,107 held-out reviews of minilm-druglib" in head or not summary.current.n
        assert "Compared with 3,107 held-out reviews of minilm-druglib" in head


def test_verdict_counts_what_the_gate_watches(nights: Nights) -> None:
    assert "Of the watched checks, 2 fail, 2 warn, 10 pass, 1 not judged." in words(
        render_page(nights["fail"]())
    )
    unwatched = replace(nights["fail"](), watched=("volume",), status=Status.PASS)
    said = words(render_page(unwatched))
    assert "Of the watched checks, 1 passes." in said
    assert "Not watched by the gate: drift, where 1 fails, 1 warns, 5 pass." in said


def test_certainty_is_told(nights: Nights) -> None:
    said = words(render_page(nights["pass"]()))
    assert "±7.0 points or better (95 %)" in said  # 1.96 sqrt(1/4/212 + 1/4/3107)


def test_reason_leads_to_its_area(nights: Nights) -> None:
    html = render_page(nights["fail"]())
    assert '+11.1 to 17.6). <a href="#balance">Balance</a>' in html
    assert "no area" not in html


def test_many_reasons_are_folded_behind_the_first(nights: Nights) -> None:
    first = next(check for check in nights["fail"]().checks if check.status is Status.FAIL)
    checks = tuple(replace(first, says=f"Reason {number}.") for number in range(9))
    html = render_page(replace(nights["fail"](), checks=checks))
    html = html[: html.index("</header>")]
    assert html.index("Reason 5.") < html.index("3 more reasons") < html.index("Reason 6.")
    assert "more reasons" not in render_page(nights["fail"]())


def test_a_pass_without_a_test_does_not_reassure(nights: Nights) -> None:
    calm, untested = "Nothing that is watched changed", "No change could be tested"
    assert calm in words(render_page(nights["pass"]()))
    few = words(render_page(nights["few"]()))
    assert untested in few and calm not in few


def test_what_is_large_and_may_be_chance_is_no_pass(nights: Nights) -> None:
    summary = nights["pass"]()
    check = next(
        check
        for check in summary.checks
        if check.area == "drift" and check.status is Status.PASS and check.effect
    )
    others = tuple(each for each in summary.checks if each is not check)
    changed = replace(summary, checks=(replace(check, status=Status.UNCLEAR), *others))
    before, after = render_page(summary), render_page(changed)
    assert "large, but may be chance" not in before
    assert 'class="icon unclear" viewBox="0 0 20 20" role="img" aria-label="large, but may' in after
    marks = [html.count('class="icon pass"') for html in (before, after)]
    assert marks[1] < marks[0], "its tick is gone"


def test_the_gates_figures_are_told(nights: Nights) -> None:
    said = words(render_page(replace(nights["pass"](), alpha=0.01, min_reviews=50)))
    assert "(p below 0.01 after the Benjamini-Hochberg correction" in said
    assert "Below 50 reviews on either side nothing is judged." in said


def test_times_have_their_zone(nights: Nights) -> None:
    assert "2026-11-23 05:31 to 2026-11-24 05:31 UTC" in words(render_page(nights["pass"]()))


def test_every_number_of_the_balance_is_in_a_table(nights: Nights) -> None:
    summary = nights["fail"]()
    said = words(render_page(summary))
    for balance in summary.balance:
        for share in balance.shares:
            if share.label != "none":
                assert f"{share.label} {share.reference_count:,}, " in said
    assert "+14.3 (+10.8 to +17.8)" in said


def test_unjudged_checks_are_told_once(nights: Nights) -> None:
    said = words(render_page(nights["few"]()))
    assert said.count("Too few reviews to judge: 12, and 30 are needed.") == 3
    titles = "Benefits: shares of the labels; Side effects: shares of the labels; "
    assert titles in said


def test_estimates_are_called_so_and_cautioned(nights: Nights) -> None:
    said = words(render_page(nights["fail"]()))
    assert "Side effects no labels: estimated on 838 rows" in said
    assert "Estimates come from the verdicts’ own probabilities, without labels." in said  # noqa: RUF001
    assert said.count("estimated 0.") == 2
    assert "so that the estimate's assumption is shaky" in said


def test_slices_and_movers_are_named(nights: Nights) -> None:
    said = words(render_page(nights["fail"]()))
    assert "Side effects of Chantix turned negative: 17 % → 36 % (n=171)" in said
    assert "Withheld for too few reviews: 88 of “drug”." in said
    for mover in nights["fail"]().movers:
        assert mover.name in said


def test_a_night_without_reference_shows_what_there_is(nights: Nights) -> None:
    said = words(render_page(nights["alone"]()))
    assert "nothing: no reference" in said
    assert "The adapter has no reference profile" in said
    assert "Nothing to compare with." in said


def test_names_are_escaped(nights: Nights) -> None:
    html = render_page(nights["hostile"]())
    assert "<script" not in html
    assert words(html).count(SCRIPT) > 20
    assert Page(html).open == []


def test_effects_without_limits_or_intervals_do_not_break_the_page(nights: Nights) -> None:
    summary = nights["pass"]()
    bare = Interval(0.3, None, None)
    odd = [
        replace(summary.checks[3], effect=bare),
        replace(summary.checks[4], effect=Interval(None, None, None)),
        replace(summary.checks[5], warn_at=None, fail_at=None),
        replace(summary.checks[6], fail_at=0.0),
    ]
    html = render_page(replace(summary, checks=tuple(odd)))
    assert Page(html).open == []
    assert "nan" not in html


def test_page_is_written_whole_beside_no_drill_down(nights: Nights, tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "2026-11-24-7c1e"
    write_page(nights["pass"](), folder)
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    said = words((folder / "index.html").read_text(encoding="utf-8"))
    assert "Drift, column by column: not made. The report was made without samples" in said


def test_a_folder_that_cannot_be_written_is_named(nights: Nights, tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(SinkError, match=r"index\.html: is a folder"):
        write_page(nights["pass"](), tmp_path)


def test_the_figures_of_a_change_add_up(nights: Nights) -> None:
    """65.1 % to 60.9 %, rounded, is -4.2, whatever the exact shares are."""
    html = render_page(nights["fail"]())
    cell = r"<td>(?:[\d,]+, )?([\d.]+)\N{NO-BREAK SPACE}%(?: \([^)]*\))?</td>"
    rows = re.findall(rf"{cell}{cell}<td>([+\N{{MINUS SIGN}}\d.]+)", html)
    assert len(rows) > 10
    for before, now, change in rows:
        moved = float(change.replace("\N{MINUS SIGN}", "-"))
        assert abs(round(float(now) - float(before), 1)) == abs(moved)
