from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb
import pytest

from drugmon.data.selection import Selection
from drugmon.data.verdicts.columns import VERDICT_COLUMNS, VerdictColumns
from drugmon.errors import SinkError

REVIEWS = "(VALUES (1, 'a', 'x'), (2, 'bb', 'y'), (3, 'ccc', 'z')) AS r(id, review, kept)"
VIEW = "SELECT id, review, kept, overall_sentiment FROM {} ORDER BY id"
SCORED = [
    (1, "a", "x", "neutral"),
    (2, "bb", "y", "positive"),
    (3, "ccc", "z", "negative"),
]


@pytest.mark.parametrize(
    ("name", "table", "view"),
    [
        ("t", "t", "t_scored"),
        ("s.t", "s.t", "s.t_scored"),
        ('odd "na.me"!', '"odd ""na.me""!"', '"odd ""na.me""!_scored"'),
        ("reviews.reviews", "reviews.reviews.reviews", "reviews.reviews.reviews_scored"),
        ("T", "t", "t_scored"),
        ("select", '"select"', "select_scored"),
    ],
)
def test_odd_names_and_schemas(nights: Any, name: str, table: str, view: str) -> None:
    nights.sql(f"CREATE SCHEMA s; CREATE SCHEMA reviews; CREATE TABLE {table} AS FROM {REVIEWS}")
    nights.score(name)
    assert nights.sql(VIEW.format(view)) == SCORED


def test_the_view_has_the_tables_columns_and_then_the_verdicts(nights: Any) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS} SELECT *, 'stale' AS overall_sentiment")
    nights.score("t", verdicts=VerdictColumns(overwrite=True))
    names = [row[0] for row in nights.sql("DESCRIBE t_scored")]
    assert names == ["id", "review", "kept", *VERDICT_COLUMNS]


def test_a_view_of_reviews_gets_a_companion_too(nights: Any) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS}; CREATE VIEW v AS FROM t WHERE id < 3")
    nights.score("v")
    assert nights.sql(VIEW.format("v_scored")) == SCORED[:2]


def test_the_database_may_be_renamed(nights: Any) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS}")
    nights.score("t")
    nights.database = nights.database.rename(nights.database.with_name("drugmon.duckdb"))
    nights.score("t")
    assert nights.sql(VIEW.format("t_scored")) == SCORED


def test_a_later_night_replaces_changed_rows_and_drops_gone_ones(nights: Any) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS}")
    nights.score("t")
    nights.sql(
        "DELETE FROM t WHERE id = 1; UPDATE t SET review = 'dddd' WHERE id = 2;"
        "INSERT INTO t VALUES (4, '', NULL)"
    )
    nights.score("t")
    assert nights.sql("SELECT drugmon_key FROM t_sentiment ORDER BY ALL") == [
        ("2",),
        ("3",),
        ("4",),
    ]
    assert nights.sql(VIEW.format("t_scored")) == [
        (2, "dddd", "y", "neutral"),
        (3, "ccc", "z", "negative"),
        (4, "", None, "negative"),
    ]


def test_a_partial_night_leaves_the_rows_it_did_not_see(nights: Any) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS}")
    nights.score("t")
    nights.sql("UPDATE t SET review = 'dddd'; DELETE FROM t WHERE id = 1")
    nights.score("t", full=False, selection=Selection("id = 2"))
    assert nights.sql("SELECT drugmon_key FROM t_sentiment ORDER BY ALL") == [
        ("1",),
        ("2",),
        ("3",),
    ]
    labels = nights.sql("SELECT overall_sentiment FROM t_scored ORDER BY id")
    assert labels == [("neutral",), ("negative",)]


def test_the_same_fingerprint_scored_again_is_written_again(nights: Any) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS}")
    nights.score("t")
    ((before,),) = nights.sql("SELECT max(drugmon_scored_at)::VARCHAR FROM t_sentiment")
    nights.score("t", scored_at=nights.scored_at + timedelta(days=1))
    ((after, rows),) = nights.sql(
        "SELECT min(drugmon_scored_at)::VARCHAR, count(*) FROM t_sentiment"
    )
    assert (after > before, rows) == (True, 3)


def test_an_unchanged_night_runs_no_ddl_and_a_changed_table_gets_a_new_view(nights: Any) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS}")
    nights.score("t")
    oid = "SELECT view_oid FROM duckdb_views() WHERE view_name = 't_scored'"
    first = nights.sql(oid)
    nights.score("t")
    assert nights.sql(oid) == first
    nights.sql(
        "ALTER TABLE t DROP kept; ALTER TABLE t ADD stars INT; ALTER TABLE t ALTER id TYPE TEXT"
    )
    nights.score("t")
    assert nights.sql("SELECT id, stars, overall_sentiment FROM t_scored ORDER BY id")[0] == (
        "1",
        None,
        "neutral",
    )


