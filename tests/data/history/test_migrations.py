"""Databases that earlier versions made; the fixtures are of the last one without a version."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from drugmon.data.history.database import HistoryDatabase
from drugmon.data.history.files import read_history, record_run
from drugmon.data.history.migrations import LATEST
from drugmon.data.history.output import Output
from drugmon.errors import SinkError, SourceError
from tests.data.history.test_files import a_run

FIXTURES = Path(__file__).parent / "fixtures"


def unpack(name: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.decompress((FIXTURES / f"{name}.duckdb.gz").read_bytes()))
    return path


def sql(database: Path, text: str) -> list[tuple[object, ...]]:
    with duckdb.connect(database) as connection:
        return connection.execute(text).fetchall()


def test_a_history_of_files_tells_apart_what_is_called_alike(tmp_path: Path) -> None:
    history = unpack("files", tmp_path / "history.duckdb")
    before = sql(history, "SELECT run_id, total FROM drugmon.runs ORDER BY finished_at")
    recorded = read_history(history)
    assert [(run.run_id, run.total) for run in recorded.runs] == before
    assert [run.output for run in recorded.runs] == [
        Output(tmp_path / "x" / "reviews.scored.csv"),
        Output(tmp_path / "y" / "reviews.scored.csv"),
    ]
    assert [run.targets["overall"].negative for run in recorded.runs] == [3, 5]
    # Their reports had been mixed: whose they are is not known.
    assert [(night.source, night.output) for night in recorded.reports] == [
        ("reviews.scored.csv", None)
    ] * 4


def test_a_history_of_tables_knows_their_schemas(tmp_path: Path) -> None:
    database = unpack("table", tmp_path / "renamed.duckdb")
    recorded = read_history(database)
    assert [(run.total, run.output) for run in recorded.runs] == [
        (total, Output(database, schema, table))
        for total, schema, table in (
            (10, "a", "reviews"),
            (16, "b", "reviews"),
            (12, "b", "only_here"),
            (14, "main", "gone"),
            (14, "main", "dotted.name"),
            (11, "main", "reviews"),
        )
    ]
    for run in recorded.runs:
        overall = run.targets["overall"]
        assert overall.negative + overall.neutral + overall.positive == run.total
    assert {(night.source, night.output) for night in recorded.reports} == {
        ("reviews.duckdb, table reviews", None),  # of a or of b, whose runs had been mixed
        ("reviews.duckdb, table Reviews", None),
        ("reviews.duckdb, table b.only_here", Output(database, "b", "only_here")),
    }
    assert all(len(night.checks) > 5 and night.targets for night in recorded.reports)


def test_a_copy_of_a_history_file_is_made_first(tmp_path: Path) -> None:
    history = unpack("files", tmp_path / "h" / "history.duckdb")
    before = sql(history, "SELECT run_id, output, total FROM drugmon.runs ORDER BY ALL")
    record_run(a_run(tmp_path / "b.csv"), history)
    (copy,) = (path for path in history.parent.iterdir() if path != history)
    assert copy.name == "history.duckdb.version-0"
    assert sql(copy, "SELECT run_id, output, total FROM drugmon.runs ORDER BY ALL") == before
    assert len(read_history(history).runs) == 3
    assert sql(history, "SELECT version FROM drugmon.schema_version ORDER BY 1") == [
        (1,),
        (2,),
        (3,),
        (4,),
    ]


def test_of_a_database_with_tables_no_copy_is_made(tmp_path: Path) -> None:
    read_history(unpack("table", tmp_path / "r.duckdb"))
    assert [path.name for path in tmp_path.iterdir()] == ["r.duckdb"]


def test_the_first_histories_had_runs_alone(tmp_path: Path) -> None:
    history = unpack("files", tmp_path / "history.duckdb")
    for table in ("run_targets", "run_profiles", "reports", "report_targets", "report_checks"):
        sql(history, f"DROP TABLE drugmon.{table}")
    recorded = read_history(history)
    assert [run.targets for run in recorded.runs] == [{}, {}]
    assert recorded.reports == []


def test_a_kept_profile_is_found_by_its_output(tmp_path: Path) -> None:
    database = unpack("table", tmp_path / "r.duckdb")
    runs = read_history(database).runs
    with duckdb.connect(database, read_only=True) as connection:
        kept = HistoryDatabase(connection, database).profiles([run.run_id for run in runs])
    assert {profile.output for profile in kept} == {run.output for run in runs}


def test_a_migration_that_fails_leaves_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drugmon.data.history import migrations

    database = unpack("table", tmp_path / "r.duckdb")
    before = sql(database, "SELECT run_id, output, total FROM drugmon.runs ORDER BY ALL")

    def fail(connection: duckdb.DuckDBPyConnection, _database: Path) -> None:
        connection.execute("DELETE FROM drugmon.runs")
        raise duckdb.IOException("no space left")

    monkeypatch.setitem(migrations._MIGRATIONS, 2, fail)
    with pytest.raises(SinkError, match="cannot be written, it is as it was: no space left"):
        read_history(database)
    assert sql(database, "SELECT run_id, output, total FROM drugmon.runs ORDER BY ALL") == before
    monkeypatch.undo()
    assert len(read_history(database).runs) == 6


def test_a_later_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    history = tmp_path / "history.duckdb"
    record_run(a_run(tmp_path / "b.csv"), history)
    sql(
        history,
        "INSERT INTO drugmon.schema_version "
        "SELECT max(version) + 1, now(), '9.0' FROM drugmon.schema_version",
    )
    says = rf"has version {LATEST + 1}, and this drugmon .* upgrade drugmon: pip install --upgrade"
    for call in (
        lambda: read_history(history),
        lambda: record_run(a_run(tmp_path / "b.csv"), history),
    ):
        with pytest.raises(SourceError, match=says):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["history.duckdb"]
