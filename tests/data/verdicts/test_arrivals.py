"""Which rows of a source were there before, with the texts that they have."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from drugmon.data.formats.parquet import ArrowRows
from drugmon.data.verdicts.arrivals import (
    NEW,
    OWN_FINGERPRINT,
    OWN_SCORED_AT,
    ROW_ID,
    ArrivalsByCount,
    ArrivalsByRow,
)

MOMENT = pa.timestamp("us", tz="UTC")


def prints(letters: str) -> list[str]:
    """Fingerprints that letters stand for."""
    return [f"{ord(letter):032x}" for letter in letters]


def noted(letters: str, ids: Sequence[str] | None, id_column: str | None) -> ArrivalsByCount:
    """Arrivals over an earlier output; its rows got their verdicts at 0, 1, 2 and so on."""
    moments = pa.array(range(len(letters)), pa.int64()).cast(MOMENT)
    columns = {
        "drugmon_fingerprint": pa.array(prints(letters), pa.string()),
        "drugmon_scored_at": moments,
    }
    arrivals = ArrivalsByCount(id_column)
    list(arrivals.noting([pa.table(columns if ids is None else {**columns, ROW_ID: ids})]))
    return arrivals


def rows(ids: Sequence[object]) -> ArrowRows:
    return ArrowRows(pa.table({"id": pa.array(ids)}))


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("abc", [0, 1, 2]),
        ("cab", [2, 0, 1]),  # in another order
        ("aabc", [0, NEW, 1, 2]),  # a copy
        ("abdc", [0, 1, NEW, 2]),  # another text
        ("b", [1]),
    ],
)
def test_without_ids_each_row_answers_for_one(letters: str, expected: list[int]) -> None:
    arrivals = noted("abc", None, None)
    assert arrivals.of(rows(range(len(letters))), prints(letters)).tolist() == expected


def test_copies_answer_in_their_order_over_all_windows() -> None:
    arrivals = noted("aba", None, None)
    assert arrivals.of(rows([1, 2]), prints("aa")).tolist() == [0, 2]
    assert arrivals.of(rows([3, 4]), prints("ab")).tolist() == [NEW, 1]


@pytest.mark.parametrize("column", ["text", "whole number", "fraction"])
def test_with_ids_a_copy_is_new_wherever_it_stands(column: str) -> None:
    made: dict[str, list[object]] = {
        "text": ["7", "1", "2", "3"],
        "whole number": [7, 1, 2, 3],
        "fraction": [7.0, 1.0, 2.0, 3.0],
    }
    ids = list(map(str, made[column]))
    arrivals = noted("abc", ids[1:], "id")
    assert arrivals.of(rows(made[column]), prints("aaXc")).tolist() == [NEW, 0, NEW, 2]


@pytest.mark.parametrize("before", [["1", "2"], ["1.0", "2.0"]])
@pytest.mark.parametrize("now", [[1, 2, None], [1.0, 2.0, None], ["1.0", "2.0", ""]])
def test_whole_numbers_are_the_same_ids_once_one_is_missing(
    before: list[str], now: list[object]
) -> None:
    """pandas makes 1.0 of 1 then, in parquet and in csv."""
    assert noted("ab", before, "id").of(rows(now), prints("abc")).tolist() == [0, 1, NEW]
    assert noted("ab", ["1", "2"], "id").of(rows(["1.5", "2"]), prints("ab")).tolist() == [NEW, 1]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (["1", "2"], [Decimal(2), Decimal(3)]),  # as warehouses write their numbers
        (["1.00", "2.00"], [Decimal("2.00"), Decimal("3.00")]),
        (["YQ==", "Yg=="], [b"b", b"c"]),
        (["2026-01-01", "2026-01-02"], [date(2026, 1, 2), date(2026, 1, 3)]),
    ],
)
def test_ids_of_other_types_tell_rows_apart(before: list[str], now: list[object]) -> None:
    assert noted("ab", before, "id").of(rows(now), prints("ba")).tolist() == [1, NEW]


def test_a_text_that_moved_to_another_id_is_new_there() -> None:
    arrivals = noted("ab", ["1", "2"], "id")
    assert arrivals.of(rows([1, 2]), prints("ba")).tolist() == [NEW, NEW]


def test_where_an_earlier_output_lacks_the_ids_the_texts_have_to_do() -> None:
    arrivals = noted("ab", None, "id")
    assert arrivals.of(rows([9, 8, 7]), prints("aab")).tolist() == [0, NEW, 1]


def test_without_an_earlier_output_all_is_new() -> None:
    assert ArrivalsByCount("id").of(rows([1, 2]), prints("ab")).tolist() == [NEW, NEW]
    assert noted("", None, None).of(rows([1]), prints("a")).tolist() == [NEW]


def test_it_can_be_handed_to_another_process() -> None:
    arrivals = pickle.loads(pickle.dumps(noted("aa", ["1", "2"], "id")))
    assert arrivals.of(rows([2, 1, 3]), prints("aaa")).tolist() == [1, 0, NEW]


def test_rows_may_bring_their_own_verdict() -> None:
    brought = ArrowRows(
        pa.table(
            {
                OWN_FINGERPRINT: [*prints("ab"), None, *prints("d")],
                OWN_SCORED_AT: pa.array([5, 6, None, None], pa.int64()),
            }
        )
    )
    assert ArrivalsByRow().of(brought, prints("axcd")).tolist() == [5, NEW, NEW, NEW]
