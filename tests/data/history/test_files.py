from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest

from drugmon.data.history.files import (
    Recorded,
    read_history,
    record_report,
    record_run,
    sound_history,
)
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.history.records import (
    ReportCheck,
    ReportRecord,
    ReportTarget,
    RunRecord,
    RunTarget,
)
from drugmon.errors import DamagedError, SinkError, SourceError
from tests.data.files import largest_file

AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
NUMBERS = RunTarget("overall", 1, 2, 3, 4, 0.5, 0.2, 0.3, 0.5)


def a_run(output: Path, **changes: object) -> RunRecord:
    run = RunRecord(
        "r1", "score", AT, AT, "a.csv", Output(output), "tiny@1", 3, 2, 0, 1, 0.5, "0.1.0"
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def a_report(output: Output | None, **changes: object) -> ReportRecord:
    """A small report with one target and one check."""
    record = ReportRecord(
        report_id="report1",
        created_at=AT,
        source="b.csv",
        adapter="tiny@1",
        status="fail",
        reasons=["rows are missing"],
        page="2026-01-02-report1",
        reference=None,
        scored_runs=["r1"],
        rows=12,
        empty=2,
        scored=None,
        reused=None,
        seconds=None,
        output=output,
        targets={"overall": ReportTarget("overall", 4, 1, 5, 2, 0.8, None, None, None, None)},
        checks=[
            ReportCheck(
                0, "volume", "volume.rows", "Rows", "fail", "rows", 0.5, 0.4, 0.6, 0.2, 0.3, *NONE
            )
        ],
    )
    return replace(record, **changes)  # type: ignore[arg-type]


NONE = (None, None)


def test_runs_come_back_oldest_first_in_utc_with_their_numbers(tmp_path: Path) -> None:
    output = tmp_path / "reviews.scored.csv"
    history = history_of(output)
    assert history == tmp_path / ".drugmon" / "history.duckdb"
    assert read_history(history) == Recorded()
    late = datetime(2026, 3, 2, 1, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    last = a_run(output, run_id="r2", finished_at=late, targets={"overall": NUMBERS})
    record_run(last, history, profile="{}")
    record_run(a_run(output), history)
    runs = read_history(history).runs
    assert runs == [a_run(output), last]
    assert runs[1].finished_at.tzinfo is UTC


def test_a_run_of_several_outputs_keeps_their_numbers_apart(tmp_path: Path) -> None:
    history = tmp_path / "h.duckdb"
    first, second = Path("/x/reviews.csv"), Path("/y/reviews.csv")
    record_run(a_run(first, targets={"overall": NUMBERS}), history)
    record_run(a_run(second), history)
    assert [run.targets for run in read_history(history).runs] == [{"overall": NUMBERS}, {}]


def test_what_a_report_found_comes_back_and_is_recorded_once(tmp_path: Path) -> None:
    history = tmp_path / "h.duckdb"
    record = a_report(Output(tmp_path / "b.csv"))
    record_report(record, history)
    record_report(record, history)
    record_report(a_report(None, report_id="report2", reasons=[], checks=[]), history)
    first, second = read_history(history).reports
    assert first == record
    assert (second.output, list(second.reasons), list(second.checks)) == (None, [], [])


def test_a_folder_may_be_moved_with_its_history(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    output = tmp_path / "before" / "b.csv"
    record_run(a_run(output), history_of(output))
    moved = (tmp_path / "before").rename(tmp_path / "after")
    (run,) = read_history(history_of(moved / "b.csv")).runs
    assert run.output == Output.of_file(moved / "b.csv")


def test_a_database_called_like_the_schema_may_be_renamed(tmp_path: Path) -> None:
    database = tmp_path / "drugmon.duckdb"
    record_report(a_report(Output.of_table(database, "a", "Reviews")), database)
    database = database.rename(tmp_path / "renamed.duckdb")
    (report,) = read_history(database).reports
    assert report.output == Output.of_table(database, "A", "reviews")
    assert report.output != Output.of_table(database, "b", "reviews")
    assert report.output is not None
    assert report.output.name == "renamed.duckdb, table a.Reviews"


def test_a_name_that_is_no_utf8_is_recorded(tmp_path: Path) -> None:
    output = tmp_path / "b\udcff.csv"
    record_run(a_run(output, source=str(output)), history_of(output))
    (run,) = read_history(history_of(output)).runs
    assert run.output.path.name == "b\\xff.csv"


def test_a_file_that_is_no_history_is_named_and_left_alone(tmp_path: Path) -> None:
    rubbish = tmp_path / "reviews.csv"
    rubbish.write_bytes(b"rubbish" * 3000)
    for call in (
        lambda: read_history(rubbish),
        lambda: sound_history(rubbish, 0, print),
        lambda: record_run(a_run(tmp_path / "b.csv"), rubbish),
    ):
        with pytest.raises(DamagedError, match=r"reviews\.csv: not a DuckDB database file$"):
            call()
    assert rubbish.read_bytes() == b"rubbish" * 3000


@pytest.mark.parametrize("how", ["cut", "flipped", "zeros", "rubbish", "odd"])
def test_a_damaged_history_is_set_aside_and_told(tmp_path: Path, how: str) -> None:
    output = tmp_path / "b.csv"
    history = history_of(output)
    record_run(a_run(output), history)
    if how == "odd":
        with duckdb.connect(history) as connection:
            connection.execute("CREATE OR REPLACE TABLE drugmon.runs (colour INT)")
    else:
        whole = history.read_bytes()
        history.write_bytes(
            {
                "cut": whole[: len(whole) // 2],
                "flipped": bytes([*whole[:20_000], whole[20_000] ^ 1, *whole[20_001:]]),
                "zeros": whole[:12_288] + bytes(len(whole) - 12_288),
                "rubbish": b"rubbish" * 3000,
            }[how]
        )
    damaged = history.read_bytes()
    warned: list[str] = []
    record_run(a_run(output, run_id="r2"), history, warn=warned.append)
    assert [run.run_id for run in read_history(history).runs] == ["r2"]
    (aside,) = (path for path in history.parent.glob("*.damaged-*") if path.suffix != ".wal")
    assert aside.read_bytes() == damaged
    (warning,) = warned
    assert warning.startswith(f"the history was damaged and is now {aside}; a new one begins (")


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    """DuckDB calls it fatal when a checkpoint meets it; what was committed is in its log."""
    output = tmp_path / "b.csv"
    history = history_of(output)
    record_run(a_run(output), history)
    says = "cannot be written, but everything is in its .* File too large; make room and run again"
    with largest_file(history.stat().st_size), pytest.raises(SinkError, match=says):
        record_run(a_run(output, run_id="r2"), history, profile="p" * 100_000, warn=pytest.fail)
    assert [run.run_id for run in read_history(history).runs] == ["r1", "r2"]
    assert not list(history.parent.glob("*.damaged-*"))


def test_tables_of_others_are_not_set_aside(tmp_path: Path) -> None:
    database = tmp_path / "r.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute("CREATE TABLE mine (i INT); CREATE SCHEMA drugmon")
        connection.execute("CREATE TABLE drugmon.runs (colour INT)")
    with pytest.raises(SourceError, match="its schema drugmon holds tables that are not drugmon's"):
        record_run(a_run(tmp_path / "b.csv"), database)
    assert database.exists()


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_read_as_none(tmp_path: Path, number: str) -> None:
    output = Output.of_file(tmp_path / "b.csv")
    history = history_of(tmp_path / "b.csv")
    record_run(a_run(tmp_path / "b.csv", targets={"overall": NUMBERS}), history)
    record_report(a_report(output), history)
    with duckdb.connect(history) as connection:
        connection.execute("UPDATE drugmon.run_targets SET mean_confidence = ?", [number])
        connection.execute("UPDATE drugmon.report_checks SET effect = ?", [number])
    past = read_history(history)
    assert past.runs[0].targets["overall"].mean_confidence is None
    assert past.reports[0].checks[0].effect is None


@pytest.mark.parametrize("table", ["runs", "run_targets", "reports"])
def test_a_column_that_is_gone_is_told(tmp_path: Path, table: str) -> None:
    history = history_of(tmp_path / "b.csv")
    record_run(a_run(tmp_path / "b.csv", targets={"overall": NUMBERS}), history)
    record_report(a_report(None), history)
    with duckdb.connect(history) as connection:
        connection.execute(f"ALTER TABLE drugmon.{table} DROP COLUMN output_schema")
    with pytest.raises(DamagedError, match="its history lacks the column output_schema"):
        read_history(history)
