from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from drugmon.data.history.files import record_report, record_run
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.history.records import RunRecord, RunTarget
from drugmon.errors import SourceError
from drugmon.monitoring.checks.record import report_record
from drugmon.monitoring.checks.summary import Side, Status, Summary, Volume
from drugmon.options import build
from drugmon.statistics.figures import Interval
from drugmon.workflows.configs import HistoryConfig
from drugmon.workflows.history import History, history

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TARGET = RunTarget("overall", 1, 2, 3, 4, 0.5, 0.2, 0.3, 0.5)
SUMMARY = Summary(
    run_id="",
    created_at=AT,
    source="",
    adapter="tiny@1",
    status=Status.PASS,
    watched=("volume",),
    alpha=0.05,
    min_reviews=30,
    current=Side("all", 12, "tiny@1"),
    reference=None,
    volume=Volume(rows=12, empty=2, expected=Interval(12, 10, 14)),
    checks=(),
)


@pytest.fixture(name="recorded")
def _recorded(tmp_path: Path) -> Path:
    """A folder with the history of two outputs, three runs and reports each."""
    for name in ("reviews", "other"):
        output = tmp_path / f"{name}.scored.csv"
        for number in range(3):
            at = AT + timedelta(days=number)
            run = f"{name}{number}"
            record = RunRecord(
                run,
                "score",
                at,
                at,
                f"/data/{name}.csv",
                Output.of_file(output),
                "tiny@1",
                3,
                2,
                0,
                1,
                0.5,
                "1",
                {"overall": TARGET},
            )
            record_run(record, history_of(output), profile="{}")
            summary = replace(SUMMARY, run_id=run, created_at=at, source=output.name)
            made = report_record(summary, run, Output.of_file(output))
            record_report(made, history_of(output))
    return tmp_path


def ids(found: History) -> tuple[list[str], list[str]]:
    return [run.run_id for run in found.runs], [night.report_id for night in found.nights]


OWN = ["reviews0", "reviews1", "reviews2"]


@pytest.mark.parametrize(
    "name", ["reviews.csv", "reviews.scored.csv", "./reviews.csv"], ids=["source", "output", "dot"]
)
def test_a_file_has_its_own_history(recorded: Path, name: str) -> None:
    found = history(build(HistoryConfig, path=recorded / name))
    assert ids(found) == (OWN, OWN)
    assert found.database == recorded / ".drugmon" / "history.duckdb"


@pytest.mark.parametrize("path", ["", ".drugmon/history.duckdb"], ids=["folder", "database"])
def test_a_folder_has_the_history_of_all(recorded: Path, path: str) -> None:
    runs, nights = ids(history(build(HistoryConfig, path=recorded / path)))
    assert sorted(runs) == sorted(nights) == ["other0", "other1", "other2", *OWN]


def test_the_newest_are_kept(recorded: Path) -> None:
    found = history(build(HistoryConfig, path=recorded / "reviews.csv", limit=2))
    assert ids(found) == (OWN[1:], OWN[1:])


def test_runs_have_their_numbers(recorded: Path) -> None:
    run = history(build(HistoryConfig, path=recorded / "reviews.csv")).runs[0]
    assert run.targets["overall"].negative == 1


@pytest.mark.parametrize(
    ("name", "run"), [("a.reviews", "a"), ("B.Reviews", "b"), ("REVIEWS", "main"), ("gone", "gone")]
)
def test_a_table_has_its_own_history(tmp_path: Path, name: str, run: str) -> None:
    database = tmp_path / "r.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute(
            "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE reviews (i INT);"
            "CREATE TABLE a.reviews (i INT); CREATE TABLE b.reviews (i INT)"
        )
    for schema, table in (
        ("a", "reviews"),
        ("b", "reviews"),
        ("main", "reviews"),
        ("main", "gone"),
    ):
        output = Output.of_table(database, schema, table)
        summary = replace(SUMMARY, run_id=table if table == "gone" else schema, source=output.name)
        record_report(report_record(summary, summary.run_id, output), database)
    assert ids(history(build(HistoryConfig, path=database, table=name))) == ([], [run])


def test_a_name_that_several_schemas_have_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "r.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute(
            "CREATE SCHEMA a; CREATE SCHEMA b;"
            "CREATE TABLE a.reviews (i INT); CREATE TABLE b.reviews (i INT)"
        )
    with pytest.raises(SourceError, match=r"choose one of: a\.reviews, b\.reviews"):
        history(build(HistoryConfig, path=database, table="reviews"))


def test_files_of_one_name_in_one_history_are_told_apart(tmp_path: Path) -> None:
    database = tmp_path / "history.duckdb"
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        output = Output.of_file(tmp_path / folder / "reviews.scored.csv")
        summary = replace(SUMMARY, run_id=folder, source=output.name)
        record_report(report_record(summary, folder, output), database)
    (tmp_path / "x" / ".drugmon").mkdir()
    (tmp_path / "x" / ".drugmon" / "history.duckdb").symlink_to(database)
    assert ids(history(build(HistoryConfig, path=tmp_path / "x" / "reviews.csv"))) == ([], ["x"])


def test_a_night_under_another_name_is_known_by_what_was_judged_or_scored(recorded: Path) -> None:
    database = recorded / ".drugmon" / "history.duckdb"

    def record(name: str, output: str | None, scored_runs: tuple[str, ...] = ()) -> None:
        summary = replace(SUMMARY, run_id=name, source="US reviews", scored_runs=scored_runs)
        judged = Output.of_file(recorded / output) if output else None
        record_report(report_record(summary, name, judged), database)

    record("named", "reviews.scored.csv")
    record("other", "other.scored.csv", (OWN[0],))
    record("old", None, (OWN[0],))
    record("old other", None, ("elsewhere",))
    nights = ids(history(build(HistoryConfig, path=recorded / "reviews.csv")))[1]
    assert {"named", "other", "old", "old other"} & set(nights) == {"named", "old"}


def test_what_is_not_recorded_is_said(
    recorded: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty")
    wrong: dict[str, Callable[[], History]] = {
        r"history\.duckdb: no history; drugmon score makes one": lambda: history(
            build(HistoryConfig, path=empty)
        ),
        r"no run or report of absent\.csv is recorded": lambda: history(
            build(HistoryConfig, path=recorded / "absent.csv")
        ),
        "no run or report of reviews is recorded": lambda: history(
            build(HistoryConfig, path=recorded, table="reviews")
        ),
    }
    for message, call in wrong.items():
        with pytest.raises(SourceError, match=message):
            call()
