"""From a failed check on the page to its rows: the command that is told does what it says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from drugmon.cli.main import cli
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import ReportResult, report

Make = Callable[..., pa.Table]
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def run(source: Path, **options: Any) -> ReportResult:
    """A report whose pages lie two folders beside the source."""
    out = source.parent.parent / "pages" / "reports"
    return report(report_config(str(source), out=out, now=NOW, evidently=False, **options))


def commands(page: Path) -> list[list[str]]:
    """The command lines on a page, as a shell takes them apart."""
    found = re.findall(r"<code>(drugmon show .*?)</code>", page.read_text(), re.DOTALL)
    return [shlex.split(unescape(command)) for command in found]


def rows_of(command: list[str]) -> dict[str, Any]:
    """What a command prints, with --json."""
    done = CliRunner().invoke(cli, [*command[1:], "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


@pytest.fixture(name="night")
def _night(tmp_path: Path, scored_reviews: Make) -> pa.Table:
    (tmp_path / "it's data").mkdir()
    (tmp_path / "pages").mkdir()
    reference = tmp_path / "it's data" / "reference.parquet"
    pq.write_table(scored_reviews(600, seed=1, drugs=2), reference)
    return scored_reviews(300, seed=2, negative=0.5, drugs=2)


@pytest.mark.parametrize("kind", ["parquet", "csv", "duckdb"])
def test_the_commands_on_a_page_list_the_rows(
    tmp_path: Path, night: pa.Table, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "it's data"
    source = folder / f"night.{kind}"
    if kind == "parquet":
        pq.write_table(night, source)
    elif kind == "csv":
        pyarrow.csv.write_csv(night, source)
    else:
        with duckdb.connect(source) as connection:
            connection.register("night", night)
            connection.execute('CREATE TABLE "the reviews" AS FROM night')
    options = {"table": "the reviews"} if kind == "duckdb" else {}
    result = run(source, reference=str(folder / "reference.parquet"), since="2026-01-01", **options)
    monkeypatch.chdir(tmp_path / "pages")
    found = commands(result.page)
    of_label = [command for command in found if "overall_sentiment = 'negative'" in command]
    overall = next(command for command in of_label if "--slice" not in command)
    negative = night["overall_sentiment"].to_pylist().count("negative")
    assert rows_of(overall)["total"] == negative
    sliced = next(command for command in found if "--slice" in command)
    assert 0 < rows_of(sliced)["total"] < negative
    for command in found:
        assert str(tmp_path) not in " ".join(command)
        rows_of(command)


@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_commands_read_dates_and_names_as_the_report_does(
    tmp_path: Path, night: pa.Table, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged by the column of dates, however these are written, and as a slice however spaced."""
    days = ["20260102", "02-Jan-26", "January 2, 2026", "2026-01-02T01:00+02:00", "2026/1/2"]
    days += ["20251231", "31-Dec-25", "1/2/26", ""]
    dates = [days[row % len(days)] for row in range(len(night))]
    drugs = [
        ("St.  John's Wort", "st. john's wort ", "ST.\tJohn's wort")[row % 3]
        for row in range(len(night))
    ]
    labels = night["overall_sentiment"].to_pylist()
    night = night.set_column(night.schema.get_field_index("drug"), "drug", pa.array(drugs))
    night = night.append_column("Day of review", pa.array(dates))
    source = tmp_path / "it's data" / f"night.{kind}"
    if kind == "parquet":
        pq.write_table(night, source)
    else:
        with duckdb.connect(source) as connection:
            connection.register("night", night)
            connection.execute("CREATE TABLE reviews AS FROM night")
    earlier = pq.read_table(tmp_path / "it's data" / "reference.parquet")
    names = pa.array(["St. John's Wort"] * len(earlier))
    at = earlier.schema.get_field_index("drug")
    pq.write_table(earlier.set_column(at, "drug", names), tmp_path / "it's data" / "r.parquet")
    options = {"table": "reviews"} if kind == "duckdb" else {}
    result = run(
        source,
        reference=str(tmp_path / "it's data" / "r.parquet"),
        since="2026-01-02",
        until="2026-01-03",
        date_column="Day of review",
        by=("drug",),
        **options,
    )
    judged = [label for row, label in enumerate(labels) if row % len(days) in (0, 1, 2, 4)]
    assert result.summary.volume.rows == len(judged)
    monkeypatch.chdir(tmp_path / "pages")
    found = commands(result.page)
    sliced = [command for command in found if "--slice" in command]
    assert sliced
    negative = "overall_sentiment = 'negative'"
    of_label = [command for command in found if negative in command]
    assert {rows_of(command)["total"] for command in of_label} == {judged.count("negative")}
    assert any(command in of_label for command in sliced)


def test_no_command_where_nothing_is_off(tmp_path: Path, scored_reviews: Make) -> None:
    (tmp_path / "a").mkdir()
    source = tmp_path / "a" / "night.parquet"
    pq.write_table(scored_reviews(40), source)
    assert commands(run(source).page) == []


def test_a_page_links_the_nights_beside_it(tmp_path: Path, scored_reviews: Make) -> None:
    (tmp_path / "a").mkdir()
    source = tmp_path / "a" / "night.parquet"
    pq.write_table(scored_reviews(40), source)
    run(source, name="other")
    out, pages = tmp_path / "pages" / "reports", []
    for day in range(4):
        config = report_config(
            str(source),
            out=out,
            name="mine",
            keep=3,
            now=NOW + timedelta(days=day),
            evidently=False,
        )
        pages.append(report(config).page)
    links = [
        dict(re.findall(r'href="\.\./([^"/]+)/index.html" rel="(\w+)"', page.read_text()))
        for page in pages[1:]
    ]
    names = [page.parent.name for page in pages]
    assert links == [
        {names[2]: "next"},
        {names[1]: "prev", names[3]: "next"},
        {names[2]: "prev"},
    ]
