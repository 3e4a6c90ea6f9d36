"""What a report compares with: never with the rows that it judges, whatever names these."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.duckdb.database import connect, create
from drugmon.data.history.database import writing_history
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.history.records import RunRecord
from drugmon.errors import UsageError
from drugmon.monitoring.checks.summary import Status, Summary
from drugmon.workflows.report.config import Scoring, report_config
from drugmon.workflows.report.report import report
from tests.reports.parsed import Page

Make = Callable[..., pa.Table]

FIRST = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
NIGHT_ROWS = 130
"""Rows of a night; its run is at work from `started` on for ten minutes, in two batches."""


@dataclass(frozen=True)
class Nights:
    """Ten nights of scored rows, the last of them far more negative, with the records of runs.

    `seen` dates a row by the noon before its night.
    """

    database: Path
    file: Path

    def started(self, night: int) -> datetime:
        """When the run of a night, counted from 0, began."""
        return FIRST + timedelta(days=night)

    def share_negative(self, nights: range) -> float:
        """The share of negative verdicts in some nights, straight from the table."""
        sql = (
            "SELECT avg((overall_sentiment = 'negative')::INT) FROM reviews "
            "WHERE drugmon_scored_at::DATE BETWEEN ? AND ?"
        )
        days = [self.started(nights[place]).date() for place in (0, -1)]
        with duckdb.connect(self.database, read_only=True) as connection:
            connection.execute("SET TimeZone='UTC'")
            ((share,),) = connection.execute(sql, days).fetchall()
        return float(share)


def _night(make: Make, night: int) -> pa.Table:
    """Night 9 is shifted; half of a night's rows are scored three minutes into the run."""
    started = FIRST + timedelta(days=night)
    halves = [
        make(
            NIGHT_ROWS // 2,
            seed=100 + 2 * night + half,
            negative=0.5 if night == 9 else 0.2,
            at=started + timedelta(minutes=2 + half),
        )
        for half in range(2)
    ]
    table = pa.concat_tables(halves)
    return table.append_column("seen", pa.array([started - timedelta(hours=14)] * len(table)))


def _record(night: int, output: Output) -> RunRecord:
    started = FIRST + timedelta(days=night)
    finished = started + timedelta(minutes=10)
    counts = (NIGHT_ROWS, NIGHT_ROWS, 0, 0)
    return RunRecord(
        f"run{night}", "score", started, finished, "r", output, "nobody@0", *counts, 600.0, "0"
    )


@pytest.fixture(scope="module", name="nights")
def _nights(tmp_path_factory: pytest.TempPathFactory, scored_reviews: Make) -> Nights:
    folder = tmp_path_factory.mktemp("nights")
    database, file = folder / "w.duckdb", folder / "w.scored.parquet"
    table = pa.concat_tables([_night(scored_reviews, night) for night in range(10)])
    pq.write_table(table, file)
    create(history_of(file))
    with duckdb.connect(database) as connection:
        connection.register("arriving", table)
        connection.execute("CREATE TABLE reviews AS FROM arriving")
    for path, output in (
        (database, Output.of_table(database, "main", "reviews")),
        (history_of(file), Output.of_file(file)),
    ):
        with (
            connect(path, read_only=False, lock_timeout=1) as connection,
            writing_history(connection, path, str(path)) as history,
        ):
            for night in range(10):
                history.add_run(_record(night, output))
    return Nights(database, file)


@pytest.fixture(name="summary")
def _summary(nights: Nights, tmp_path: Path) -> Callable[..., Summary]:
    """The summary of a report on the file or the table: `summary("table", last="36h")`."""

    def summary(kind: str, **options: Any) -> Summary:
        source = nights.database if kind == "table" else nights.file
        options["table"] = "reviews" if kind == "table" else None
        now = nights.started(9) + timedelta(hours=1)
        given = {"out": tmp_path, "now": now, "evidently": False, **options}
        return report(report_config(str(source), **given)).summary

    return summary


