from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from drugmon.data.verdicts.columns import (
    ANY_VERDICTS,
    PLAIN,
    VERDICT_COLUMNS,
    VERDICT_SCHEMA,
    VerdictChoice,
    VerdictColumns,
    cast_verdicts,
    make_verdicts,
)
from drugmon.errors import SourceError, UsageError

NOW = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)


def two_reviews() -> pa.RecordBatch:
    labels = np.array([[-1, 0, 1, 2], [2, -1, -1, 1]], np.int8)
    probabilities = np.tile(np.array([0.5, 0.2, 0.3], np.float32), (2, 4, 1))
    probabilities[labels < 0] = np.nan
    return make_verdicts(labels, probabilities, "a@1", NOW, ["0" * 32, "f" * 32])


def test_columns_are_in_the_documented_order() -> None:
    assert VERDICT_COLUMNS[:5] == (
        "benefits_sentiment",
        "benefits_confidence",
        "benefits_p_negative",
        "benefits_p_neutral",
        "benefits_p_positive",
    )
    assert VERDICT_COLUMNS[15] == "overall_sentiment"
    assert VERDICT_COLUMNS[20:] == ("drugmon_adapter", "drugmon_scored_at", "drugmon_fingerprint")


def test_confidence_is_the_probability_of_the_label_and_missing_verdicts_are_null() -> None:
    first, second = two_reviews().to_pylist()
    assert [first[f"benefits_{end}"] for end in ("sentiment", "confidence", "p_neutral")] == [
        None
    ] * 3
    assert first["side_effects_sentiment"] == "negative"
    assert first["side_effects_confidence"] == first["side_effects_p_negative"] == 0.5
    assert first["overall_confidence"] == pytest.approx(0.3)
    assert second["benefits_sentiment"] == "positive"
    assert second["drugmon_scored_at"] == NOW
    assert second["drugmon_fingerprint"] == "f" * 32


def test_a_verdict_that_is_not_a_number_is_refused() -> None:
    labels = np.zeros((1, 4), np.int8)
    with pytest.raises(ValueError, match="not a number"):
        make_verdicts(labels, np.full((1, 4, 3), np.nan, np.float32), "a", NOW, ["0" * 32])
    with pytest.raises(ValueError, match="2 reviews"):
        make_verdicts(labels, np.zeros((1, 4, 3), np.float32), "a", NOW, ["0" * 32] * 2)


def test_texts_are_read_back_as_verdicts() -> None:
    verdicts = pa.Table.from_batches([two_reviews()])
    as_text = pa.table(
        {
            "review": ["x", "y"],
            **{
                name: [
                    ""
                    if value is None
                    else value.isoformat()
                    if name.endswith("_at")
                    else str(value)
                    for value in verdicts[name].to_pylist()
                ]
                for name in VERDICT_COLUMNS
            },
        }
    )
    assert cast_verdicts(as_text, "a.csv").equals(verdicts)


def test_a_table_without_verdicts_gives_none() -> None:
    assert cast_verdicts(pa.table({"a": [1]}), "a.csv").equals(VERDICT_SCHEMA.empty_table())


@pytest.mark.parametrize("column", ["overall_confidence", "overall_sentiment"])
def test_other_values_in_verdict_columns_are_named(column: str) -> None:
    table = pa.Table.from_batches([two_reviews()])
    at = table.schema.get_field_index(column)
    table = table.set_column(at, column, pa.array(["much", "little"]))
    with pytest.raises(
        SourceError, match=f"^a.csv: column {column} does not hold verdicts; --rescore"
    ):
        cast_verdicts(table, "a.csv")


def test_columns_of_the_users_own_are_refused() -> None:
    PLAIN.check(["review", "sentiment"], "a.csv")
    PLAIN.check(["review", *VERDICT_COLUMNS], "a.csv")
    PLAIN.check(["review", "overall_sentiment", "drugmon_adapter"], "a.csv")
    with pytest.raises(SourceError) as refused:
        PLAIN.check(["review", "overall_sentiment"], "a.csv")
    assert str(refused.value) == (
        "a.csv: has a column overall_sentiment of its own, which scoring would replace; "
        "keep both with --prefix dm_, rename it, or let it go with --overwrite"
    )
    VerdictColumns(overwrite=True).check(["review", "overall_sentiment"], "a.csv")


@pytest.mark.parametrize("overwrite", [False, True])
def test_columns_that_sql_takes_for_verdicts_are_refused(overwrite: bool) -> None:
    for others in ((), VERDICT_COLUMNS):
        with pytest.raises(SourceError) as refused:
            VerdictColumns(overwrite=overwrite).check(["Overall_Sentiment", *others], "a.csv")
        assert str(refused.value) == (
            "a.csv: has a column Overall_Sentiment, which in SQL is the same as the verdict "
            "overall_sentiment; rename it, or keep both with --prefix dm_"
        )


@pytest.mark.parametrize(
    "prefix", ["dm", "_", "Dm_", "1_", "d-m_", "a" * 33 + "_", "sentiment_", "x_scored_", "ü_"]
)
def test_a_prefix_is_a_short_word_with_an_underscore(prefix: str) -> None:
    for make in (VerdictColumns, VerdictChoice):
        with pytest.raises(UsageError, match=r"--prefix .*: must be up to 32 lower-case letters"):
            make(prefix)


def test_under_a_prefix_own_columns_and_verdicts_stand_side_by_side() -> None:
    ours = VerdictColumns("dm_")
    names = ["review", "overall_sentiment", *ours.names]
    assert (ours.beside(names), PLAIN.beside(names)) == (["review", "overall_sentiment"], names)
    ours.check(names, "a.csv")
    with pytest.raises(SourceError, match="has a column overall_sentiment of its own"):
        PLAIN.check(names, "a.csv")
    with pytest.raises(SourceError, match="has a column dm_overall_sentiment of its own"):
        ours.check(["review", "dm_overall_sentiment"], "a.csv")


def test_verdicts_are_found_under_whatever_prefix() -> None:
    one, other = VerdictColumns("a_"), VerdictColumns("b_")
    assert ANY_VERDICTS.among(["review", *one.names], "a.csv") == one
    assert ANY_VERDICTS.among(["review", "a_drugmon_fingerprint"], "a.csv") is None
    both = [*one.names, *other.names]
    assert VerdictChoice("b_").among(both, "a.csv") == other
    with pytest.raises(UsageError) as refused:
        ANY_VERDICTS.among(both, "a.csv")
    assert str(refused.value) == (
        "a.csv: has verdicts under several prefixes; choose with --prefix one of 'a_', 'b_'"
    )
    assert VerdictChoice("b_").among(one.names, "a.csv") is None
    assert VerdictChoice("b_", only=False).among(one.names, "a.csv") == one


def test_verdicts_under_a_prefix_are_read_back_under_their_own_names() -> None:
    ours = VerdictColumns("dm_")
    own = pa.table({"overall_sentiment": ["mine", "theirs"]})
    renamed = ours.rename(two_reviews())
    table = pa.table([*own.columns, *renamed.columns], [*own.schema.names, *ours.names])
    assert cast_verdicts(table, "a.csv", ours).equals(pa.Table.from_batches([two_reviews()]))
