from __future__ import annotations

from typing import Any

import pytest

from drugmon.data.duckdb.tables import Table
from drugmon.data.verdicts.columns import VERDICT_COLUMNS, VerdictColumns
from drugmon.errors import UsageError

LABELS = "SELECT id, overall_sentiment FROM t ORDER BY id"


@pytest.fixture(name="three")
def _three(nights: Any) -> Any:
    nights.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, review TEXT); CREATE INDEX i ON t (review);"
        "CREATE VIEW v AS FROM t; INSERT INTO t VALUES (1, 'a'), (2, 'bb'), (3, 'ccc'), (4, 'a')"
    )
    return nights


def test_verdict_columns_are_added_behind_the_others_and_filled(three: Any) -> None:
    three.score("t", in_place=True)
    assert [row[0] for row in three.sql("DESCRIBE t")] == ["id", "review", *VERDICT_COLUMNS]
    assert three.sql(LABELS) == [(1, "neutral"), (2, "positive"), (3, "negative"), (4, "neutral")]
    assert three.sql("SELECT run_id FROM reviews.drugmon.runs") == [("r1",)]


def test_a_later_night_fills_what_is_new(three: Any) -> None:
    three.score("t", in_place=True)
    three.sql(
        "INSERT INTO t (id, review) VALUES (5, 'bb'); UPDATE t SET review = 'bb' WHERE id = 1"
    )
    three.score("t", in_place=True)
    assert [label for _, label in three.sql(LABELS)] == [
        "positive",
        "positive",
        "negative",
        "neutral",
        "positive",
    ]
    (batch,) = Table(three.database, "t", in_place=True).previous()
    assert batch.num_rows == 5


def test_a_row_whose_text_has_changed_meanwhile_gets_no_verdict(three: Any) -> None:
    table = Table(three.database, "t", in_place=True)
    staged = three.stage(table)
    three.sql("UPDATE t SET review = 'other' WHERE id = 1; DELETE FROM t WHERE id = 2")
    table.commit(staged, True, three.a_run())
    assert three.sql(LABELS) == [(1, None), (3, "negative"), (4, "neutral")]


def test_columns_of_the_same_name_are_replaced_not_doubled(three: Any) -> None:
    three.sql("ALTER TABLE t ADD overall_sentiment TEXT DEFAULT 'stale'")
    three.score("t", in_place=True, verdicts=VerdictColumns(overwrite=True))
    assert three.sql(LABELS)[0] == (1, "neutral")
    assert len(three.sql("DESCRIBE t")) == 2 + len(VERDICT_COLUMNS)


@pytest.mark.parametrize(
    ("create", "message"),
    [
        ("VIEW odd AS FROM t", "table odd is a view, which --in-place cannot fill"),
        (
            "TABLE odd AS SELECT 1 AS RowId, 'x' AS review",
            "table odd has a column rowid of its own",
        ),
    ],
)
def test_what_cannot_be_filled_is_refused_before_scoring(
    three: Any, create: str, message: str
) -> None:
    three.sql(f"CREATE {create}")
    with pytest.raises(UsageError, match=message):
        three.stage(Table(three.database, "odd", in_place=True))


def test_many_reviews_without_a_text_do_not_multiply(three: Any) -> None:
    three.sql("CREATE TABLE empty AS SELECT NULL::TEXT AS review FROM range(20000)")
    three.score("empty", in_place=True)
    assert three.sql("SELECT count(drugmon_fingerprint) FROM empty") == [(20000,)]
