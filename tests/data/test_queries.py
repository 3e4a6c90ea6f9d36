from __future__ import annotations

import duckdb
import pytest

from drugmon.data.queries import Sql, query, quote_identifier, statement


@pytest.mark.parametrize("name", ["plain", "odd name!", 'a"b', "ünï", "select", "a.b", "x;--"])
def test_quoted_identifiers_survive(name: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE {quote_identifier('main', name)} (a INT)")
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [(name,)]


def test_placeholders_take_names_qualified_names_lists_and_sql() -> None:
    filled = statement(
        "select_columns", columns=["a", ("t", 'b"'), Sql("1 + 1")], relation=("s", "t")
    )
    assert filled == 'SELECT "a", "t"."b""", 1 + 1 FROM "s"."t"'


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="relation"):
        statement("select_columns", columns=["a"])
    with pytest.raises(KeyError, match="no_such_statement"):
        query("no_such_statement")
