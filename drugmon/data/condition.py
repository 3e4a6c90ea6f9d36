"""The condition of `--where`: one expression over the columns of a row, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import duckdb

from drugmon.data.queries import Sql, query, statement
from drugmon.errors import UsageError

Expression = Mapping[str, object]
"""A node of a syntax tree, as DuckDB writes it in JSON."""

_LONGEST: Final = 10_000
_ALLOWED: Final = frozenset(
    [
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "OPERATOR",
        "TYPE",
    ]
)
_REFUSED: Final = {
    "SUBQUERY": "asks another table; make a view of the rows and score that with --table",
    "PARAMETER": "has a parameter; write the value itself",
    "WINDOW": "looks at other rows; make a view of the rows and score that with --table",
    "STAR": "names all columns at once; name those that are meant",
}
# Of these none makes much out of little, as range() and repeat() do, for which DuckDB's limit of
# memory does not hold; none takes more time than its arguments are long, as levenshtein() does; and
# none reaches anything but its arguments.
_NAMES: Final = """
abs add age array_contains ascii bit_length cardinality ceil ceiling century chr coalesce concat
concat_ws contains current_date date_add date_diff date_part date_sub date_trunc datediff datepart
datesub datetrunc day dayname dayofmonth dayofweek dayofyear decade divide ends_with epoch epoch_ms
epoch_ns epoch_us floor get_current_date get_current_time get_current_timestamp greatest hash hour
ifnull ilike_escape in_range instr isfinite isinf isnan isodow isoyear json_extract
json_extract_string json_valid last_day lcase least left left_grapheme len length length_grapheme
like_escape list_contains list_element list_extract list_has list_has_all list_has_any list_value ln
log log10 log2 lower ltrim make_date make_timestamp map_contains md5 microsecond millisecond minute
mod month monthname multiply not_ilike_escape not_like_escape now nullif parse_filename pow power
prefix quarter random regexp_extract regexp_full_match regexp_matches reverse right round row rtrim
second sha1 sha256 sign split split_part sqrt starts_with str_split strftime string_split
strip_accents strlen strpos strptime struct_extract struct_pack substr substring subtract suffix
time_bucket timezone to_century to_days to_decades to_hours to_microseconds to_milliseconds
to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years today trim trunc
try_strptime typeof ucase unicode upper week weekday weekofyear year yearweek
"""
SECONDS: Final = 300
"""What a condition may take over a window of a file, or over what `drugmon show` shows."""

_FUNCTIONS: Final = frozenset(_NAMES.split())
_UNSETTLED: Final = frozenset(
    [
        *("age", "now", "random", "today", "current_date", "current_time", "current_timestamp"),
        *("get_current_date", "get_current_time", "get_current_timestamp"),
        *("localtime", "localtimestamp"),
    ]
)
"""What says something else in the next night; SQL takes some of these for columns at first."""


@lru_cache(maxsize=8)
def check_condition(text: str) -> None:
    """Make sure that `text` is one condition over the columns of a row.

    It may compare, combine and cast columns and constants, and use functions that give no more
    than a small multiple of what they are given. It has no subquery, so that a file's condition
    and a table's mean the same, and nothing outside of the row is within its reach.

    Raises:
        UsageError: it is something else.
    """
    for node in _parsed(text):
        kind = str(node["class"])
        if kind not in _ALLOWED:
            reason = _REFUSED.get(kind, "is more than a condition over the columns of a row")
            raise _error(text, reason)
        if kind == "TYPE" and str(node["type_name"]).lower() == "array":
            raise _error(text, "casts to an array of fixed size, which fills the memory")
        if kind == "FUNCTION" and not node["is_operator"]:
            name = str(node["function_name"])
            if name.lower() not in _FUNCTIONS:
                raise _error(text, f"{name}() is not among the functions that a condition may use")


def is_settled(text: str) -> bool:
    """Tell whether a condition takes the same of the same rows whenever it is asked.

    Raises:
        UsageError: it is no condition.
    """
    names = {
        str(name).lower()
        for node in _parsed(text)
        for name in (node.get("function_name"), *_list_of(node.get("column_names"))[-1:])
    }
    return _UNSETTLED.isdisjoint(names)


@lru_cache(maxsize=8)
def compared_with_numbers(text: str) -> frozenset[str]:
    """The columns, in small letters, that a condition compares with a number that it names.

    Raises:
        UsageError: it is no condition.
    """
    names = set()
    for _, sides in comparisons(text):
        if any(map(_is_number, sides)):
            columns = (_list_of(side.get("column_names")) for side in sides)
            names |= {str(path[0]).lower() for path in columns if len(path) == 1}
    return frozenset(names)


@lru_cache(maxsize=8)
def comparisons(text: str) -> list[tuple[Expression, list[Expression]]]:
    """The comparisons in a condition, each with the expressions that it compares.

    Raises:
        UsageError: it is no condition.
    """
    return [(node, sides) for node in _parsed(text) if (sides := _compared(node))]


def constant_text(node: Expression) -> str | None:
    """The text that an expression is, written between quotes; None for any other expression."""
    literal = node.get("literal")
    if isinstance(literal, dict) and literal.get("kind") == "STRING":
        return str(literal["text"])
    return None


def took_too_long(text: str, where: str) -> UsageError:
    """The error for a condition that was broken off after `SECONDS`."""
    return UsageError(
        f"--where {text}: took more than {SECONDS:,} s over {where}; make it simpler, or make a "
        "view of the rows and take that with --table"
    )


def _parsed(text: str) -> list[Expression]:
    """Every expression of a condition, from the outermost on."""
    if len(text) > _LONGEST:
        raise UsageError(f"--where: has {len(text):,} characters; at most {_LONGEST:,} will do")
    condition = Sql(text)
    with duckdb.connect(config={"autoload_known_extensions": False}) as connection:
        _parse(connection, statement("condition_alone", condition=condition), text)
        within = _parse(connection, statement("condition_within", condition=condition), text)
    return list(_expressions(within["where_clause"]))


def _compared(node: Expression) -> list[Expression]:
    """What an expression compares with one another; nothing where it is no comparison."""
    sides: list[object] = []
    if node["class"] == "COMPARISON":
        sides = [node["left"], node["right"]]
    elif node["class"] == "BETWEEN":
        sides = [node["input"], node["lower"], node["upper"]]
    elif node["type"] in ("COMPARE_IN", "COMPARE_NOT_IN"):
        sides = _list_of(node["children"])
    elif node.get("function_name") == "nullif":
        arguments = _list_of(node["arguments"])
        sides = [argument["expression"] for argument in arguments if isinstance(argument, dict)]
    return [side for side in sides if isinstance(side, dict)]


def _is_number(node: Expression) -> bool:
    literal = node.get("literal")
    return isinstance(literal, dict) and literal.get("kind") in ("INTEGER", "NUMERIC")


def _list_of(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _parse(connection: duckdb.DuckDBPyConnection, sql: str, text: str) -> dict[str, object]:
    try:
        ((serialized,),) = connection.execute(query("parse"), {"sql": sql}).fetchall()
    except duckdb.Error as error:  # too deep, or no text that SQL can hold
        raise _error(text, "cannot be read as SQL") from error
    tree = json.loads(serialized)
    if tree["error"]:
        if tree["error_type"] == "parser":
            says = str(tree["error_message"]).splitlines()[0]
            raise _error(text, f"Parser Error: {says}; give one condition, without a semicolon")
        raise _error(text, "give one condition, without a semicolon")
    nodes = [entry["node"] for entry in tree["statements"]]
    if len(nodes) != 1 or nodes[0]["type"] != "SELECT_NODE" or "where_clause" not in nodes[0]:
        raise _error(text, "give one condition, without a semicolon")
    node: dict[str, object] = nodes[0]
    return node


def _expressions(value: object) -> Iterator[Expression]:
    """Yield every expression of a syntax tree, from the outermost on."""
    if isinstance(value, dict):
        if "class" in value:
            yield value
        for item in value.values():
            yield from _expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _expressions(item)


def _error(text: str, reason: str) -> UsageError:
    return UsageError(f"--where {text}: {reason}")