def says(summary: Summary, label: str, target: str = "overall") -> tuple[float, float]:
    """The shares of a label that the page has: in the reference, and now."""
    (balance,) = (each for each in summary.balance if each.target == target)
    (share,) = (each for each in balance.shares if each.label == label)
    assert share.reference and share.reference.value is not None and share.current.value is not None
    return share.reference.value, share.current.value


LAST_NIGHT: dict[str, dict[str, Any]] = {
    "run": {"run": "run9"},
    "no window": {},
    "since": {"since": "2026-01-10"},
    "since within the run": {"since": "2026-01-10T02:02:30"},
    "since and until": {"since": "2026-01-10T00:00", "until": "2026-01-10T23:00"},
    "last": {"last": "12h"},
    "last by a column": {"last": "36h", "date_column": "seen"},
    "a night's span": {"since": "2026-01-09T03:00", "scoring": Scoring(("run9",))},
}


@pytest.mark.parametrize("kind", ["table", "file"])
@pytest.mark.parametrize("window", LAST_NIGHT)
def test_the_runs_before_hold_nothing_of_the_window(
    nights: Nights, summary: Callable[..., Summary], window: str, kind: str
) -> None:
    found = summary(kind, reference="previous:7", **LAST_NIGHT[window])
    assert found.reference is not None
    assert found.reference.runs == tuple(f"run{night}" for night in range(2, 9))
    assert found.reference.n == 7 * NIGHT_ROWS
    then, now = says(found, "negative")
    assert then == pytest.approx(nights.share_negative(range(2, 9)))
    if window != "since within the run":
        assert found.current.n == NIGHT_ROWS
        assert now == pytest.approx(nights.share_negative(range(9, 10)))
        assert found.status is Status.FAIL


@pytest.mark.parametrize("kind", ["table", "file"])
@pytest.mark.parametrize(
    ("window", "runs"),
    [
        ({"last": "3d"}, range(3, 7)),
        ({"since": "2026-01-06", "until": "2026-01-08"}, range(1, 5)),
        ({"run": "run5"}, range(1, 5)),
        ({"since": "2026-02-01"}, range(6, 10)),
        ({"since": "2026-01-05", "until": "2026-01-07", "date_column": "seen"}, range(1, 5)),
    ],
)
def test_windows_of_several_nights_and_of_the_past(
    nights: Nights, summary: Callable[..., Summary], window: dict[str, Any], runs: range, kind: str
) -> None:
    found = summary(kind, reference="previous:4", **window)
    assert found.reference is not None
    assert found.reference.runs == tuple(f"run{night}" for night in runs)
    (balance,) = (each for each in found.balance if each.target == "overall")
    (share,) = (each for each in balance.shares if each.label == "negative")
    assert share.reference is not None
    assert share.reference.value == pytest.approx(nights.share_negative(runs))


@pytest.mark.parametrize("window", [{"until": "2026-01-08"}, {"since": "2026-01-01"}])
def test_where_all_runs_are_judged_nothing_is_compared(
    summary: Callable[..., Summary], window: dict[str, Any]
) -> None:
    found = summary("table", reference="previous:7", **window)
    assert found.reference is None
    assert any(
        "the history knows of no run of this source before those judged here" in each
        for each in found.left_out
    )


def test_the_page_says_which_runs_and_dates_the_reference_covers(
    nights: Nights, tmp_path: Path
) -> None:
    now = nights.started(9) + timedelta(hours=1)
    config = report_config(
        str(nights.database),
        table="reviews",
        reference="previous:3",
        since="2026-01-10",
        out=tmp_path,
        now=now,
        evidently=False,
    )
    page = report(config).page.read_text()
    assert "390 reviews of the 3 runs before" in page
    assert "2026-01-07 02:02 to 2026-01-09 02:03 UTC" in page
    assert "scored by run6, run7, run8" in page


