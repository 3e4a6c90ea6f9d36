from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pyarrow as pa
import pytest

from drugmon.data.formats.delimited import TextRows
from drugmon.data.formats.parquet import ArrowRows
from drugmon.data.reviews import Texts, Window
from drugmon.data.selection import Selection, select
from drugmon.errors import UsageError


def windows(*sizes: int) -> Iterator[Window]:
    start = 0
    for size in sizes:
        numbers = range(start, start + size)
        table = pa.table(
            {
                "n": numbers,
                "half": pa.array([1.0] * size, pa.float16()),
                "big": pa.array([Decimal(1)] * size, pa.decimal256(50, 2)),
                "drugmon_row": ["mine"] * size,
                "text": [f"secret {n}" for n in numbers],
            }
        )
        yield Window(start, ArrowRows(table), [Texts(None, None, None, str(n)) for n in numbers])
        start += size


def cells(*rows: list[str]) -> Iterator[Window]:
    for start, row in enumerate(rows):
        records = [(",".join(row), row)]
        yield Window(start, TextRows(["", "n", "t"], records), [Texts(None, None, None, row[2])])


def taken(selection: Selection, *sizes: int) -> list[tuple[int, list[str | None]]]:
    selected = select(windows(*sizes), selection, "a.parquet")
    found = [(w.start, [t.text for t in w.texts], w.rows.column("n")) for w in selected]
    assert all(texts == [str(n) for n in numbers] for _, texts, numbers in found)
    return [(start, texts) for start, texts, _ in found]


def test_a_condition_takes_rows_of_each_window() -> None:
    assert taken(Selection("n % 2 = 1"), 3, 1, 4) == [(1, ["1"]), (3, ["3"]), (5, ["5", "7"])]


def test_null_is_not_taken() -> None:
    assert taken(Selection("nullif(n, 1) < 3"), 4) == [(0, ["0", "2"])]


def test_the_limit_counts_what_the_condition_takes() -> None:
    assert taken(Selection("n > 0", 3), 2, 2, 2) == [(1, ["1"]), (2, ["2", "3"])]
    assert taken(Selection(None, 3), 2, 2, 2) == [(0, ["0", "1"]), (2, ["2"])]
    assert taken(Selection(), 2, 1) == [(0, ["0", "1"]), (2, ["2"])]


def test_nothing_is_read_beyond_the_limit() -> None:
    source = windows(2, 2, 2)
    list(select(source, Selection(None, 2), "a"))
    assert next(source).start == 2


def test_a_column_of_the_same_name_as_the_row_number_is_no_trouble() -> None:
    assert taken(Selection("n = 2"), 4) == [(2, ["2"])]


def test_numbers_in_text_are_compared_as_numbers() -> None:
    rows = (["1", "9", "x"], ["2", "10", "y"], ["3", "", "z"], ["4", "8.5", "w"])
    selected = select(cells(*rows), Selection("n > 8.5"), "a.csv")
    assert [w.start for w in selected] == [0, 1]
    selected = select(cells(*rows), Selection("n = '9' OR t = 'w'"), "a.csv")
    assert [w.start for w in selected] == [0, 3]


def test_what_is_no_number_later_on_is_told_as_in_the_first_window() -> None:
    rows = (["1", "9", "x"], ["2", "many", "y"])
    with pytest.raises(UsageError, match=r"a value in a\.csv cannot be converted; use TRY_CAST"):
        list(select(cells(*rows), Selection("n > 8.5"), "a.csv"))
    with pytest.raises(UsageError, match="Cannot compare values of type VARCHAR"):
        list(select(cells(*rows[::-1]), Selection("n > 8.5"), "a.csv"))
    tried = select(cells(*rows), Selection("TRY_CAST(n AS DOUBLE) > 8.5"), "a.csv")
    assert [w.start for w in tried] == [0]


CELLS = (["9.0", "01234"], ["9.4", "1234"], ["10", "1.0"], ["", "7"], ["NaN", "12"])
IDS = (["1", "12345678901234567"], ["2", "12345678901234568"], ["3", f"{10**25 + 1}"])


