"""What dates a row, which rows a window holds, and how fresh they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from drugmon.data.history.files import record_run
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.history.records import RunRecord
from drugmon.errors import UsageError
from drugmon.monitoring.checks.summary import Status
from tests.workflows.report.conftest import NOW, Make, Run, check, write


@pytest.mark.parametrize(
    ("cells", "rows"),
    [
        (["2026-01-01", "2026-01-02T03:00:00+01:00", "02-Jan-26", "January 2, 2026"], 3),
        (["2026-01-01T23:30:00-02:00", "", None, "soon"], 1),
    ],
)
def test_dates_as_people_write_them(
    tmp_path: Path, scored_reviews: Make, run: Run, cells: list[str | None], rows: int
) -> None:
    night = scored_reviews(4).append_column("seen", pa.array(cells, pa.string()))
    source = write(tmp_path / "n.parquet", night)
    summary = run(source, date_column="seen", since="2026-01-02", until="2026-01-03").summary
    assert summary.current.n == rows
    with pytest.raises(UsageError, match=r"--date-column sen: .* has no such column; it has 'id'"):
        run(source, date_column="sen")


def test_a_window_that_ends_now_has_no_dates_of_next_year(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    cells = ["2026-01-02", "2026-01-03", "2027-01-02", "2062-01-01", "2025-12-31", "2025-11-01"]
    night = scored_reviews(6).append_column("seen", pa.array(cells))
    source = write(tmp_path / "n.csv", night)
    summary = run(source, date_column="seen", last="7d").summary
    assert summary.current.n == 3, "by day, tomorrow has begun in some places"
    assert summary.current.until == datetime(2026, 1, 3, tzinfo=UTC)
    note = "2 rows are dated more than a day ahead in seen: a window that ends now leaves them out."
    assert note in summary.left_out
    since = run(source, date_column="seen", since="2025-12-01").summary
    assert since.current.n == 5 and note not in since.left_out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last": "7d", "run": "x"}, "exclude each other"),
        ({"last": "soon"}, "--last soon: give a number of hours, days or weeks"),
        ({"last": "999999999w"}, "--last 999999999w: is longer than a century"),
        ({"last": "99999999999999999999d"}, "give a number of hours, days or weeks"),
        ({"since": "0001-01-01T00:00+14:00"}, "give a year from 1900 to 2199"),
        ({"until": "9999-12-31T23:59-12:00"}, "give a year from 1900 to 2199"),
        ({"since": "5/12/20"}, "--since 5/12/20: no date"),
        ({"since": "yesterday"}, "--since yesterday: no date; write 2026-11-24"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "is not before"),
        ({"run": "abc"}, "--run abc: the history has no such run of this source"),
        ({"by": ("colour",)}, "--by colour: .* has no such column; it has 'id', 'drug"),
        ({"reference": "previous:x"}, "reference previous:x: give how many runs, 1 to 10,000"),
        ({"reference": "previous:" + "9" * 5000}, "give how many runs"),
    ],
)
def test_options_that_cannot_be_are_told(
    tmp_path: Path, scored_reviews: Make, run: Run, options: dict[str, Any], message: str
) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(4))
    with pytest.raises(UsageError, match=message):
        run(source, **options)


def test_an_old_night_is_not_fresh(tmp_path: Path, scored_reviews: Make, run: Run) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(40))
    late = run(source, now=NOW + timedelta(days=5))
    assert check(late, "freshness.newest").status is Status.FAIL
    assert "5 days ago" in check(late, "freshness.newest").says
    past = run(source, now=NOW + timedelta(days=5), until="2026-01-03")
    assert check(past, "freshness.newest").status is Status.UNJUDGED
    not_over = run(source, now=NOW + timedelta(days=5), since="2026-01-01", until="2027-01-01")
    assert check(not_over, "freshness.newest").status is Status.FAIL


def test_a_run_that_had_nothing_to_score_makes_no_verdict_newer(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    """They are of the second of January; the run that looked for more is of the fourth."""
    source = write(tmp_path / "n.parquet", scored_reviews(40))
    began, later = datetime(2026, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 4, 3, tzinfo=UTC)
    for name, at, scored in (("a", began, 40), ("b", later, 0)):
        ended, counts = at + timedelta(minutes=10), (40, scored, 40 - scored, 0)
        output = Output.of_file(source)
        record_run(
            RunRecord(name, "score", at, ended, "n", output, "nobody@0", *counts, 600.0, "0"),
            history_of(source),
        )
    for_run = {
        name: check(run(source, now=later + timedelta(hours=2), run=name), "freshness.newest")
        for name in ("last", "b", "a")
    }
    whole = check(run(source, now=later + timedelta(hours=2)), "freshness.newest")
    assert [found.status for found in (*for_run.values(), whole)] == [
        *(Status.PASS, Status.PASS, Status.UNJUDGED, Status.PASS)
    ]
    says = "The newest run ended 2026-01-04 03:10 UTC, 1.8 hours ago, and had nothing to score"
    assert whole.says == f"{says}: the newest verdicts are from 2026-01-02 03:04 UTC."
    assert for_run["last"].says == for_run["b"].says == f"{says}."


@pytest.mark.parametrize(("hours", "status"), [(0.5, Status.PASS), (30, Status.FAIL)])
def test_verdicts_of_the_future_are_not_fresh(
    tmp_path: Path, scored_reviews: Make, run: Run, hours: float, status: Status
) -> None:
    table = scored_reviews(40, at=NOW + timedelta(hours=hours))
    found = check(run(write(tmp_path / "n.parquet", table)), "freshness.newest")
    assert found.status is status
    if status is Status.FAIL:
        assert found.says == (
            "The newest verdicts are dated 2026-01-03 18:00 UTC, 30.0 hours after this report: a "
            "clock is wrong, or was when they were scored. How old they are is not known."
        )


def test_dates_that_cannot_be_read_are_counted(
    tmp_path: Path, scored_reviews: Make, run: Run
) -> None:
    cells = ["5/12/20", "20245-05-01", "0001-01-01", "2026-01-02"]
    night = scored_reviews(4).append_column("seen", pa.array(cells))
    source = write(tmp_path / "n.csv", night)
    summary = run(source, date_column="seen", since="2026-01-01").summary
    assert summary.current.n == 1
    assert summary.current.since == datetime(2026, 1, 1, tzinfo=UTC)
    everything = run(source, date_column="seen").summary
    for found in (summary, everything, run(source, date_column="seen", last="7d").summary):
        told = [says for says in found.left_out if "3 rows have no date in seen that can" in says]
        assert len(told) == 1
    assert everything.current.since == datetime(2026, 1, 2, tzinfo=UTC)
