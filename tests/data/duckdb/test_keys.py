from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from drugmon.data.duckdb.tables import Table
from drugmon.data.selection import Selection
from drugmon.errors import SourceError


def keys(nights: Any, create: str, rows: str, id_column: str | None = None) -> list[str]:
    nights.sql(f"CREATE TABLE t ({create})")
    nights.sql(f"INSERT INTO t VALUES {rows}")  # noqa: S608
    path = Path(nights.database.parent) / "s.parquet"
    Table(nights.database, "t", id_column=id_column).snapshot(Selection(), path)
    return [str(key) for key in pq.read_table(path)["drugmon_key"].to_pylist()]


@pytest.mark.parametrize(
    ("create", "rows", "expected"),
    [
        ("a INT PRIMARY KEY, id INT, review TEXT", "(5, 1, 'x'), (6, 2, 'y')", ["5", "6"]),
        ("uniqueID HUGEINT, review TEXT", f"({2**100}, 'x')", [str(2**100)]),
        ("review_id DATE, review TEXT", "('2026-01-02', 'x')", ["2026-01-02"]),
        ("ID TEXT, review TEXT", "('007', 'x'), ('7', 'y')", ["007", "7"]),
    ],
)
def test_primary_keys_and_unique_ids_are_found(
    nights: Any, create: str, rows: str, expected: list[str]
) -> None:
    assert keys(nights, create, rows) == expected


@pytest.mark.parametrize(
    ("create", "rows"),
    [
        ("review TEXT", "('x'), ('y')"),
        ("id INT, review TEXT", "(1, 'x'), (1, 'y')"),
        ("id INT, review TEXT", "(1, 'x'), (NULL, 'y')"),
        ("id VARIANT, review TEXT", "(1, 'x'), ('1', 'y')"),
        ("a INT, b INT, review TEXT, PRIMARY KEY (a, b)", "(1, 2, 'x'), (1, 3, 'y')"),
    ],
)
def test_without_a_usable_id_the_texts_are_the_key(nights: Any, create: str, rows: str) -> None:
    found = keys(nights, create, rows)
    assert [len(key) for key in found] == [32, 32]
    assert found[0] != found[1]


def test_the_users_choice_comes_first(nights: Any) -> None:
    assert keys(nights, "id INT, Nr INT, review TEXT", "(1, 30, 'x')", "nr") == ["30"]


@pytest.mark.parametrize(
    ("rows", "id_column", "message"),
    [
        ("(1, 'x')", "number", r"no column 'number' for --id; it has: 'nr', 'review'$"),
        ("(NULL, 'x')", "nr", r"--id column 'nr' is null in 1 rows; choose another$"),
        (
            "(4, 'x'), (4, 'y'), (3, 'x'), (3, 'z'), (2, ''), (2, ''), (1, ''), (1, '')",
            "nr",
            r"--id column 'nr' is not unique: 4 values stand in several rows; remove the dupl",
        ),
    ],
)
def test_an_id_that_cannot_be_is_refused(
    nights: Any, rows: str, id_column: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        keys(nights, "nr INT, review TEXT", rows, id_column)


def test_a_variant_is_no_key(nights: Any) -> None:
    with pytest.raises(SourceError, match="holds VARIANT, which as text tells no rows apart"):
        keys(nights, "nr VARIANT, review TEXT", "(1, 'x'), ('1', 'y')", "nr")


def test_names_that_are_words_of_a_review_are_not_told(nights: Any) -> None:
    """A csv without a header, read into a table, has the cells of its first row as names."""
    text = "It made me ill, and I was not able to sleep"
    for id_column in (text, "I felt very sick"):
        nights.sql(f'CREATE OR REPLACE TABLE t ("{text}" INT, review TEXT)')
        nights.sql("INSERT INTO t VALUES (NULL, 'x')")
        with pytest.raises(SourceError) as caught:
            Table(nights.database, "t", id_column=id_column).snapshot(
                Selection(), nights.database.parent / "s.parquet"
            )
        told = str(caught.value)
        assert "ill" not in told
        assert "sick" not in told
        assert "a column with a name of" in told
