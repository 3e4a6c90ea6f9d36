"""Names of any kind, of files, columns, tables and drugs: scored and told, or refused in a line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzzing import Trial, fuzz, many, odd_texts, trial

_names = st.one_of(
    odd_texts,
    st.lists(
        st.sampled_from([*"a[]*?:;,'\"\\%#&=~ .-", "é", "💊", "\n", "\x1b[31m", "hive=1", "[b]"]),
        min_size=1,
        max_size=6,
    ).map("".join),
    st.binary(min_size=1, max_size=6).map(os.fsdecode),
)
_kinds = st.sampled_from(["csv", "parquet", "jsonl"])


def _is_usable(name: str) -> bool:
    return bool(name) and not set("/\0") & set(name) and name not in (".", "..")


def check_file(name: str, column: str, drug: str, kind: str, adapter: Path) -> None:
    """A file of that name is scored, shown, reported and found in the history."""
    name = name if _is_usable(name) and len(os.fsencode(name)) < 150 else "plain"
    with trial() as one:
        path = Path(f"./{name}.{kind}")
        drug = drug.encode("utf-8", "replace").decode()
        column = column.encode("utf-8", "replace").decode()
        names = ["id", "review", "drug", column]
        if len(set(map(str.lower, names))) < len(names):
            names[3] = "extra"
        cells = [["1", "2"], ["good pills", "bad pills"], [drug] * 2, ["x", "y"]]
        table = pa.table(cells, names)
        if kind == "parquet":
            with path.open("wb") as stream:
                pq.write_table(table, stream)
        elif kind == "csv":
            with path.open("wb") as stream:
                pyarrow.csv.write_csv(table, stream)
        else:
            lines = [json.dumps(row) for row in table.to_pylist()]
            path.write_text("\n".join(lines), encoding="utf-8")
        look(one, path, Path(f"./{name}.scored.{kind}"), adapter)


def look(one: Trial, path: Path, scored: Path, adapter: Path) -> None:
    code, said = one.run("score", path, "--adapter", adapter)
    assert "\x1b" not in said
    if code:
        return
    options = ("--adapter", adapter, "--out", "reports")
    for words in (
        ("show", scored),
        ("history", path),
        ("score", path, "--adapter", adapter),
        ("report", scored, *options),
    ):
        code, said = one.run(*words)
        assert "\x1b" not in said
        assert code in (0, 4) or "is not UTF-8" in said, said


def check_table(name: str, column: str, adapter: Path) -> None:
    """A table of that name is scored twice and shown."""
    with trial() as one:
        name, column = (text.encode("utf-8", "replace").decode() for text in (name, column))
        quoted, other = (text.replace('"', '""') for text in (name, column))
        try:
            with duckdb.connect("t.duckdb") as connection:
                connection.execute(f'CREATE TABLE "{quoted}" (id INT, review TEXT, "{other}" INT)')
                row = "(1, 'good pills', 3)"
                connection.execute(f'INSERT INTO "{quoted}" VALUES {row}')  # noqa: S608
        except duckdb.Error:
            return  # no name in DuckDB either
        for _ in range(2):
            code, said = one.run("score", "t.duckdb", "--table", name, "--adapter", adapter)
            assert "\x1b" not in said
        if code == 0:
            code, said = one.run("show", "t.duckdb", "--table", name)
            assert (code, "\x1b" in said) == (0, False), said


@many(4)
@given(name=_names, column=_names, drug=_names, kind=_kinds)
@example(name="\udcb0", column="x", drug="y", kind="parquet")
@example(name="\udc80", column="", drug="", kind="csv")
def test_a_file_of_any_name_is_scored(
    name: str, column: str, drug: str, kind: str, adapter: Path
) -> None:
    check_file(name, column, drug, kind, adapter)


@many(4)
@given(name=_names, column=_names)
def test_a_table_of_any_name_is_scored(name: str, column: str, adapter: Path) -> None:
    check_table(name, column, adapter)


@fuzz
@many(300)
@given(name=_names, column=_names, drug=_names, kind=_kinds)
def test_three_hundred_files(name: str, column: str, drug: str, kind: str, adapter: Path) -> None:
    check_file(name, column, drug, kind, adapter)


@fuzz
@many(200)
@given(name=_names, column=_names)
def test_two_hundred_tables(name: str, column: str, adapter: Path) -> None:
    check_table(name, column, adapter)