def test_a_file_that_holds_the_judged_rows_is_a_reference_without_them(
    nights: Nights, summary: Callable[..., Summary]
) -> None:
    found = summary("table", reference=str(nights.file), since="2026-01-10")
    assert found.reference is not None and found.reference.n == 9 * NIGHT_ROWS
    assert says(found, "negative")[0] == pytest.approx(nights.share_negative(range(9)))
    assert (
        "130 rows of w.scored.parquet are among those judged here: the reference is the others."
        in found.left_out
    )
    assert found.reference.since == nights.started(0) + timedelta(minutes=2)


@pytest.mark.parametrize("rows", [0, 1300])
def test_a_reference_without_rows_of_its_own_is_refused(
    nights: Nights, summary: Callable[..., Summary], tmp_path: Path, rows: int
) -> None:
    path = tmp_path / "r.parquet"
    pq.write_table(pq.read_table(nights.file).slice(0, rows), path)
    which = "no rows but those judged here" if rows else "no rows"
    with pytest.raises(UsageError, match=rf"--reference .*r\.parquet: has {which}; name scored"):
        summary("file", reference=str(path))


def test_a_reference_that_another_adapter_judged_is_told(
    tmp_path: Path, score: Any, reviews: Any, to_csv: Any
) -> None:
    """Its rows are scored anew by the second: of the first run only a profile is left."""
    source, file = to_csv(tmp_path / "r.csv", reviews(40)), tmp_path / "r.scored.csv"
    first = score(source)
    shutil.copy(file, tmp_path / "before.csv")
    second = score(source, rule="likeliest")
    to_csv(source, [*reviews(40), *reviews(10, "later")])
    third = score(source, rule="likeliest")
    told = (
        f"The reference was judged by {first.adapter}, and rows of these by {second.adapter}: what "
        "differs may be the adapter's doing, and not the reviews'."
    )
    for run, reference, is_told in (
        (second, "previous:1", True),
        (second, str(tmp_path / "before.csv"), True),
        (third, "previous:1", False),
        (third, "adapter", False),
    ):
        config = report_config(
            str(file), reference=reference, run=run.run_id, out=tmp_path / "pages", evidently=False
        )
        done = report(config)
        assert (told in done.summary.left_out) is is_told
        page = Page(done.page.read_text())
        assert (f"judged by another adapter, {first.adapter}" in page.text) is is_told


def test_of_rows_that_are_gone_no_column_is_told_that_was_not_there(
    tmp_path: Path, score: Any, reviews: Any, to_csv: Any
) -> None:
    """Lone texts without a drug in a file; drugs in a table, of which runs read texts alone."""
    given = [{"id": row["id"], "review": row["benefits"]} for row in reviews(40)]
    file, database = to_csv(tmp_path / "r.csv", given), tmp_path / "w.duckdb"
    with duckdb.connect(database) as connection:
        connection.register("arriving", pa.Table.from_pylist(given))
        connection.execute("CREATE TABLE reviews AS SELECT *, 'x' AS drug FROM arriving")
    kinds: list[tuple[Path, Path, dict[str, Any]]] = [
        (file, tmp_path / "r.scored.csv", {}),
        (database, database, {"table": "reviews"}),
    ]
    for source, scored, options in kinds:
        score(source, **options)
        second = score(source, rule="likeliest", **options)
        config = report_config(
            str(scored),
            reference="previous:1",
            run=second.run_id,
            out=tmp_path / "pages",
            evidently=False,
            **options,
        )
        summary = report(config).summary
        assert summary.reference is not None and summary.reference.n == 40
        says = {check.name: check.says for check in summary.checks}
        assert "drift.drugs" not in says
        assert says["drift.empty"] == "No review is without a text."
        assert "The source has no texts by aspect: only the overall verdict is compared." in (
            summary.left_out
        )
        no_drugs = "Drugs are not compared: the reference has no drug column."
        assert (no_drugs in summary.left_out) is bool(options)
