from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drugmon.data.history.histories import (
    history_of,
    read_history,
    read_nights,
    read_run_numbers,
    record_report,
    record_run,
)
from drugmon.data.history.monitored import RunNumbers, RunTarget
from drugmon.data.history.runs import RunRecord
from drugmon.errors import SourceError
from drugmon.monitoring.checks.record import report_record
from drugmon.monitoring.checks.summary import (
    Balance,
    Check,
    LabelShare,
    Side,
    Status,
    Summary,
    Volume,
)
from drugmon.statistics.figures import Interval

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = RunRecord("r1", "score", AT, AT, "a.csv", "b.csv", "tiny@1", 3, 2, 0, 1, 0.5, "0.1.0")


def test_runs_are_kept_beside_the_output(tmp_path: Path) -> None:
    output = tmp_path / "reviews.scored.csv"
    assert read_history(history_of(output)) == []
    record_run(RUN, output)
    record_run(replace(RUN, run_id="r2"), output)
    assert [run.run_id for run in read_history(tmp_path / ".drugmon" / "history.duckdb")] == [
        "r1",
        "r2",
    ]
    assert read_history(history_of(output))[0] == RUN


def test_another_place_can_be_named(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere" / "drugmon.duckdb"
    record_run(RUN, tmp_path / "b.csv", place)
    assert read_history(place) == [RUN]
    assert not (tmp_path / ".drugmon").exists()


def test_a_history_that_cannot_be_is_named(tmp_path: Path) -> None:
    rubbish = tmp_path / "history.duckdb"
    rubbish.write_bytes(b"rubbish" * 3000)
    with pytest.raises(SourceError, match=r"history\.duckdb: not a DuckDB database file$"):
        read_history(rubbish)
    with pytest.raises(SourceError, match=r"history\.duckdb: not a DuckDB database file$"):
        record_run(RUN, tmp_path / "b.csv", rubbish)


def summary(status: Status = Status.PASS) -> Summary:
    """A small report with one target and one check."""
    share = Interval(0.5, 0.4, 0.6)
    counts = {"negative": 4, "neutral": 1, "positive": 5, "none": 2}
    shares = tuple(LabelShare(name, None, n, None, share, None) for name, n in counts.items())
    return Summary(
        run_id="report1",
        created_at=AT,
        source="b.csv",
        adapter="tiny@1",
        status=status,
        watched=("volume",),
        alpha=0.05,
        min_reviews=30,
        current=Side("b.csv", 12, "tiny@1"),
        reference=None,
        volume=Volume(rows=12, empty=2),
        checks=(
            Check(
                "volume", "volume.rows", "Rows", status, "rows are missing", "rows", share, 0.2, 0.3
            ),
        ),
        balance=(Balance("overall", shares, None, None, None, mean_confidence=0.8),),
        scored_runs=("r1",),
    )


def test_what_a_report_found_comes_back(tmp_path: Path) -> None:
    database = tmp_path / ".drugmon" / "history.duckdb"
    assert read_nights(database) == []
    record_report(report_record(summary(Status.FAIL), "2026-01-02-report1"), database)
    (night,) = read_nights(database)
    assert night["created_at"] == AT
    assert (night["status"], night["rows"], night["page"]) == ("fail", 12, "2026-01-02-report1")
    assert night["reasons"] == ["rows are missing"]
    assert night["targets"]["overall"]["negative"] == 4
    assert night["targets"]["overall"]["mean_confidence"] == 0.8
    (check,) = night["checks"]
    assert (check["name"], check["effect"], check["p_adjusted"]) == ("volume.rows", 0.5, 0.3)


def test_numbers_of_a_run_stand_beside_its_record(tmp_path: Path) -> None:
    target = RunTarget("r1", "b.csv", "overall", 1, 2, 3, 4, 0.5, 0.2, 0.3, 0.5)
    record_run(RUN, tmp_path / "b.csv", numbers=RunNumbers([target], "{}"))
    database = history_of(tmp_path / "b.csv")
    assert read_history(database) == [RUN]
    assert read_run_numbers(database) == [target]
    assert read_nights(database) == []


def test_a_history_of_before_has_no_numbers(tmp_path: Path) -> None:
    record_run(RUN, tmp_path / "b.csv")
    database = history_of(tmp_path / "b.csv")
    assert read_run_numbers(database) == []
    record_report(report_record(summary(), "page"), database)
    assert len(read_nights(database)) == 1
    assert read_history(database) == [RUN]
