from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from drugmon.errors import TrainingDataError
from drugmon.labels import LABEL_OF_LEVEL
from drugmon.training.reviews.grades import labels_of, level_labels, read_levels


def levels(cells: list[object], grade: str) -> list[int]:
    return list(read_levels(cells, grade, where="a.tsv", column="c", start=0))


def test_ratings_come_as_text_or_number_and_may_be_missing() -> None:
    cells = ["1", " 10 ", "7.0", 7, 7.0, Decimal(3), None, "", " ", float("nan")]
    assert levels(cells, "rating") == [0, 9, 6, 6, 6, 2, -1, -1, -1, -1]


def test_grades_are_read_whatever_their_case_and_outer_space() -> None:
    cells: list[object] = ["Ineffective", " highly effective", None, ""]
    assert levels(cells, "effectiveness") == [0, 4, -1, -1]
    assert levels(["No Side Effects"], "side_effects_grade") == [4]


@pytest.mark.parametrize(
    "cell", ["0", "11", 7.5, "good", True, "inf", 6.9999999, [1], 10**400, "7,5"]
)
def test_what_is_no_rating_is_named_with_its_place(cell: object) -> None:
    with pytest.raises(TrainingDataError) as caught:
        read_levels(["3", cell], "rating", where="a.tsv", column="stars", start=100)
    assert str(caught.value).startswith("a.tsv, row 102, column 'stars': ")
    assert "is no rating; give a whole number from 1 to 10, or leave the cell" in str(caught.value)


def test_an_unknown_grade_lists_the_known_ones() -> None:
    with pytest.raises(
        TrainingDataError, match="a value of 9 characters is no effectiveness; give one of Inef"
    ):
        levels(["Wonderful"], "effectiveness")


def test_a_review_text_in_a_graded_column_is_not_shown() -> None:
    with pytest.raises(TrainingDataError) as caught:
        levels(["my private story " * 10], "rating")
    assert "private" not in str(caught.value)
    assert "a value of 170 characters" in str(caught.value)


def test_labels_follow_the_mapping_and_missing_stays_missing() -> None:
    read = np.array([0, 4, 5, 9, -1])
    assert labels_of(read, "overall", LABEL_OF_LEVEL).tolist() == [0, 1, 1, 2, -1]
    assert level_labels("benefits", LABEL_OF_LEVEL) == (
        ("negative", "negative", "neutral", "positive", "positive")
    )
