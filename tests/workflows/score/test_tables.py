from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drugmon.data.history.files import read_history
from drugmon.data.history.output import Output
from drugmon.errors import SourceError, UsageError

Any_ = Callable[..., Any]


class Owner:
    """The database's owner, who runs statements between the nights."""

    def __init__(self, database: Path) -> None:
        self.database = database

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.database) as connection:
            return connection.execute(text).fetchall()

    def scored(self) -> list[tuple[Any, ...]]:
        return self.sql("SELECT id FROM reviews_scored WHERE overall_sentiment NOT NULL ORDER BY 1")


@pytest.fixture(name="owner")
def _owner(tmp_path: Path) -> Owner:
    owner = Owner(tmp_path / "reviews.duckdb")
    owner.sql(
        "CREATE TABLE reviews AS "
        "SELECT i AS id, 'good ' || i AS benefits, 'bad ' || i AS side_effects, i % 10 AS rating "
        "FROM range(10) numbers(i)"
    )
    return owner


def test_a_night_leaves_the_database_and_nothing_beside_it(
    owner: Owner, score: Any_, files: Any_
) -> None:
    result = score(owner.database, table="reviews")
    assert result.outputs == (f"{owner.database}, table reviews",)
    assert len(owner.scored()) == 10
    assert files(owner.database.parent) == {"reviews.duckdb"}


def test_the_run_is_recorded_in_the_database(owner: Owner, score: Any_) -> None:
    result = score(owner.database, table="reviews")
    (record,) = read_history(owner.database).runs
    assert record.output == Output(owner.database, "main", "reviews")
    assert (record.run_id, record.total, record.scored) == (result.run_id, 10, 10)
    with pytest.raises(UsageError, match="--history is for files"):
        score(owner.database, table="reviews", history=Path("h.duckdb"))


@pytest.mark.parametrize("options", [{}, {"in_place": True}])
def test_dry_run_counts_and_writes_nothing(
    owner: Owner, score: Any_, files: Any_, options: dict[str, Any]
) -> None:
    before = owner.database.read_bytes()
    result = score(owner.database, table="reviews", dry_run=True, limit=7, **options)
    assert (result.total, result.scored, result.compute) == (7, 7, None)
    assert owner.database.read_bytes() == before
    assert files(owner.database.parent) == {"reviews.duckdb"}


def test_a_part_leaves_the_other_verdicts_alone(owner: Owner, score: Any_) -> None:
    first = score(owner.database, table="reviews", where="rating > 5", limit=3)
    assert (first.total, owner.scored()) == (3, [(6,), (7,), (8,)])
    second = score(owner.database, table="reviews", limit=2)
    assert (second.scored, owner.scored()) == (2, [(0,), (1,), (6,), (7,), (8,)])
    whole = score(owner.database, table="reviews")
    assert (whole.scored, whole.reused) == (5, 5)


def test_rescore_scores_every_row(owner: Owner, score: Any_) -> None:
    score(owner.database, table="reviews")
    at = "SELECT DISTINCT epoch_us(drugmon_scored_at) FROM reviews_scored"
    ((first,),) = owner.sql(at)
    assert score(owner.database, table="reviews", rescore=True).scored == 10
    ((second,),) = owner.sql(at)
    assert second > first


def test_rows_that_are_gone_leave_the_companion(owner: Owner, score: Any_) -> None:
    score(owner.database, table="reviews")
    owner.sql("DELETE FROM reviews WHERE id >= 8")
    assert score(owner.database, table="reviews").reused == 8
    assert owner.sql("SELECT count(*) FROM reviews_sentiment") == [(8,)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": "rating > 99"}, "has no rows that meet --where rating > 99; there is nothing"),
        ({"table": "nosuch"}, "no such table or view; there are: main.reviews"),
        (
            {"id_column": "nosuch"},
            "no column 'nosuch' for --id; it has: 'id', 'benefits', 'side_",
        ),
    ],
)
def test_an_error_leaves_nothing_behind(
    owner: Owner, score: Any_, files: Any_, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        score(owner.database, **{"table": "reviews", **options})
    assert files(owner.database.parent) == {"reviews.duckdb"}


def test_a_missing_database_makes_no_folder(tmp_path: Path, score: Any_, files: Any_) -> None:
    with pytest.raises(SourceError, match="no such database file; check the path"):
        score(tmp_path / "typo/reviews.duckdb", table="reviews")
    assert files(tmp_path) == set()


def test_what_a_killed_run_left_aside_is_swept(owner: Owner, score: Any_, files: Any_) -> None:
    left = owner.database.parent / ".drugmon/reviews.duckdb.reviews.aside"
    left.mkdir(parents=True)
    (left / "snapshot.parquet").write_bytes(b"texts")
    other = left.with_name("reviews.duckdb.other.aside")  # may be at work
    other.mkdir()
    score(owner.database, table="reviews")
    assert files(owner.database.parent) == {
        "reviews.duckdb",
        ".drugmon",
        ".drugmon/reviews.duckdb.other.aside",
    }


def test_only_this_user_reads_the_copy_of_the_texts(
    owner: Owner, score: Any_, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drugmon.workflows.score import table as score_table

    modes = []

    def look(*_given: object) -> None:
        (aside,) = (owner.database.parent / ".drugmon").glob("*.aside")
        modes.append(aside.stat().st_mode & 0o777)
        raise RuntimeError("stop here")

    monkeypatch.setattr(score_table, "_stage", look)
    with pytest.raises(RuntimeError, match="stop here"):
        score(owner.database, table="reviews")
    assert modes == [0o700]
    assert not (owner.database.parent / ".drugmon").exists()


@pytest.mark.parametrize("key", ["i", "md5('k' || i)", "uuid()"])
def test_new_ids_are_new_rows_whatever_the_ids_look_like(
    tmp_path: Path, score: Any_, key: str
) -> None:
    path = tmp_path / "r.duckdb"
    rows = f"SELECT {key} AS id, 'good' AS review FROM range({{}}) r(i)"  # noqa: S608
    with duckdb.connect(path) as connection:
        connection.execute(f"CREATE TABLE t AS {rows.format('4')}")
    assert score(path, table="t").scored == 4
    assert score(path, table="t").reused == 4
    with duckdb.connect(path) as connection:
        connection.execute(f"DELETE FROM t; INSERT INTO t {rows.format('4, 9')}")  # noqa: S608
    assert (score(path, table="t").scored, score(path, table="t").reused) == (5, 5)


def test_a_table_that_gets_an_id_keeps_its_rows(owner: Owner, score: Any_) -> None:
    path = owner.database
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT benefits FROM reviews")
    total = score(path, table="t").total
    with duckdb.connect(path) as connection:
        connection.execute("ALTER TABLE t ADD COLUMN id TEXT; UPDATE t SET id = md5('k' || rowid)")
    assert score(path, table="t").reused == total
    assert score(path, table="t").reused == total
