from __future__ import annotations

import duckdb
import pytest

from drugmon.data.duckdb.relation import Relation
from drugmon.errors import SourceError


@pytest.fixture(name="connection")
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE SCHEMA s; CREATE SCHEMA u; CREATE TABLE t (a INT PRIMARY KEY, b TEXT);"
        "CREATE TABLE s.t (a INT); CREATE TABLE s.x (a INT); CREATE TABLE u.x (a INT);"
        'CREATE TABLE "s.t" (odd INT); CREATE TABLE s.only (a INT); CREATE TABLE u."ONE" (a INT);'
        "CREATE TABLE gone (a INT); CREATE VIEW broken AS FROM gone; DROP TABLE gone"
    )
    return connection


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("t", ("main", "t")),
        ("main.t", ("main", "t")),
        ("S.T", ("s", "t")),
        ("only", ("s", "only")),
        ("s.only", ("s", "only")),
        ("one", ("u", "ONE")),
        ("u.x", ("u", "x")),
    ],
)
def test_tables_are_found_by_name(
    connection: duckdb.DuckDBPyConnection, name: str, path: tuple[str, str]
) -> None:
    if name == "S.T":
        connection.execute('DROP TABLE "s.t"')
    assert Relation.find(connection, name, "here").path == ("memory", *path)


def test_columns_and_primary_key_are_described(connection: duckdb.DuckDBPyConnection) -> None:
    relation = Relation.find(connection, "t", "here")
    assert relation.columns == {"a": "INTEGER", "b": "VARCHAR"}
    assert (relation.primary_key, relation.is_view) == ("a", False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch", r"^here: no such table or view; there are: main\.broken, main\.s\.t, main\.t, "),
        ("x", r"^here: several tables have this name, choose one of: s\.x, u\.x$"),
        ("s.t", r"^here: several tables have this name, choose one of: main\.s\.t, s\.t$"),
        ("broken", r"^here: cannot be read: Catalog Error: "),
    ],
)
def test_a_table_that_cannot_be_told_is_named(
    connection: duckdb.DuckDBPyConnection, name: str, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        Relation.find(connection, name, "here")


def test_an_empty_database_has_none() -> None:
    with duckdb.connect() as connection, pytest.raises(SourceError, match=r"there are: none$"):
        Relation.find(connection, "t", "here")
