from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from drugmon.data.duckdb.tables import Table
from drugmon.data.selection import Selection
from drugmon.data.verdicts.columns import VerdictColumns
from drugmon.errors import BusyError, SourceError, UsageError

THREE = """
CREATE TABLE reviews AS SELECT * FROM (VALUES
    (7, 'it works', 'none', NULL), (8, 'it does not', NULL, 'a pity'), (9, NULL, NULL, NULL)
) AS r(id, benefitsReview, SIDE_EFFECTS_REVIEW, "Comments Review")
"""


def copied(nights: Any, path: Path, selection: Selection | None = None, **options: Any) -> Any:
    table = Table(nights.database, options.pop("name", "reviews"), **options)
    rows = table.snapshot(selection or Selection(), path / "s.parquet")
    copy = pq.read_table(path / "s.parquet")
    assert rows == copy.num_rows
    return copy


def test_a_snapshot_has_keys_and_texts_under_drugmons_names(nights: Any, tmp_path: Path) -> None:
    nights.sql(THREE)
    assert copied(nights, tmp_path).to_pylist() == [
        {"drugmon_key": "7", "benefits": "it works", "side_effects": "none", "comments": None},
        {"drugmon_key": "8", "benefits": "it does not", "side_effects": None, "comments": "a pity"},
        {"drugmon_key": "9", "benefits": None, "side_effects": None, "comments": None},
    ]


@pytest.mark.parametrize(
    ("where", "limit", "keys"),
    [
        ("id > 7", None, ["8", "9"]),
        ("id > 7 -- the new ones", 1, ["8"]),
        (None, 2, ["7", "8"]),
        ("\"Comments Review\" = 'a pity'", None, ["8"]),
        ("CAST(id AS BIGINT) + 1 IN (9, 10) AND NOT length(benefitsReview) > 99", None, ["8"]),
    ],
)
def test_where_and_limit_choose_rows(
    nights: Any, tmp_path: Path, where: str | None, limit: int | None, keys: list[str]
) -> None:
    nights.sql(THREE)
    copy = copied(nights, tmp_path, Selection(where, limit))
    assert copy["drugmon_key"].to_pylist() == keys


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("nosuch = 1", 'Referenced column "nosuch" not found'),
        ("id = ", "syntax error"),
        ("CAST(benefitsReview AS INT) = 1", "ConversionException at one of the rows$"),
        ("true); DROP TABLE reviews; --", "syntax error"),
        ("benefitsReview = 9", "compares a text with a number, and SQL would round the text"),
        ("id = '8.6'", "compares a text with a number, and SQL would round the text"),
    ],
)
def test_a_wrong_condition_is_named_without_any_text(
    nights: Any, tmp_path: Path, where: str, message: str
) -> None:
    nights.sql(THREE)
    with pytest.raises(UsageError, match=message) as raised:
        copied(nights, tmp_path, Selection(where))
    assert "it works" not in str(raised.value)
    assert nights.sql("SELECT count(*) FROM reviews") == [(3,)]


def test_columns_can_be_named_and_enums_are_texts(nights: Any, tmp_path: Path) -> None:
    nights.sql(
        "CREATE TYPE mood AS ENUM ('fine', 'None'); CREATE TABLE t (pros mood);"
        "INSERT INTO t VALUES ('fine'), ('None'), (NULL)"
    )
    copy = copied(nights, tmp_path, name="t", overrides={"benefits": "pros"})
    assert copy["benefits"].to_pylist() == ["fine", "None", None]


def test_a_text_column_of_numbers_is_named_with_its_type(nights: Any, tmp_path: Path) -> None:
    nights.sql("CREATE TABLE t (review BIGINT)")
    with pytest.raises(SourceError) as raised:
        copied(nights, tmp_path, name="t")
    assert str(raised.value) == (
        f"{nights.database}, table t: column 'review' holds BIGINT, a review text must be a "
        "VARCHAR; name another column with --column text=NAME"
    )


def test_previous_verdicts_come_back(nights: Any) -> None:
    nights.sql(THREE)
    assert list(Table(nights.database, "reviews").previous()) == []
    nights.score("reviews")
    (batch,) = Table(nights.database, "reviews").previous()
    assert batch["drugmon_adapter"].to_pylist() == ["tiny@1"] * 3


def test_the_file_is_free_between_the_calls(nights: Any) -> None:
    nights.sql(THREE)
    table = Table(nights.database, "reviews")
    staged = nights.stage(table)
    nights.sql("INSERT INTO reviews VALUES (10, 'later', NULL, NULL)")
    table.commit(staged, True, nights.a_run())
    assert nights.sql("SELECT id, overall_sentiment FROM reviews_scored ORDER BY id")[-1] == (
        10,
        None,
    )


