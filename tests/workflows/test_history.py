from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drugmon.data.history.histories import history_of, record_report, record_run
from drugmon.data.history.monitored import RunNumbers, RunTarget
from drugmon.data.history.runs import RunRecord
from drugmon.errors import SourceError
from drugmon.monitoring.checks.record import report_record
from drugmon.monitoring.checks.summary import Side, Status, Summary, Volume
from drugmon.statistics.figures import Interval
from drugmon.workflows.history import History, HistoryConfig, history

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TARGET = RunTarget("r0", "", "overall", 1, 2, 3, 4, 0.5, 0.2, 0.3, 0.5)
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
                str(output),
                "tiny@1",
                3,
                2,
                0,
                1,
                0.5,
                "1",
            )
            target = replace(TARGET, run_id=run, output=str(output))
            record_run(record, output, numbers=RunNumbers([target], "{}"))
            summary = replace(SUMMARY, run_id=run, created_at=at, source=output.name)
            record_report(report_record(summary, run), history_of(output))
    return tmp_path


def ids(found: History) -> tuple[list[str], list[str]]:
    return [run["run_id"] for run in found.runs], [night["report_id"] for night in found.nights]


OWN = ["reviews0", "reviews1", "reviews2"]


@pytest.mark.parametrize(
    "name", ["reviews.csv", "reviews.scored.csv", "./reviews.csv"], ids=["source", "output", "dot"]
)
def test_a_file_has_its_own_history(recorded: Path, name: str) -> None:
    found = history(HistoryConfig(recorded / name))
    assert ids(found) == (OWN, OWN)
    assert found.database == recorded / ".drugmon" / "history.duckdb"


@pytest.mark.parametrize("path", ["", ".drugmon/history.duckdb"], ids=["folder", "database"])
def test_a_folder_has_the_history_of_all(recorded: Path, path: str) -> None:
    runs, nights = ids(history(HistoryConfig(recorded / path)))
    assert sorted(runs) == sorted(nights) == ["other0", "other1", "other2", *OWN]


def test_the_newest_are_kept(recorded: Path) -> None:
    found = history(HistoryConfig(recorded / "reviews.csv", limit=2))
    assert ids(found) == (OWN[1:], OWN[1:])


def test_runs_have_their_numbers(recorded: Path) -> None:
    run = history(HistoryConfig(recorded / "reviews.csv")).runs[0]
    assert run["targets"]["overall"]["negative"] == 1


@pytest.mark.parametrize("where", ["/d/r.duckdb, table reviews", "r.duckdb, table main.reviews"])
def test_a_table_has_its_own_history(tmp_path: Path, where: str) -> None:
    database = tmp_path / "r.duckdb"
    record_report(report_record(replace(SUMMARY, run_id="a", source=where), "a"), database)
    record_report(
        report_record(replace(SUMMARY, run_id="b", source="r.duckdb, table old_reviews"), "b"),
        database,
    )
    name = where.rpartition(" ")[2]
    assert ids(history(HistoryConfig(database, table=name))) == ([], ["a"])


def test_a_night_under_another_name_is_known_by_what_was_scored(recorded: Path) -> None:
    database = recorded / ".drugmon" / "history.duckdb"
    named = replace(SUMMARY, run_id="named", source="US reviews", scored_runs=(OWN[0],))
    record_report(report_record(named, "named"), database)
    assert "named" in ids(history(HistoryConfig(recorded / "reviews.csv")))[1]
    other = replace(SUMMARY, run_id="other", source="UK reviews", scored_runs=("elsewhere",))
    record_report(report_record(other, "other"), database)
    assert "other" not in ids(history(HistoryConfig(recorded / "reviews.csv")))[1]


def test_what_is_not_recorded_is_said(
    recorded: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty")
    wrong: dict[str, Callable[[], History]] = {
        r"history\.duckdb: no history; drugmon score makes one": lambda: history(
            HistoryConfig(empty)
        ),
        r"no run or report of absent\.csv is recorded": lambda: history(
            HistoryConfig(recorded / "absent.csv")
        ),
        "no run or report of reviews is recorded": lambda: history(
            HistoryConfig(recorded, table="reviews")
        ),
    }
    for message, call in wrong.items():
        with pytest.raises(SourceError, match=message):
            call()
