from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from drugmon.data import queries
from drugmon.data.queries import Sql, query, quote_identifier, statement

SQL = Path(__file__).parents[2] / "sql"
DATA = Path(queries.__file__).parent.parent


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


def test_every_statement_has_a_comment_and_is_used() -> None:
    code = "".join(file.read_text() for file in DATA.rglob("*.py"))
    for file in SQL.glob("*.sql"):
        _, *parts = re.split(r"^-- name: (\w+)$", file.read_text(), flags=re.MULTILINE)
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            assert text.startswith("\n-- "), f"{file.name}: {name} lacks its comment"
            assert text.rstrip().endswith(";"), f"{file.name}: {name} lacks its semicolon"
            assert f'"{name}"' in code, f"{file.name}: nothing runs {name}"
