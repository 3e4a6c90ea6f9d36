"""Conditions of any kind: rows, or one line; no other file, no memory, no time."""

from __future__ import annotations

from pathlib import Path

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import QUICK, fuzz, many, odd_texts, trial

_NAMES = ["id", "rating", "review", '"Odd Name"', "missing", "overall_sentiment", "drugmon_key"]
_FUNCTIONS = [
    *("length", "lower", "repeat", "range", "read_text", "read_csv", "getenv", "glob", "sum"),
    *("list_value", "array_value", "struct_pack", "regexp_matches", "regexp_replace", "lpad"),
    *("rpad", "format", "printf", "generate_series", "unnest", "row_number", "random", "concat"),
    *("pragma_version", "current_setting", "version", "try_strptime", "strptime", "epoch", "hash"),
    *("levenshtein", "list_transform", "list_extract", "map", "json_extract", "to_years", "pow"),
    *("make_date", "bitstring", "sleep", "nextval", "left", "list_contains", "jaccard", "row"),
]
_OPERATORS = ["+", "-", "*", "/", "%", "//", "**", "||", "&", "<<", "^"]
_words = st.sampled_from(
    [
        *_NAMES,
        *("1", "0", "-1", "NULL", "TRUE", "'x'", "''", "1e308", "99999999999999999999", "DATE"),
        *("'2024-01-01'", "INTERVAL", "AND", "OR", "NOT", "IN", "IS", "LIKE", "BETWEEN", "CASE"),
        *("WHEN", "THEN", "END", "SELECT", "FROM", "reviews", "*", "+", "/", "%", "||", "=", "<"),
        *("(", ")", "[", "]", "{", "}", ",", ";", "--", "/*", "*/", "$1", "?", "::INT", "::DATE"),
        *("COPY", "ATTACH", "INSTALL", "LOAD", "SET", "EXISTS", "'/etc/passwd'", "TO", "'out.csv'"),
        *(f"{name}(" for name in _FUNCTIONS),
    ]
)
_soup = st.lists(_words, max_size=14).map(" ".join)
_leaves = st.sampled_from([*_NAMES[:4], "1", "'x'", "NULL", "10000000000", "'2024-05-06'", "-.5"])
_expressions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(
            inner,
            st.sampled_from(["+", "-", "*", "/", "%", "//", "**", "||", "&", "<<", "^"]),
            inner,
        ).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(st.sampled_from(_FUNCTIONS), st.lists(inner, max_size=3)).map(
            lambda parts: f"{parts[0]}({', '.join(parts[1])})"
        ),
        st.tuples(inner, st.sampled_from(["INT", "DATE", "BLOB", "VARCHAR[]", "INT[99999]"])).map(
            lambda parts: f"CAST({parts[0]} AS {parts[1]})"
        ),
        inner.map(lambda one: f"CASE WHEN {one} IS NULL THEN 1 ELSE {one} END"),
        inner.map(lambda one: f"[{one}, {one}]"),
    ),
    max_leaves=8,
)
_conditions = st.one_of(
    st.tuples(_expressions, st.sampled_from(["=", "<", "IN", "LIKE", "IS NOT"]), _expressions).map(
        lambda parts: f"{parts[0]} {parts[1]} ({parts[2]})"
    ),
    _soup,
    odd_texts,
    st.integers(1, 3000).map(lambda depth: "(" * depth + "1" + ")" * depth),
    st.integers(1, 2000).map(lambda count: " AND ".join(["rating > 1"] * count)),
)
CSV = 'id,rating,review,Odd Name\n1,5,"good, all in all",x\n2,9,"so so",\n3,,"useless",2024-01-01\n'


def check(condition: str, adapter: Path) -> None:
    """The condition over a file and over a table, which stay as they are."""
    with trial() as one:
        (one.folder / "r.csv").write_text(CSV)
        with duckdb.connect("r.duckdb") as connection:
            connection.execute("CREATE TABLE reviews AS FROM 'r.csv'")
        before = {path: path.read_bytes() for path in one.folder.iterdir() if path.is_file()}
        rest = ("--where", condition, "--dry-run", "--adapter", adapter, "--out", "out.csv")
        one.run("score", "r.csv", *rest)
        one.run("score", "r.duckdb", "--table", "reviews", *rest[:-2])
        after = {path: path.read_bytes() for path in one.folder.iterdir() if path.is_file()}
        assert after == before


@many(QUICK)
@given(condition=_conditions)
def test_a_condition_chooses_or_is_refused(condition: str, adapter: Path) -> None:
    check(condition, adapter)


@fuzz
@many(1500)
@given(condition=_conditions)
def test_fifteen_hundred_conditions(condition: str, adapter: Path) -> None:
    check(condition, adapter)
