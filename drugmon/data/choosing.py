"""Asking rows for a condition, and which cells of text it means as numbers.

Cells of CSV and TSV are text, and so is what folders say. SQL makes no sense of `rating > 8` then,
and for `rating = 9` it rounds every cell: 9.4 would be taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import duckdb

from drugmon.data.condition import compared_with_numbers
from drugmon.data.queries import Sql, statement

Kinds = Mapping[str, str]
"""The type of SQL in which each column of text is read."""


def choosing(rows: str, row: str, condition: str, kinds: Kinds) -> str:
    """The statement that gives the number of every row that meets a condition.

    Args:
        rows: the table or view.
        row: its column of row numbers.
        condition: of `--where`.
        kinds: the columns of text that are read as numbers.
    """
    text = Sql(condition)
    if not kinds:
        return statement("select_rows", row=row, rows=rows, condition=text)
    cells = [
        Sql(statement("cell_as_number", column=name, type=Sql(kind)))
        for name, kind in kinds.items()
    ]
    return statement("select_rows_by_number", row=row, rows=rows, condition=text, numbers=cells)


def number_columns(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    texts: Sequence[str],
    condition: str,
    binds: Callable[[Kinds], bool],
) -> Kinds:
    """The columns of text that a condition means as numbers, where they hold nothing else.

    These are the ones that it compares with a number. Where SQL makes no sense of it with them
    alone, as of `rating + 1 > 8`, as few others as will do: an id of digits stays what it is.

    Args:
        connection: where the rows are.
        rows: the table or view.
        texts: its columns of text.
        condition: of `--where`.
        binds: whether SQL makes sense of the condition where columns are read so.
    """
    compared = compared_with_numbers(condition)
    meant = kinds_of(connection, rows, [name for name in texts if name.lower() in compared])
    if binds(meant):
        return meant
    numbers = kinds_of(connection, rows, texts)
    if not binds(numbers):
        return meant
    for name in numbers.keys() - meant.keys():
        fewer = {other: kind for other, kind in numbers.items() if other != name}
        numbers = fewer if binds(fewer) else numbers
    return numbers


def kinds_of(
    connection: duckdb.DuckDBPyConnection, rows: str, texts: Sequence[str]
) -> dict[str, str]:
    """Those columns of text that hold numbers alone, or nothing, and in which type they stay so."""
    if not texts:
        return {}
    kinds = [Sql(statement("kind_of_cells", column=name)) for name in texts]
    (found,) = connection.execute(statement("find_numbers", kinds=kinds, rows=rows)).fetchall()
    return {name: kind for name, kind in zip(texts, found, strict=True) if kind is not None}


def binds(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether SQL makes sense of a statement, which is not run."""
    try:
        connection.sql(sql)
    except duckdb.BinderException:
        return False
    return True