@pytest.mark.parametrize("name", ["t_sentiment", "t_scored"])
@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_what_drugmon_did_not_make_stays(nights: Any, name: str, kind: str) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS}; CREATE {kind} {name} AS SELECT 1 AS mine")
    with pytest.raises(SinkError, match=f"^{name} exists and was not made by drugmon"):
        nights.score("t")
    assert nights.sql(f"FROM {name}") == [(1,)]


def test_texts_are_the_key_where_there_is_no_id(nights: Any) -> None:
    nights.sql(
        "CREATE TABLE t (benefits TEXT, comments TEXT); INSERT INTO t VALUES"
        "('a', NULL), ('a', NULL), ('a', ''), (NULL, 'a'), (NULL, NULL), (NULL, NULL)"
    )
    nights.score("t")
    assert nights.sql("SELECT count(*), count(drugmon_key) FROM t_sentiment") == [(6, 6)]
    assert nights.sql(
        "SELECT benefits, comments, overall_sentiment FROM t_scored ORDER BY ALL NULLS LAST"
    ) == [
        ("a", "", "neutral"),
        ("a", None, "neutral"),
        ("a", None, "neutral"),
        (None, "a", "negative"),
        (None, None, "negative"),
        (None, None, "negative"),
    ]


def test_the_run_is_recorded_with_the_verdicts(nights: Any) -> None:
    nights.sql(f"CREATE TABLE t AS FROM {REVIEWS}")
    nights.score("t")
    assert nights.sql("SELECT run_id, total, seconds FROM reviews.drugmon.runs") == [("r1", 3, 0.5)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("TIMESTAMPTZ", ["2026-01-02 03:04:05.678901+00", "2026-07-02 03:04:05+02"]),
        ("DATE", ["2026-01-02", "0044-03-15 (BC)"]),
        ("TIMESTAMP_NS", ["2026-01-02 03:04:05.123456789", "2026-01-02 03:04:05.123456788"]),
        ("DOUBLE", ["0.1", "1e300"]),
        ("DECIMAL(30, 4)", ["1.5", "1.25"]),
        ("UUID", ["123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174001"]),
        ("BLOB", ["\\x00a'", "b"]),
        ("ENUM('a', 'b ''c')", ["a", "b 'c"]),
        ("TEXT", ["007", "7"]),
        ("STRUCT(a TIMESTAMPTZ, b INTEGER)", ["{a: 2026-01-02 00:00:00+00, b: 1}", "{b: 2}"]),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_the_view_has_verdicts_for_readers_everywhere(
    nights: Any, kind: str, values: list[str], zone: str
) -> None:
    nights.sql(f"CREATE TABLE t (id {kind}, review TEXT)")
    for number, value in enumerate(values):
        cell = value.replace("'", "''")
        nights.sql(f"INSERT INTO t VALUES ('{cell}', 'text {number}')")  # noqa: S608
    nights.score("t")
    with duckdb.connect(nights.database) as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        seen = connection.sql("SELECT count(overall_sentiment), count(*) FROM t_scored").fetchall()
    assert seen == [(2, 2)]


def test_keys_that_a_collation_takes_for_equal_are_told_apart(nights: Any) -> None:
    nights.sql("CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, review TEXT)")
    nights.sql("INSERT INTO t VALUES ('a1', 'a'), ('A1', 'bb'), ('b', 'ccc')")
    nights.score("t")
    assert nights.sql("SELECT id, overall_sentiment FROM t_scored ORDER BY review") == [
        ("a1", "neutral"),
        ("A1", "positive"),
        ("b", "negative"),
    ]


def test_the_view_of_an_earlier_version_is_made_anew(nights: Any) -> None:
    nights.sql("CREATE TABLE t (id TIMESTAMPTZ, review TEXT)")
    nights.sql("INSERT INTO t VALUES ('2026-01-02 03:04:05+00', 'fine')")
    nights.score("t")
    columns = ", ".join(f"verdict.{name}" for name in VERDICT_COLUMNS)
    nights.sql(
        f"CREATE OR REPLACE VIEW t_scored AS SELECT review.id, review.review, {columns} "  # noqa: S608
        "FROM main.t AS review LEFT JOIN main.t_sentiment AS verdict "
        "ON CAST(review.id AS VARCHAR) = verdict.drugmon_key;"
        "COMMENT ON VIEW t_scored IS 'made by drugmon, definition 0123456789abcdef'"
    )
    nights.score("t")
    reader = "SET TimeZone = 'Asia/Kolkata'; SELECT count(overall_sentiment) FROM t_scored"
    assert nights.sql(reader) == [(1,)]