@pytest.mark.parametrize(
    ("rows", "condition", "taken"),
    [
        (CELLS, "n = 9", [0]),
        (CELLS, "9 = N", [0]),
        (CELLS, "n <> 9", [1, 2]),
        (CELLS, "n IN (9, 10)", [0, 2]),
        (CELLS, "n NOT IN (9, 10)", [1]),
        (CELLS, "n IS DISTINCT FROM 9", [1, 2, 3, 4]),
        (CELLS, "n > 8", [0, 1, 2]),
        (CELLS, "n BETWEEN 9 AND 9.5", [0, 1]),
        (CELLS, "n = 9 OR n IS NULL", [0, 3, 4]),
        (CELLS, "CASE n WHEN 10 THEN true ELSE false END", [2]),
        (CELLS, "n + 1 > 10.1", [1, 2]),
        (CELLS, "n > 8 AND t = '01234'", [0]),
        (CELLS, "n + 1 > 8 AND t = '1234'", [1]),
        (CELLS, "t = 1234", [0, 1]),
        (CELLS, "t = '1'", []),
        (CELLS, "n = 8 + 1", [0]),
        (CELLS, "n = length('123456789')", [0]),
        (CELLS, "coalesce(n, '0') IN (9, 10)", [0, 2]),
        (CELLS, "nullif(n, 9) IS NULL", [0, 3, 4]),
        (CELLS, "trim(n) = '9.4'", [1]),
        (CELLS, "TRY_CAST(trim(n) AS DOUBLE) = 9", [0]),
        ([["", "a"], ["", "b"]], "n > 8 OR t = 'b'", [1]),
        (IDS, "t = 12345678901234567", [0]),
        (IDS, f"t = {10**25 + 1}", [2]),
        (IDS, f"t = {10**25}", []),
    ],
)
def test_cells_of_text_are_numbers_where_they_are_compared_with_some(
    rows: Sequence[list[str]], condition: str, taken: list[int]
) -> None:
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(("n", "t"))})
    assert chosen(table, condition) == [str(row) for row in taken]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("nope > 1", '--where nope > 1: Binder Error: Referenced column "nope" not found'),
        ("n >", "--where n >: Parser Error: syntax error"),
        ("true); SELECT (1", "give one condition, without a semicolon"),
        ("text::INT = 1", "a value in a.parquet cannot be converted; use TRY_CAST"),
    ],
)
def test_a_wrong_condition_is_a_usage_error(condition: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        taken(Selection(condition), 2)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("condition", ["trim(n) = 9", "m > 8 AND trim(n) IN (9, 10)", "m = '9.4'"])
def test_no_text_is_rounded_to_the_number_that_it_is_compared_with(condition: str) -> None:
    table = pa.table({"n": ["9.4", "10"], "m": [9, 10]})
    with pytest.raises(UsageError, match="compares a text with a number, and SQL would round"):
        chosen(table, condition)


def test_a_limit_has_to_take_something() -> None:
    with pytest.raises(UsageError, match="--limit 0: must be 1 or more"):
        Selection(None, 0)


def test_the_size_is_told_where_it_needs_no_reading() -> None:
    assert Selection().size_of(10) == 10
    assert Selection(limit=3).size_of(10) == 3
    assert Selection(limit=30).size_of(10) == 10
    assert Selection(limit=3).size_of(None) is None
    assert Selection(where="rating > 8").size_of(10) is None


def chosen(table: pa.Table, condition: str) -> list[str | None]:
    texts = [Texts(None, None, None, str(number)) for number in range(len(table))]
    window = Window(0, ArrowRows(table), texts)
    taken = list(select(iter([window]), Selection(condition), "a.parquet"))
    return [text.text for part in taken for text in part.texts]


NUMBERS = [pa.array([1, 2]), pa.array([5, 6]), pa.array([7, 8])]


@pytest.mark.parametrize("other", ["x", "X"])
def test_names_that_are_equal_but_for_case_are_no_trouble_until_asked_for(other: str) -> None:
    table = pa.table(NUMBERS, ["n", "x", other])
    assert chosen(table, "n = 2") == ["1"]
    for condition in ("x > 5", f'"{other}" > 6'):
        with pytest.raises(UsageError) as caught:
            chosen(table, condition)
        told = str(caught.value)
        assert told.startswith(f"--where {condition}: Binder Error: ")
        assert told.endswith(
            f"(in a.parquet); no condition can use 'x', '{other}': SQL lacks the type, or another "
            "name differs in case only"
        )


def test_a_column_called_like_the_row_number_is_the_users() -> None:
    table = pa.table(NUMBERS[:2], ["n", "Drugmon_Row"])
    assert chosen(table, "n = 2") == ["1"]
    assert chosen(table, "drugmon_row = 5") == ["0"]


@pytest.mark.parametrize("kind", [pa.string_view(), pa.string(), pa.large_string()])
def test_texts_of_any_kind_are_compared(kind: pa.DataType) -> None:
    nested = pa.array([[1.5], [2.5]], pa.list_(pa.float16()))  # which DuckDB lacks
    bytes_ = pa.array([b"a", b"b"], pa.binary_view())
    table = pa.table([pa.array(["a", "b"], kind), nested, bytes_], ["t", "h", "b"])
    assert chosen(table, "t = 'b'") == ["1"]
    assert chosen(table, "b = 'a'::BLOB") == ["0"]
    with pytest.raises(UsageError, match="no condition can use 'h': SQL lacks the type"):
        chosen(table, "h[1] > 2")


def test_a_condition_that_takes_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def expired(*_given: object) -> object:
        raise TimeoutError

    monkeypatch.setattr("drugmon.data.selection.at_most", expired)
    with pytest.raises(
        UsageError, match=r"--where n = 1: took more than 300 s over r\.csv; make it"
    ):
        list(select(windows(1), Selection("n = 1"), "r.csv"))


@pytest.mark.parametrize("function", ["levenshtein", "jaccard", "jaro_similarity"])
def test_what_takes_the_square_of_a_text_is_refused(function: str) -> None:
    with pytest.raises(UsageError, match=rf"{function}\(\) is not among the functions"):
        Selection(f"{function}(review, review) > 1")
