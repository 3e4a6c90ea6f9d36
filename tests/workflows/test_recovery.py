"""Kills between what a run writes and its record: the next start has one record and one page each.

The points are the calls between which a process may die: it is killed there, not at some moment.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drugmon.data.history.files import Recorded, read_history
from drugmon.data.history.places import history_of

ROWS = 60
SCORE, REPORT = "drugmon.workflows.score", "drugmon.workflows.report"
NIGHTLY = "drugmon.workflows.nightly"


@pytest.fixture(name="drug")
def _drug(forker: Any, adapter: Path) -> Callable[..., None]:
    """Runs a command line with the tiny adapter, to its end or to the point where it dies."""

    def run(*arguments: object, die_at: str | None = None) -> None:
        own = () if arguments[0] == "nightly" else ("--adapter", adapter)
        forker.start(*arguments, *own, die_at=die_at)
        code = forker.end()
        expected = (-signal.SIGKILL,) if die_at else (0, 4)
        assert code in expected, forker.log.read_text()

    run_: Callable[..., None] = run
    return run_


def pages(out: Path) -> set[str]:
    return {folder.name for folder in out.glob("20*") if (folder / "index.html").is_file()}


def check_scored(recorded: Recorded, counts: list[tuple[int, int]]) -> None:
    """Runs have these (scored, reused), and numbers of as many rows as they scored."""
    assert [(run.scored, run.reused) for run in recorded.runs] == counts
    for run in recorded.runs:
        overall = run.targets.get("overall")
        judged = overall.negative + overall.neutral + overall.positive if overall else 0
        assert judged == run.scored


@pytest.mark.parametrize(
    ("point", "counts"),
    [
        (f"{SCORE}.files:record_run:before", [(ROWS, 0)]),
        (f"{SCORE}.files:record_run:after", [(ROWS, 0), (0, ROWS)]),
    ],
)
def test_the_record_of_a_file_has_what_a_killed_run_scored(
    tmp_path: Path, drug: Any, reviews: Any, to_csv: Any, point: str, counts: Any
) -> None:
    source = to_csv(tmp_path / "r.csv", reviews(ROWS))
    drug("score", source, die_at=point)
    drug("score", source)
    check_scored(read_history(history_of(source)), counts)
    to_csv(source, [*reviews(ROWS), *reviews(10, "later")])
    drug("score", source)
    check_scored(read_history(history_of(source)), [*counts, (10, ROWS)])
    assert [path.name for path in (tmp_path / ".drugmon").iterdir()] == ["history.duckdb"]


@pytest.mark.parametrize(
    ("point", "counts"),
    [
        ("drugmon.data.duckdb.tables:Table.commit:before", [(ROWS, 0)]),
        ("drugmon.data.duckdb.tables:Table.commit:after", [(ROWS, 0), (0, ROWS)]),
    ],
)
def test_the_record_of_a_table_has_what_a_killed_run_scored(
    tmp_path: Path, drug: Any, reviews: Any, to_csv: Any, point: str, counts: Any
) -> None:
    to_csv(tmp_path / "r.csv", reviews(ROWS))
    database = tmp_path / "r.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute(f"CREATE TABLE reviews AS FROM '{tmp_path / 'r.csv'}'")
    drug("score", database, "--table", "reviews", die_at=point)
    drug("score", database, "--table", "REVIEWS")  # the same table by another name
    check_scored(read_history(database), counts)


@pytest.mark.parametrize(
    "point",
    [
        f"{REPORT}.report:record_pages:before",
        f"{REPORT}.folder:record_report:after",
        f"{REPORT}.report:record_pages:after",
        f"{REPORT}.report:write_report_index:before",
    ],
)
def test_every_page_of_a_killed_report_is_in_the_history_once(
    tmp_path: Path, drug: Any, reviews: Any, to_csv: Any, point: str
) -> None:
    source = to_csv(tmp_path / "r.csv", reviews(ROWS))
    out = tmp_path / "reports"
    drug("score", source)
    arguments = ("report", tmp_path / "r.scored.csv", "--out", out)
    drug(*arguments, die_at=point)
    assert len(pages(out)) == 1
    drug(*arguments)
    recorded = read_history(history_of(source))
    assert len(recorded.reports) == 2
    assert {report.page for report in recorded.reports} == pages(out)
    assert [report.rows for report in recorded.reports] == [ROWS, ROWS]
    assert not list(out.glob("*/unrecorded"))
    index = (out / "index.html").read_text()
    assert all(f'"{page}/index.html' in index for page in pages(out))


@pytest.mark.parametrize(
    "point",
    [
        f"{SCORE}.files:record_run:before",
        f"{REPORT}.report:record_pages:before",
        f"{REPORT}.folder:record_report:after",
        f"{REPORT}.report:write_report_index:before",
        f"{NIGHTLY}.state:NightState.report:before",
        f"{NIGHTLY}.state:NightState.report:after",
        f"{NIGHTLY}.state:NightState.finish:before",
    ],
)
def test_a_killed_night_has_one_page_and_one_record(
    tmp_path: Path, drug: Any, adapter: Path, reviews: Any, to_csv: Any, point: str
) -> None:
    source = to_csv(tmp_path / "r.csv", reviews(ROWS))
    settings = tmp_path / "job.toml"
    settings.write_text(f'[[source]]\nsource = "r.csv"\nadapter = "{adapter}"\n')
    out = tmp_path / "reports"
    drug("nightly", settings, die_at=point)
    drug("nightly", settings)
    recorded = read_history(history_of(source))
    assert [(report.page, report.rows) for report in recorded.reports] == [
        (page, ROWS) for page in pages(out)
    ]
    assert len(recorded.reports) == 1
    assert [run.scored for run in recorded.runs if run.scored] == [ROWS]
    assert not list(out.glob("*/unrecorded"))
    assert f'"{recorded.reports[0].page}/index.html' in (out / "index.html").read_text()