LOCKER = """
import sys, time, duckdb
with duckdb.connect(sys.argv[1]) as connection:
    print("locked", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def lock(database: Path, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", LOCKER, str(database), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_locked_database_is_waited_for(nights: Any, tmp_path: Path) -> None:
    nights.sql(THREE)
    with lock(nights.database, 0.5):
        assert copied(nights, tmp_path, lock_timeout=20).num_rows == 3


def test_a_database_that_stays_locked_says_who_holds_it(nights: Any, tmp_path: Path) -> None:
    nights.sql(THREE)
    with lock(nights.database, 60) as process:
        try:
            with pytest.raises(BusyError) as raised:
                copied(nights, tmp_path, lock_timeout=0.3)
        finally:
            process.kill()
    assert str(raised.value) == (
        f"{nights.database}: another process (pid {process.pid}) has it open and did not close "
        "it within 0.3 s; stop it, or wait longer with --lock-timeout SECONDS"
    )


COMMITTER = """
import pickle, sys
from pathlib import Path
table, staged, run = pickle.load(open(sys.argv[1], "rb"))
print("go", flush=True)
table.commit(staged, True, run)
"""


@pytest.mark.parametrize("in_place", [False, True])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_state(
    nights: Any, tmp_path: Path, in_place: bool
) -> None:
    nights.sql("CREATE TABLE t AS SELECT i AS id, 'text ' || i AS review FROM range(20000) r(i)")
    nights.score("t", in_place=in_place, adapter="old@1")
    table = Table(nights.database, "t", in_place=in_place, lock_timeout=10)
    staged = nights.stage(table, adapter="new@1")
    job = tmp_path / "job"
    job.write_bytes(pickle.dumps((table, staged, nights.a_run(run_id="r2"))))
    states = f"FROM {'t' if in_place else 't_scored'} SELECT drugmon_adapter, count(*) GROUP BY ALL"
    seen = set()
    for delay in (0.03, 0.07, 0.12, 0.2, 0.4):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMITTER, str(job)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        runs = nights.sql("SELECT count(*) FROM reviews.drugmon.runs WHERE run_id = 'r2'")
        adapter = "new@1" if runs[0][0] else "old@1"
        assert nights.sql(states) == [(adapter, 20000)]
        seen.add(adapter)
    table.commit(staged, True, nights.a_run())
    assert nights.sql(states) == [("new@1", 20000)]
    assert "old@1" in seen


def test_a_failed_commit_changes_nothing(nights: Any, tmp_path: Path) -> None:
    nights.sql(THREE)
    table = Table(nights.database, "reviews")
    nights.stage(table)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")
    with pytest.raises(Exception, match="cannot be written, it is as it was: ") as raised:
        table.commit(broken, True, nights.a_run())
    assert "\n" not in str(raised.value)
    with duckdb.connect(nights.database) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [
            ("reviews",)
        ]


@pytest.mark.parametrize("in_place", [False, True])
def test_a_column_of_the_users_own_is_refused(nights: Any, tmp_path: Path, in_place: bool) -> None:
    nights.sql("CREATE TABLE t AS SELECT 1 AS id, 'fine' AS review, 'mine' AS overall_sentiment")
    with pytest.raises(SourceError, match="has a column overall_sentiment of its own"):
        copied(nights, tmp_path, name="t", in_place=in_place)
    assert (
        len(
            copied(
                nights,
                tmp_path,
                name="t",
                in_place=in_place,
                verdicts=VerdictColumns(overwrite=True),
            )
        )
        == 1
    )


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_column_that_sql_takes_for_a_verdict_is_refused(
    nights: Any, tmp_path: Path, in_place: bool, overwrite: bool
) -> None:
    nights.sql("CREATE TABLE t AS SELECT 1 AS id, 'fine' AS review, 'mine' AS Overall_Sentiment")
    with pytest.raises(SourceError, match="is the same as the verdict overall_sentiment; rename"):
        copied(
            nights,
            tmp_path,
            name="t",
            in_place=in_place,
            verdicts=VerdictColumns(overwrite=overwrite),
        )


@pytest.mark.parametrize("in_place", [False, True])
def test_an_own_column_of_another_type_is_replaced_where_it_may_be(
    nights: Any, in_place: bool
) -> None:
    nights.sql(
        "CREATE TABLE t AS SELECT id, 'fine' || id AS review, 7 AS overall_sentiment "
        "FROM range(2) r(id)"
    )
    selection = Selection(where="id = 0")
    nights.score(
        "t",
        in_place=in_place,
        verdicts=VerdictColumns(overwrite=True),
        selection=selection,
        full=False,
    )
    rows = {
        True: "SELECT overall_sentiment, typeof(overall_sentiment) FROM t ORDER BY id",
        False: "SELECT overall_sentiment, typeof(overall_sentiment) FROM t_scored ORDER BY id",
    }
    assert nights.sql(rows[in_place]) == [("positive", "VARCHAR"), (None, "VARCHAR")]


def test_a_view_that_takes_too_long_is_broken_off(nights: Any, tmp_path: Path) -> None:
    nights.sql(
        "CREATE VIEW v AS SELECT a.range || b.range AS review "
        "FROM range(1000000) AS a, range(1000000) AS b"
    )
    with pytest.raises(SourceError, match=r"table v: was not copied within 0\.2 s, which a view"):
        Table(nights.database, "v").snapshot(Selection(), tmp_path / "s.parquet", seconds=0.2)
    assert nights.sql("SELECT 1") == [(1,)], "the database is free again"
