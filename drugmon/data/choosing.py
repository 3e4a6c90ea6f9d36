"""Asking rows for a condition, and which cells of text it means as numbers.

Cells of CSV and TSV are text, and so is what folders say. SQL makes no sense of `rating > 8` then,
and for `rating = 9` it rounds every cell: 9.4 would be taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

import duckdb

from drugmon.data.condition import (
    Expression,
    compared_with_numbers,
    comparisons,
    constant_text,
)
from drugmon.data.queries import Part, Sql, query, statement
from drugmon.errors import UsageError

Kinds = Mapping[str, str]
"""The type of SQL in which each column of text is read."""

_TEXT: Final = "VARCHAR"
_WHOLE_NUMBER: Final = re.compile("U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM")
_DECIMAL: Final = re.compile(r"DECIMAL\(.*\)")
"""Types of numbers to which SQL rounds a text that is compared with them."""


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
    cells = _as_numbers(kinds)
    return statement("select_rows_by_number", row=row, rows=rows, condition=text, numbers=cells)


def check_rounds_nothing(
    connection: duckdb.DuckDBPyConnection, rows: Part, condition: str, kinds: Kinds | None = None
) -> None:
    """Refuse a condition that compares a text with a number: SQL would round the text.

    Args:
        connection: where the rows are.
        rows: the table or view.
        condition: of `--where`.
        kinds: the columns of text that are read as numbers.

    Raises:
        UsageError: it does.
    """
    if _rounds(connection, rows, condition, kinds or {}):
        raise UsageError(
            f"--where {condition}: compares a text with a number, and SQL would round the text, "
            "9.4 to 9; write TRY_CAST(... AS DOUBLE) around it, or leave out the quotes"
        )


def _rounds(
    connection: duckdb.DuckDBPyConnection, rows: Part, condition: str, kinds: Kinds
) -> bool:
    """Whether SQL would round a text to compare it; not where it makes no sense of that."""
    sql = statement("select_sides", rows=rows)
    if kinds:
        sql = statement("select_sides_by_number", rows=rows, numbers=_as_numbers(kinds))
    ((serialized,),) = connection.execute(query("parse"), {"sql": sql}).fetchall()
    tree = json.loads(serialized)
    for comparison, sides in comparisons(condition):
        tree["statements"][0]["node"]["select_list"] = [*sides, comparison]
        ((sql,),) = connection.execute(query("unparse"), {"tree": json.dumps(tree)}).fetchall()
        try:
            *types, _ = map(str, connection.sql(sql).types)
        except duckdb.BinderException:
            return False
        if _is_rounded(sides, types):
            return True
    return False


def _is_rounded(sides: Sequence[Expression], types: Sequence[str]) -> bool:
    whole = any(map(_WHOLE_NUMBER.fullmatch, types))
    decimal = any(map(_DECIMAL.fullmatch, types))
    written = [
        constant_text(side) for side, kind in zip(sides, types, strict=True) if kind == _TEXT
    ]
    return any(
        whole or decimal if text is None else whole and _has_fraction(text) for text in written
    )


def _has_fraction(text: str) -> bool:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:  # no number at all, which SQL tells
        return False
    return number.is_finite() and number % 1 != 0


def _as_numbers(kinds: Kinds) -> list[Sql]:
    return [
        Sql(statement("cell_as_number", column=name, type=Sql(kind)))
        for name, kind in kinds.items()
    ]


def number_columns(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    texts: Sequence[str],
    condition: str,
    fits: Callable[[Kinds], bool],
) -> Kinds:
    """The columns of text that a condition means as numbers, where they hold nothing else.

    These are the ones that it compares with a number. Where SQL makes no sense of it with them
    alone, as of `rating + 1 > 8`, as few others as will do: an id of digits stays what it is.

    Args:
        connection: where the rows are.
        rows: the table or view.
        texts: its columns of text.
        condition: of `--where`.
        fits: whether SQL makes sense of the condition where columns are read so.
    """
    compared = compared_with_numbers(condition)
    meant = kinds_of(connection, rows, [name for name in texts if name.lower() in compared])
    if fits(meant):
        return meant
    numbers = kinds_of(connection, rows, texts)
    if not fits(numbers):
        return meant
    for name in numbers.keys() - meant.keys():
        fewer = {other: kind for other, kind in numbers.items() if other != name}
        numbers = fewer if fits(fewer) else numbers
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


def fits(
    connection: duckdb.DuckDBPyConnection, rows: str, row: str, condition: str, kinds: Kinds
) -> bool:
    """Whether SQL makes sense of a condition, which is not asked, and rounds no text for it.

    Args:
        connection: where the rows are.
        rows: the table or view.
        row: its column of row numbers.
        condition: of `--where`.
        kinds: the columns of text that are read as numbers.
    """
    try:
        connection.sql(choosing(rows, row, condition, kinds))
    except duckdb.BinderException:
        return False
    return not _rounds(connection, rows, condition, kinds)
